package routing

import (
	"math"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// What is sent with the task in each step of a plan. The placeholders are for the
// caller's program: it knows where its material begins.
const (
	designInstruction = `Do not carry the task below out. Design how it is to be done, for a smaller model that will follow your plan to the letter and sees neither this conversation nor your reasoning.

Write the plan so that nothing is left to decide:
1. What counts and what does not, with the borderline cases that the sample shows.
2. The steps, in order, for one item or passage, and how to go through all of them.
3. The exact form of the output, with one filled-in example.
4. What to do where the material is unclear, contradicts itself or has nothing to report.
5. How to check the result before it is handed in.

You see the task and a sample of the material, not all of it. Keep the plan under 500 words.`

	executionInstruction = `Carry the plan below out on the material that follows it. The plan decides: do not change the method, the order or the form of the output. Go through all of the material. Where the plan does not cover a case, take the reading that is closest to its wording and mark the place with "[unclear]". Return only what the plan asks for.`

	// instructionTokens is the length of the longer instruction, rounded up, by the
	// approximation; a test holds it.
	instructionTokens = 240
)

// step is a step of a plan in the making: the model of a tier that does it at the
// lowest cost, since within a tier the rule's chances are equal. A nil candidate
// means that the tier has none.
type step struct {
	*candidate
	usage   pricing.Usage
	price   pricing.Money
	cost    float64 // price and time, in nano-dollars
	seconds float64
	timed   bool // seconds is known
}

// pair is a plan in the making.
type pair struct {
	design, execution step
	price             pricing.Money
	total             float64
}

// plan finds the best pair of design and execution, and says whether it pays
// against the best single call. A nil plan comes with the reason code for that.
func (d *deciding) plan(best *candidate) (*Plan, ReasonCode, error) {
	stage := d.req.Task.Stage
	if d.req.Plan == PlanNever || stage == classifier.Design || stage == classifier.Execution {
		return nil, PlanNotConsidered, nil
	}
	var found pair
	for design := classifier.Making; design <= d.ceiling; design++ {
		first := d.cheapestStep(design, d.designUsage)
		for execution := max(classifier.Repetition, d.req.Constraints.MinTier); execution < design && first.candidate != nil; execution++ {
			p := pair{design: first, execution: d.cheapestStep(execution, d.executionUsage)}
			if p.execution.candidate == nil || !d.weighPair(&p) {
				continue
			}
			// A tie goes to the higher design tier: the plan is the part that needs judgment.
			if found.design.candidate == nil || math.Round(p.total) <= math.Round(found.total) {
				found = p
			}
		}
	}
	if found.design.candidate == nil {
		return nil, PlanNotConsidered, nil
	}
	// The comparison counts what the decision's own total counts.
	pays := math.Round(found.total) < math.Round(best.total)
	out := &Plan{
		Recommended:        pays || d.req.Plan == PlanAlways,
		Cost:               found.price,
		ExpectedTotal:      nano(found.total),
		FailureProbability: d.planFailure(found.design.tier, found.execution.tier),
	}
	out.Steps = [2]Step{
		{Stage: classifier.Design, Tier: found.design.tier, Model: found.design.offer.Model},
		{Stage: classifier.Execution, Tier: found.execution.tier, Model: found.execution.offer.Model},
	}
	if out.Recommended { // nobody sends the others, and their details are most of an answer's bytes
		out.Steps[0].Instruction, out.Steps[1].Instruction = designInstruction, executionInstruction
		for i, s := range [...]*step{&found.design, &found.execution} {
			e, err := d.stepEstimate(s.offer, s.usage, i == 1)
			if err != nil {
				return nil, 0, err
			}
			out.Steps[i].Estimate = e
		}
	}
	code := PlanNotWorthIt
	if pays {
		code = PlanPays
	}
	return out, code, nil
}

// weighPair prices a pair; false means that the limits forbid it.
func (d *deciding) weighPair(p *pair) bool {
	want := &d.req.Constraints
	var err error
	if p.price, err = p.design.price.Plus(p.execution.price); err != nil {
		return false
	}
	if exceeds(p.price, d.set.maxCost) || exceeds(p.price, want.MaxCost) {
		return false
	}
	timed := p.design.timed && p.execution.timed
	if want.MaxLatency > 0 && (!timed || p.design.seconds+p.execution.seconds > want.MaxLatency.Seconds()) {
		return false
	}
	p.total = d.expectedPlan(p.design.cost+p.execution.cost, p.design.tier, p.execution.tier)
	return true
}

// cheapestStep finds the usable model of a tier on which a step costs least, ties in
// the policy's order.
func (d *deciding) cheapestStep(t classifier.Tier, use func(*pricing.Model) pricing.Usage) step {
	var best step
	for i := range d.candidates {
		c := &d.candidates[i]
		if !c.usable || c.tier != t {
			continue
		}
		s := step{candidate: c, usage: use(c.offer.Model)}
		if !fitsContext(c.offer.Model, s.usage) {
			continue
		}
		var err error
		if s.price, err = c.offer.PriceTotal(s.usage, d.terms); err != nil {
			continue
		}
		s.seconds, s.timed = c.latency(s.usage.OutputTokens)
		s.cost = float64(s.price) + s.seconds*d.set.timeValue
		if best.candidate == nil || s.cost < best.cost {
			best = s
		}
	}
	return best
}

// designUsage: the task with its conversation, a sample of the declared material, and
// the plan as the answer.
func (d *deciding) designUsage(m *pricing.Model) pricing.Usage {
	material := max(d.req.Task.Material.InputTokens, 0)
	sample := min(material, d.policy.plan.SampleTokens)
	return usageOf(m, d.tokens.of(m)-material+sample+instructionTokens, d.policy.plan.OutputTokens)
}

// executionUsage: the plan, the last user turn (material that is pasted stands in it)
// and the declared material; not the whole conversation again.
func (d *deciding) executionUsage(m *pricing.Model) pricing.Usage {
	material := max(d.req.Task.Material.InputTokens, 0)
	return usageOf(m, d.policy.plan.OutputTokens+d.tokens.ask(m)+material+instructionTokens, d.class.OutputTokens.Mean)
}

// planFailure is P(fail | plan): where the task holds both stages (chance split) the
// execution only needs a good plan, elsewhere it needs what the task needs.
//
//	P(fail | plan) = split × q + (1 − split) × Σ_k p_k × f[k][execution]
func (d *deciding) planFailure(design, execution classifier.Tier) float64 {
	return d.split*d.policy.q[design-1] + (1-d.split)*d.failure(execution, d.p)
}

// expectedPlan is the rule for a plan. After a plan that was no good, the task is
// done again in one call at the design's tier.
func (d *deciding) expectedPlan(cost float64, design, execution classifier.Tier) float64 {
	total := cost
	if d.split > 0 {
		k := int(d.policy.design) - 1
		again := d.retry(k, design-1)
		total += d.split * d.policy.q[design-1] * (d.set.penalty + again)
	}
	for k, chance := range d.p {
		if chance > 0 {
			total += (1 - d.split) * chance * d.policy.f[k][execution-1] * (d.set.penalty + d.retry(k, execution))
		}
	}
	return total
}

// stepEstimate prices a step. Only the execution's length is uncertain: a plan is as
// long as it was asked to be.
func (d *deciding) stepEstimate(offer pricing.Offer, u pricing.Usage, uncertain bool) (Estimate, error) {
	if uncertain {
		return d.estimate(offer, u)
	}
	visible := u.OutputTokens - u.ReasoningTokens
	e, err := estimateRange(offer, u, classifier.TokenRange{Low: visible, Median: visible, High: visible, Mean: visible}, d.terms)
	e.Counter = d.tokens.counter(offer.Model)
	return e, err
}
