package routing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// EstimateCost prices calls on the models asked for: by usage where that is given,
// else by task. The error joins what is wrong with each name or count: a
// [*pricing.UnknownModelError], a [*pricing.UsageError], pricing's errors about
// prices, or ctx's.
func (r *Router) EstimateCost(ctx context.Context, req CostRequest) (CostAnswer, error) {
	terms := pricing.Terms{ServiceTier: req.ServiceTier, Region: req.Region, AsOf: req.AsOf}
	calls := max(req.Calls, 1)
	var class classifier.Classification
	if req.Usage == nil {
		var err error
		if class, err = r.Classify(ctx, req.Task); err != nil {
			return CostAnswer{}, err
		}
	} else if err := req.Usage.Validate(); err != nil {
		return CostAnswer{}, err
	}
	priced := make([]pricedOffer, 0, len(req.Models))
	var errs []error
	for i, name := range req.Models {
		p, err := r.priceOn(ctx, name, &req, &class, terms, calls)
		if ctxErr := ctx.Err(); ctxErr != nil {
			return CostAnswer{}, ctxErr
		}
		if err != nil {
			errs = append(errs, fieldOf(fmt.Sprintf("models[%d]", i), err))
			continue
		}
		priced = append(priced, p)
	}
	if err := errors.Join(errs...); err != nil {
		return CostAnswer{}, err
	}
	slices.SortStableFunc(priced, func(a, b pricedOffer) int { return cmp.Compare(a.Expected, b.Expected) })
	answer := CostAnswer{Estimates: make([]Estimate, len(priced))}
	for i, p := range priced {
		answer.Estimates[i] = p.Estimate
	}
	var err error
	answer.Alternatives, err = r.alternatives(ctx, &req, priced, terms, calls)
	return answer, err
}

// pricedOffer is an estimate with the offer that it belongs to.
type pricedOffer struct {
	Estimate
	offer pricing.Offer
}

// priceOn prices the call on one model.
func (r *Router) priceOn(ctx context.Context, name string, req *CostRequest, class *classifier.Classification, terms pricing.Terms, calls int64) (pricedOffer, error) {
	offer, err := r.catalogue.Resolve(name)
	if err != nil {
		return pricedOffer{}, err
	}
	var e Estimate
	if req.Usage != nil {
		e = Estimate{Model: offer.Model, Usage: *req.Usage}
		if e.Cost, err = offer.Price(*req.Usage, terms); err != nil {
			return pricedOffer{}, err
		}
		e.Low, e.Expected, e.High = e.Cost.Total, e.Cost.Total, e.Cost.Total
	} else {
		input, counter, err := countFor(ctx, offer.Model, req.Task)
		if err != nil {
			return pricedOffer{}, err
		}
		u := usageOf(offer.Model, input, class.OutputTokens.Mean)
		if e, err = estimateRange(offer, u, class.OutputTokens, terms); err != nil {
			return pricedOffer{}, err
		}
		e.Counter = counter
	}
	if calls > 1 {
		if e.Total, err = e.Cost.Times(calls); err != nil {
			return pricedOffer{}, err
		}
	}
	return pricedOffer{Estimate: e, offer: offer}, nil
}

// countFor counts a task as the model's own tokenizer does, where there is one.
func countFor(ctx context.Context, m *pricing.Model, t Task) (int64, pricing.Counter, error) {
	var sum int64
	var counter pricing.Counter
	for i, message := range t.Messages {
		n, how, err := pricing.CountTokens(ctx, m, message.Content)
		if err != nil {
			return 0, pricing.Counter{}, err
		}
		sum += n + messageTokens
		// One message that could only be approximated makes the whole an approximation.
		if i == 0 || !how.Exact && (counter.Exact || how.ErrorBound > counter.ErrorBound) {
			counter = how
		}
	}
	return sum + max(t.Material.InputTokens, 0), counter, nil
}

// alternatives are the ways that come cheaper than the cheapest estimate.
func (r *Router) alternatives(ctx context.Context, req *CostRequest, priced []pricedOffer, terms pricing.Terms, calls int64) ([]Alternative, error) {
	if len(priced) == 0 {
		return nil, nil
	}
	first := priced[0]
	asked := first.Expected
	if calls > 1 {
		asked = first.Total
	}
	var out []Alternative
	for i := range priced {
		ways, err := priced[i].ways(req, terms, calls, asked)
		if err != nil {
			return nil, err
		}
		out = append(out, ways...)
	}
	if req.Usage == nil {
		if plan, ok := r.planAlternative(ctx, req, first, asked, calls); ok {
			out = append(out, plan)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b Alternative) int { return cmp.Compare(a.Cost, b.Cost) })
	return out, nil
}

// ways are the cheaper ways on the estimate's own model that also come below what
// the cheapest model asks for.
func (p *pricedOffer) ways(req *CostRequest, terms pricing.Terms, calls int64, asked pricing.Money) ([]Alternative, error) {
	shared := req.SharedInputTokens
	if shared == 0 {
		shared = p.Usage.InputTokens
	}
	ways, err := p.offer.Alternatives(p.Usage, terms, pricing.Repeat{Calls: calls, SharedTokens: min(shared, p.Usage.InputTokens)})
	if err != nil {
		return nil, fmt.Errorf("price the alternatives of %s: %w", p.Model.Ref(), err)
	}
	own := p.Expected
	if calls > 1 {
		own = p.Total
	}
	var out []Alternative
	for _, way := range ways {
		if way.Total >= asked {
			continue
		}
		a := Alternative{Model: p.Model, Cost: way.Total, Savings: saved(own, way.Total)}
		instead := usd(way.Total) + " instead of " + usd(own)
		switch way.Way {
		case pricing.WayCache:
			a.Kind = AlternativeCache
			a.Text = fmt.Sprintf("Cache the %d input tokens that all %d calls share, on %s: %s.", shared, calls, p.Model.ID, instead)
		case pricing.WayBatch:
			a.Kind = AlternativeBatch
			a.Text = fmt.Sprintf("Send it to %s as a batch, answered within a day: %s.", p.Model.ID, instead)
		case pricing.WayFlex:
			a.Kind = AlternativeFlex
			a.Text = fmt.Sprintf("Send it to %s in the flex tier, slower and with refusals: %s.", p.Model.ID, instead)
		}
		out = append(out, a)
	}
	return out, nil
}

// planAlternative is the two-step plan of the caller's policy, where it costs less.
// Where the policy has no answer to the task, the estimates stand without it.
func (r *Router) planAlternative(ctx context.Context, req *CostRequest, first pricedOffer, asked pricing.Money, calls int64) (Alternative, bool) {
	decided, err := r.Route(ctx, Request{Task: req.Task, ServiceTier: req.ServiceTier, Region: req.Region, AsOf: req.AsOf, Identity: req.Identity})
	if err != nil || decided.Plan == nil || !decided.Plan.Recommended {
		return Alternative{}, false
	}
	plan := decided.Plan
	cost, err := plan.Cost.Times(calls)
	if err != nil || cost >= asked {
		return Alternative{}, false
	}
	execution := plan.Steps[1].Model
	return Alternative{
		Kind: AlternativePlan, Model: execution, Cost: cost, Savings: saved(asked, cost), Steps: plan.Steps[:],
		Text: fmt.Sprintf("Design by %s and execution by %s: %s instead of %s on %s.",
			plan.Steps[0].Model.ID, execution.ID, usd(cost), usd(asked), first.Model.ID),
	}, true
}
