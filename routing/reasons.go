package routing

import (
	"fmt"
	"strings"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// reasons words the decision, weightiest first. Nothing of the task's text is in
// them.
func (d *deciding) reasons(best *candidate, plan *Plan, planCode ReasonCode) []Reason {
	out := make([]Reason, 0, len(d.candidates)+8)
	add := func(code ReasonCode, m *pricing.Model, text string) {
		out = append(out, Reason{Code: code, Model: m, Text: text})
	}
	add(LowestExpectedTotal, best.offer.Model, d.whyBest(best))
	if text := d.counterfactual(best); text != "" {
		add(Counterfactual, best.offer.Model, text)
	}
	d.addPlan(add, best, plan, planCode)
	d.addSession(add, best)
	d.addBounds(add, best)
	if d.class.Confidence < littleEvidence {
		add(LittleEvidence, nil, d.shares(d.say().s("The text gives little evidence, and the rule weighs all three tiers: ")).stop())
	}
	if limit := best.offer.Model.MaxOutputTokens; limit > 0 && best.usage.OutputTokens > limit {
		add(OutputLimit, best.offer.Model, d.say().s("An answer of about ").n(best.usage.OutputTokens).s(" tokens is longer than the ").n(limit).s(" that ").
			s(best.offer.Model.ID).s(" writes in one call: ask for it in ").n((best.usage.OutputTokens+limit-1)/limit).s(" parts").stop())
	}
	for i := range d.candidates {
		if c := &d.candidates[i]; c.excluded != 0 {
			out = append(out, d.exclusion(c))
		}
	}
	return out
}

// littleEvidence is the confidence under which a reason says that the text is
// doubtful: the likeliest tier is no likelier than the other two together.
const littleEvidence = 0.5

func (d *deciding) whyBest(best *candidate) string {
	fail := d.failure(best.tier, d.needs)
	w := d.say().s(best.offer.Model.ID).s(" has the lowest expected total, ").usd(best.total).s(": ").usd(float64(best.price)).s(" for the call")
	if wait := best.cost - float64(best.price); wait > 0 {
		w = w.s(", ").usd(wait).s(" for the wait")
	}
	w = w.s(" and a chance of ").percent(fail).s(" to fail")
	if fail > 0 {
		w = w.s(", which costs ").usd((best.total - best.cost) / fail)
	}
	return w.stop()
}

// counterfactual says how likely another tier would have to be for its best model to
// be chosen: the tier below, or above where there is none below.
func (d *deciding) counterfactual(best *candidate) string {
	other := d.best(func(c *candidate) bool { return c.excluded == 0 && c.tier < best.tier })
	if other == nil {
		other = d.best(func(c *candidate) bool { return c.excluded == 0 && c.tier > best.tier })
	}
	if other == nil {
		return ""
	}
	// E(other) − E(best) is linear in the probabilities: with P(tier) = x and the
	// others scaled to fill the rest, it is x × own + (1 − x) × rest.
	k := int(other.tier) - 1
	var sure, unlike chances
	sure[k] = 1
	if left := 1 - d.needs[k]; left > 0 {
		for j := range unlike {
			if j != k {
				unlike[j] = d.needs[j] / left
			}
		}
	} else {
		unlike[best.tier-1] = 1
	}
	own := d.expected(other.cost, other.tier, sure) - d.expected(best.cost, best.tier, sure)
	rest := d.expected(other.cost, other.tier, unlike) - d.expected(best.cost, best.tier, unlike)
	if own >= 0 || rest <= 0 {
		return d.say().s(other.offer.Model.ID).s(" would not be chosen even if the task surely needed ").s(other.tier.String()).
			s(": it would come to ").usd(max(own, 0)).s(" more").stop()
	}
	return d.say().s(other.offer.Model.ID).s(" would be chosen if P(").s(other.tier.String()).s(") were at least ").up(rest / (rest - own)).
		s("; it is ").chance(d.needs[k]).s(". Its expected total is ").usd(other.total).stop()
}

func (d *deciding) addPlan(add func(ReasonCode, *pricing.Model, string), best *candidate, plan *Plan, code ReasonCode) {
	switch {
	case plan == nil && d.req.Plan == PlanNever:
		add(code, nil, "No plan was considered: the request wants a single step.")
	case plan == nil && (d.req.Task.Stage == classifier.Design || d.req.Task.Stage == classifier.Execution):
		add(code, nil, "No plan was considered: the task is one stage of a plan already.")
	case plan == nil:
		add(code, nil, "No plan was considered: no two tiers are left to design and to execute.")
	case code == PlanPays:
		add(code, nil, d.say().s("Design by ").s(plan.Steps[0].Model.ID).s(" and execution by ").s(plan.Steps[1].Model.ID).
			s(" pay: expected total ").usd(float64(plan.ExpectedTotal)).s(" against ").usd(best.total).s(" for one call; the two calls cost ").
			usd(float64(plan.Cost)).s(" against ").usd(float64(best.price)).s(". The chance that the task splits is ").percent(d.split).stop())
	default:
		w := d.say().s("A plan (design by ").s(plan.Steps[0].Model.ID).s(", execution by ").s(plan.Steps[1].Model.ID).
			s(") is not worth it: expected total ").usd(float64(plan.ExpectedTotal)).s(" against ").usd(best.total).
			s(" for one call; the chance that the task splits is ").percent(d.split)
		if plan.Recommended {
			w = w.s(". It is recommended because the request wants two steps")
		}
		add(code, nil, w.stop())
	}
}

func (d *deciding) addSession(add func(ReasonCode, *pricing.Model, string), best *candidate) {
	a := &d.attempts
	chosen := best.offer.Model
	if len(a.failedAt) > 0 {
		add(Escalated, chosen, d.shares(d.say().s("Earlier attempts failed or stalled (").n(int64(a.failures)).s("), so the task needs more than their tier: now ")).stop())
	}
	for _, at := range d.req.Session.Attempts {
		switch at.Outcome {
		case Unavailable:
			add(FailedOver, chosen, d.say().s(chosen.ID).s(" is next: an earlier model was unavailable").stop())
		case Refused:
			add(RefusedElsewhere, chosen, d.say().s(chosen.ID).s(" is of another provider: ").s(strings.Join(a.refusedBy, ", ")).s(" refused the task").stop())
		default:
			continue
		}
		break
	}
	if d.cached == 0 || d.current == nil {
		return
	}
	for i := range d.candidates {
		c := &d.candidates[i]
		if c.offer.Model != d.current || !c.possible {
			continue
		}
		uncached := c.usage
		uncached.CacheReadTokens = 0
		full, err := c.offer.PriceTotal(uncached, d.terms)
		if err != nil {
			return
		}
		if c == best {
			add(CacheKept, chosen, d.say().s("The session's cache makes the call ").usd(float64(c.price)).s(" instead of ").usd(float64(full)).s(" on ").s(c.offer.Model.ID).stop())
		} else if c.excluded == 0 {
			add(CacheLeft, chosen, d.say().s("Leaving ").s(c.offer.Model.ID).s(" gives its cache up, and still pays: expected total ").usd(best.total).s(" against ").usd(c.total).stop())
		}
		return
	}
}

func (d *deciding) addBounds(add func(ReasonCode, *pricing.Model, string), best *candidate) {
	switch d.req.Task.Stage {
	case classifier.Design:
		add(StageDeclared, nil, d.say().s("The task is declared to be design, which the policy gives to ").s(d.policy.design.String()).s(" or above").stop())
	case classifier.Execution:
		add(StageDeclared, nil, "The task is declared to be execution: the words of its plan do not raise the tier.")
	}
	for _, rule := range d.rules {
		add(PolicyRule, nil, d.say().s("The policy's rule ").quoted(rule).s(" applies").stop())
	}
	free := d.best(func(c *candidate) bool { return c.excluded == 0 || c.excluded == ExcludedTier })
	if free == nil || free.tier == best.tier {
		return
	}
	if free.tier < best.tier {
		add(TierFloor, free.offer.Model, d.say().s("A floor of ").s(d.floor.String()).s(" raised the tier: ").s(free.offer.Model.ID).s(" would have had an expected total of ").usd(free.total).stop())
	} else {
		add(TierCeiling, free.offer.Model, d.say().s("A ceiling of ").s(d.ceiling.String()).s(" lowered the tier: ").s(free.offer.Model.ID).s(" would have had an expected total of ").usd(free.total).stop())
	}
}

// shares words the probabilities that the rule weighed.
func (d *deciding) shares(w words) words {
	return w.s("P(repetition) ").chance(d.p[0]).s(", P(making) ").chance(d.p[1]).s(", P(judgment) ").chance(d.p[2])
}

// exclusion says what excluded a model.
func (d *deciding) exclusion(c *candidate) Reason {
	m := c.offer.Model
	want := &d.req.Constraints
	w := d.say().s(m.ID)
	switch c.excluded {
	case ExcludedRetired:
		w = w.s(" is retired since ").s(m.Retired.String())
		if m.Successor != "" {
			w = w.s("; its successor is ").s(m.Successor)
		}
	case ExcludedNoPrice:
		w = w.s(" is not on sale or has no known price at the time asked for")
	case ExcludedContext:
		w = w.s(" has a context window of ").n(m.ContextWindow).s(" tokens")
		if want.MinContextTokens > m.ContextWindow {
			w = w.s(", less than the ").n(want.MinContextTokens).s(" asked for")
		} else {
			w = w.s(": too small for ").n(c.usage.InputTokens).s(" of input and ").n(c.usage.OutputTokens).s(" of output")
		}
	case ExcludedCapability:
		w = w.s(" is not stated to have ").s(missing(m, d.req.Task.Capabilities))
	case ExcludedCost:
		w = w.s(" would cost ").usd(float64(c.price)).s(", above the limit")
	case ExcludedLatency:
		if seconds, ok := c.latency(c.usage.OutputTokens); ok {
			w = w.s(" would take about ").f(seconds, 1).s(" s, above the limit of ").s(want.MaxLatency.String())
		} else {
			w = w.s(" has no stated speed, so it can't promise the latency asked for")
		}
	case ExcludedProvider:
		w = w.s(" is of a provider that is not allowed")
	case ExcludedDenied:
		w = w.s(" is denied by name")
	case ExcludedTier:
		w = w.s(" serves ").s(c.tier.String())
		if d.floor > d.ceiling {
			w = w.s(", and the floor ").s(d.floor.String()).s(" is above the ceiling ").s(d.ceiling.String())
		} else {
			w = w.s(", outside ").s(d.floor.String()).s(" to ").s(d.ceiling.String())
		}
	case ExcludedRegion:
		w = w.s(" is not stated to be offered in region ").quoted(d.terms.Region)
	case ExcludedServiceTier:
		w = w.s(" is not sold in service tier ").s(d.terms.ServiceTier.String())
	case ExcludedAttempted:
		w = w.s(" was tried for this task, or its provider refused it")
	}
	return Reason{Code: c.excluded, Model: m, Text: w.stop()}
}

func missing(m *pricing.Model, wanted []pricing.Capability) string {
	var names []string
	for _, c := range wanted {
		if m.Capabilities.Support(c) != pricing.Yes {
			names = append(names, c.String())
		}
	}
	return strings.Join(names, ", ")
}

// noModel is the error where everything is excluded. Its hint names the commonest
// cause that the caller can change.
func (d *deciding) noModel() error {
	e := &NoModelError{}
	count := map[ReasonCode]int{}
	for i := range d.candidates {
		c := &d.candidates[i]
		e.Excluded = append(e.Excluded, d.exclusion(c))
		if allows(d.set.providers, c.offer.Model.Provider) { // the others the caller can't have
			count[c.excluded]++
		}
	}
	var most ReasonCode
	for code := ExcludedRetired; code <= ExcludedNoPrice; code++ {
		if count[code] > count[most] {
			most = code
		}
	}
	switch most {
	case ExcludedRetired:
		e.Hint = "name models in the policy that are on sale"
	case ExcludedNoPrice:
		e.Hint = "move as_of, or name models in the policy that are on sale then"
	case ExcludedContext:
		e.Hint = "shorten the input, or allow a model with a larger context window"
	case ExcludedCapability:
		e.Hint = "drop a required capability, or name a model in the policy that has it"
	case ExcludedCost:
		e.Hint = "raise constraints.max_cost or the policy's max_cost"
	case ExcludedLatency:
		e.Hint = "raise constraints.max_latency, or state more speeds in the policy"
	case ExcludedProvider:
		e.Hint = "add to constraints.allowed_providers or the policy's providers"
	case ExcludedDenied:
		e.Hint = "remove from constraints.denied_models or the policy's deny"
	case ExcludedTier:
		e.Hint = fmt.Sprintf("the tier must be %s to %s: widen constraints.min_tier and max_tier, or the policy's floor and ceiling", d.floor, d.ceiling)
		if d.floor > d.ceiling {
			e.Hint = fmt.Sprintf("the floor %s (policy, declared stage, attempts or min_tier) is above the ceiling %s (policy, identity or max_tier)", d.floor, d.ceiling)
		}
	case ExcludedRegion:
		e.Hint = "leave region empty, or use one that a model is offered in"
	case ExcludedServiceTier:
		e.Hint = "use another service_tier"
	case ExcludedAttempted:
		e.Hint = "every model that is left was tried: hand the task to a person"
	}
	return e
}
