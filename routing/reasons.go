package routing

import (
	"fmt"
	"math"
	"strconv"
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
		add(LittleEvidence, nil, "The text gives little evidence: "+d.shares()+". The rule weighs all three.")
	}
	if limit := best.offer.Model.MaxOutputTokens; limit > 0 && best.usage.OutputTokens > limit {
		add(OutputLimit, best.offer.Model, fmt.Sprintf("An answer of about %d tokens is longer than the %d that %s writes in one call: ask for it in %d parts.",
			best.usage.OutputTokens, limit, best.offer.Model.ID, (best.usage.OutputTokens+limit-1)/limit))
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
	b := make([]byte, 0, 192)
	b = append(b, best.offer.Model.ID...)
	b = append(b, " has the lowest expected total, "...)
	b = appendUSD(b, best.total)
	b = append(b, ": "...)
	b = appendUSD(b, float64(best.price))
	b = append(b, " for the call"...)
	if wait := best.cost - float64(best.price); wait > 0 {
		b = append(b, ", "...)
		b = appendUSD(b, wait)
		b = append(b, " for the wait"...)
	}
	b = append(b, " and a chance of "...)
	b = appendPercent(b, fail)
	b = append(b, " to fail"...)
	if fail > 0 {
		b = append(b, ", which costs "...)
		b = appendUSD(b, (best.total-best.cost)/fail)
	}
	b = append(b, '.')
	return string(b)
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
		return fmt.Sprintf("%s would not be chosen even if the task surely needed %s: it would come to %s more.",
			other.offer.Model.ID, other.tier, usd(max(own, 0)))
	}
	b := make([]byte, 0, 128)
	b = append(b, other.offer.Model.ID...)
	b = append(b, " would be chosen if P("...)
	b = append(b, other.tier.String()...)
	b = append(b, ") were at least "...)
	b = appendUp(b, rest/(rest-own))
	b = append(b, "; it is "...)
	b = strconv.AppendFloat(b, d.needs[k], 'f', 2, 64)
	b = append(b, ". Its expected total is "...)
	b = appendUSD(b, other.total)
	b = append(b, '.')
	return string(b)
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
		add(code, nil, fmt.Sprintf("Design by %s and execution by %s pay: expected total %s against %s for one call; the two calls cost %s against %s. The chance that the task splits is %s.",
			plan.Steps[0].Model.ID, plan.Steps[1].Model.ID, usd(float64(plan.ExpectedTotal)), usd(best.total), usd(float64(plan.Cost)), usd(float64(best.price)), percent(d.split)))
	default:
		text := fmt.Sprintf("A plan (design by %s, execution by %s) is not worth it: expected total %s against %s for one call",
			plan.Steps[0].Model.ID, plan.Steps[1].Model.ID, usd(float64(plan.ExpectedTotal)), usd(best.total))
		text += fmt.Sprintf("; the chance that the task splits is %s.", percent(d.split))
		if plan.Recommended {
			text += " It is recommended because the request wants two steps."
		}
		add(code, nil, text)
	}
}

func (d *deciding) addSession(add func(ReasonCode, *pricing.Model, string), best *candidate) {
	a := &d.attempts
	if len(a.failedAt) > 0 {
		add(Escalated, best.offer.Model, fmt.Sprintf("%d earlier attempts failed or stalled, so the task needs more than their tier: now %s.", a.failures, d.shares()))
	}
	for _, at := range d.req.Session.Attempts {
		switch at.Outcome {
		case Unavailable:
			add(FailedOver, best.offer.Model, best.offer.Model.ID+" is next: an earlier model was unavailable.")
		case Refused:
			add(RefusedElsewhere, best.offer.Model, best.offer.Model.ID+" is of another provider: "+strings.Join(a.refusedBy, ", ")+" refused the task.")
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
			add(CacheKept, best.offer.Model, fmt.Sprintf("The session's cache makes the call %s instead of %s on %s.", usd(float64(c.price)), usd(float64(full)), c.offer.Model.ID))
		} else if c.excluded == 0 {
			add(CacheLeft, best.offer.Model, fmt.Sprintf("Leaving %s gives its cache up, and still pays: expected total %s against %s.", c.offer.Model.ID, usd(best.total), usd(c.total)))
		}
		return
	}
}

func (d *deciding) addBounds(add func(ReasonCode, *pricing.Model, string), best *candidate) {
	switch d.req.Task.Stage {
	case classifier.Design:
		add(StageDeclared, nil, fmt.Sprintf("The task is declared to be design, which the policy gives to %s or above.", d.policy.design))
	case classifier.Execution:
		add(StageDeclared, nil, "The task is declared to be execution: the words of its plan do not raise the tier.")
	}
	for _, rule := range d.rules {
		add(PolicyRule, nil, "The policy's rule "+strconv.Quote(rule)+" applies.")
	}
	free := d.best(func(c *candidate) bool { return c.excluded == 0 || c.excluded == ExcludedTier })
	if free == nil || free.tier == best.tier {
		return
	}
	if free.tier < best.tier {
		add(TierFloor, free.offer.Model, fmt.Sprintf("A floor of %s raised the tier: %s would have had an expected total of %s.", d.floor, free.offer.Model.ID, usd(free.total)))
	} else {
		add(TierCeiling, free.offer.Model, fmt.Sprintf("A ceiling of %s lowered the tier: %s would have had an expected total of %s.", d.ceiling, free.offer.Model.ID, usd(free.total)))
	}
}

// shares words the probabilities that the rule weighed.
func (d *deciding) shares() string {
	return fmt.Sprintf("P(repetition) %.2f, P(making) %.2f, P(judgment) %.2f", d.p[0], d.p[1], d.p[2])
}

// exclusion says what excluded a model.
func (d *deciding) exclusion(c *candidate) Reason {
	m := c.offer.Model
	want := &d.req.Constraints
	var text string
	switch c.excluded {
	case ExcludedRetired:
		text = "is retired since " + m.Retired.String()
		if m.Successor != "" {
			text += "; its successor is " + m.Successor
		}
	case ExcludedNoPrice:
		text = "is not on sale or has no known price at the time asked for"
	case ExcludedContext:
		text = fmt.Sprintf("has a context window of %d tokens: too small for %d of input and %d of output", m.ContextWindow, c.usage.InputTokens, c.usage.OutputTokens)
		if want.MinContextTokens > m.ContextWindow {
			text = fmt.Sprintf("has a context window of %d tokens, less than the %d asked for", m.ContextWindow, want.MinContextTokens)
		}
	case ExcludedCapability:
		text = "is not stated to have " + missing(m, d.req.Task.Capabilities)
	case ExcludedCost:
		text = "would cost " + usd(float64(c.price)) + ", above the limit"
	case ExcludedLatency:
		text = "has no stated speed, so it can't promise the latency asked for"
		if seconds, ok := c.latency(c.usage.OutputTokens); ok {
			text = fmt.Sprintf("would take about %.1f s, above the limit of %s", seconds, want.MaxLatency)
		}
	case ExcludedProvider:
		text = "is of a provider that is not allowed"
	case ExcludedDenied:
		text = "is denied by name"
	case ExcludedTier:
		text = fmt.Sprintf("serves %s, outside %s to %s", c.tier, d.floor, d.ceiling)
		if d.floor > d.ceiling {
			text = fmt.Sprintf("serves %s, and the floor %s is above the ceiling %s", c.tier, d.floor, d.ceiling)
		}
	case ExcludedRegion:
		text = "is not offered in region " + strconv.Quote(d.terms.Region)
	case ExcludedServiceTier:
		text = "is not sold in service tier " + d.terms.ServiceTier.String()
	case ExcludedAttempted:
		text = "was tried for this task, or its provider refused it"
	}
	return Reason{Code: c.excluded, Model: m, Text: m.ID + " " + text + "."}
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

// usd words an amount of nano-dollars: cents above a dollar, three digits below.
func usd(nanos float64) string { return string(appendUSD(nil, nanos)) }

func appendUSD(b []byte, nanos float64) []byte {
	dollars := nanos / float64(pricing.Dollar)
	b = append(b, '$')
	if dollars == 0 || math.Abs(dollars) >= 1 {
		return strconv.AppendFloat(b, dollars, 'f', 2, 64)
	}
	digits := min(9, 2-int(math.Floor(math.Log10(math.Abs(dollars)))))
	return strconv.AppendFloat(b, dollars, 'f', max(digits, 2), 64)
}

func percent(p float64) string { return string(appendPercent(nil, p)) }

func appendPercent(b []byte, p float64) []byte {
	return append(strconv.AppendFloat(b, 100*p, 'f', 1, 64), '%')
}

// appendUp writes a threshold with two decimals, rounded up, so that what is written
// is enough.
func appendUp(b []byte, v float64) []byte {
	return strconv.AppendFloat(b, math.Ceil(v*100-1e-9)/100, 'f', 2, 64)
}
