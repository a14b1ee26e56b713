package routing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/internal/strictyaml"
	"github.com/adjutant-dev/adjutant/pricing"
)

// maxFallbacks bounds how many fallbacks an answer names.
const maxFallbacks = 4

// defaultCacheLife is how long a provider keeps a prompt cache that is not
// refreshed: five minutes at Anthropic, the shortest of the big three.
const defaultCacheLife = 5 * time.Minute

// Route decides what to do with a task. The error is one of this package's, a
// [*pricing.UnknownModelError] for a name in the request, or ctx's.
func (r *Router) Route(ctx context.Context, req Request) (Decision, error) {
	c, err := r.Classify(ctx, req.Task)
	if err != nil {
		return Decision{}, err
	}
	return r.Decide(ctx, req, c)
}

// Decide is [Router.Route] for a task that is classified already, by whatever means.
func (r *Router) Decide(ctx context.Context, req Request, c classifier.Classification) (Decision, error) {
	p, err := r.policyFor(req.Policy, req.Identity)
	if err != nil {
		return Decision{}, err
	}
	d, err := r.deciding(ctx, p, &req, &c)
	if err != nil {
		return Decision{}, err
	}
	best, err := d.choose()
	if err != nil {
		return Decision{}, err
	}
	return d.decision(best)
}

// policyFor finds the policy that a request names or its identity has.
func (r *Router) policyFor(name string, identity Identity) (*policy, error) {
	switch {
	case name == "" && identity.Policy != "":
		name = identity.Policy
	case name == "":
		name = DefaultPolicy
	case len(identity.Policies) > 0 && !slices.Contains(identity.Policies, name) && name != identity.Policy:
		return nil, &PolicyNotAllowedError{Name: name}
	}
	p, ok := r.policies[name]
	if !ok {
		return nil, &UnknownPolicyError{Name: name, Nearest: strictyaml.Nearest(name, r.Policies())}
	}
	return p, nil
}

// Policies gives the names of the policies, sorted.
func (r *Router) Policies() []string { return slices.Sorted(maps.Keys(r.policies)) }

// candidate is a model of the policy with what this request makes of it.
type candidate struct {
	*servedModel
	usage pricing.Usage // of a single call with an answer of mean length
	price pricing.Money
	cost  float64 // price and time, in nano-dollars
	total float64 // expected total, in nano-dollars

	// possible: it is on sale, priced, capable, large enough and allowed by the policy, so
	// that a retry may go to it whatever the request wants narrowed.
	possible bool
	// usable: it may serve a step of a plan; what a single call would cost, take or
	// hold does not count.
	usable bool
	// excluded is why it can't be the single call; 0 means that it can.
	excluded ReasonCode
}

// deciding is one decision in the making.
type deciding struct {
	router *Router
	policy *policy
	req    *Request
	class  *classifier.Classification
	set    settings
	rules  []string // names of those that matched

	terms      pricing.Terms
	tokens     tokenCounts
	candidates []candidate

	current  *pricing.Model   // the session's, nil for none
	cached   int64            // input tokens that it still has cached
	denied   []*pricing.Model // by the request
	attempts attempts

	floor, ceiling classifier.Tier
	p              chances // what the task needs, conditioned on stage and attempts
	needs          chances // what a single call on it needs: p, and the design that a split would do apart
	split          float64

	buffer   [512]byte                 // see words
	cheapest [classifier.Tiers]float64 // the lowest cost among possible models of a tier; +Inf for none
}

// deciding gathers everything that the rule weighs.
func (r *Router) deciding(ctx context.Context, p *policy, req *Request, c *classifier.Classification) (*deciding, error) {
	d := &deciding{router: r, policy: p, req: req, class: c}
	d.set, d.rules = p.apply(req, c)
	d.terms = pricing.Terms{ServiceTier: req.ServiceTier, Region: cmp.Or(req.Region, p.region), AsOf: req.AsOf}
	if err := d.readSession(); err != nil {
		return nil, err
	}
	for i, name := range req.Constraints.DeniedModels {
		offer, err := r.catalogue.Resolve(name)
		if err != nil {
			return nil, fieldOf(fmt.Sprintf("constraints.denied_models[%d]", i), err)
		}
		d.denied = append(d.denied, offer.Model)
	}
	var err error
	if d.tokens, err = countTask(ctx, req.Task, p.models); err != nil {
		return nil, err
	}
	d.weighNeeds()
	if err := d.makeCandidates(); err != nil {
		return nil, err
	}
	return d, nil
}

// fieldOf wraps an error about a name with the field that holds it.
func fieldOf(field string, err error) error { return fmt.Errorf("%s: %w", field, err) }

// weighNeeds settles floor, ceiling and the probabilities that the rule weighs.
func (d *deciding) weighNeeds() {
	// Ceilings of the policy and of the identity are hard: no floor goes above them.
	d.ceiling = d.set.ceiling
	if limit := d.req.Identity.MaxTier; limit != 0 {
		d.ceiling = min(d.ceiling, limit)
	}
	d.floor = d.set.floor
	d.p = chances(d.class.Probabilities)
	d.split = d.class.SplitProbability
	switch d.req.Task.Stage {
	case classifier.Design:
		d.floor = max(d.floor, d.policy.design)
		d.split = 0 // the caller has split the task already
	case classifier.Execution:
		// The plan is given, so nothing is open: its words do not raise the tier.
		d.p[classifier.Making-1] += d.p[classifier.Judgment-1]
		d.p[classifier.Judgment-1] = 0
		d.split = 0
	}
	d.p = d.attempts.condition(d.p, d.policy)
	d.floor = min(max(d.floor, d.attempts.floor), d.ceiling)
	// The request's own bounds are not met halfway: where they leave nothing, the
	// answer is an error that says so, and loosening one can only help.
	d.floor = max(d.floor, d.req.Constraints.MinTier)
	if limit := d.req.Constraints.MaxTier; limit != 0 {
		d.ceiling = min(d.ceiling, limit)
	}
	d.needs = d.p
	for k := range d.needs {
		d.needs[k] *= 1 - d.split
	}
	d.needs[d.policy.design-1] += d.split
}

// makeCandidates prices every model of the policy and says what excludes it.
func (d *deciding) makeCandidates() error {
	d.candidates = make([]candidate, len(d.policy.models))
	for t := range d.cheapest {
		d.cheapest[t] = math.Inf(1)
	}
	for i := range d.candidates {
		c := &d.candidates[i]
		c.servedModel = &d.policy.models[i]
		if err := d.weigh(c); err != nil {
			return err
		}
		if c.possible {
			d.cheapest[c.tier-1] = min(d.cheapest[c.tier-1], c.cost)
		}
	}
	for i := range d.candidates {
		if c := &d.candidates[i]; c.possible {
			c.total = d.expected(c.cost, c.tier, d.needs)
		}
	}
	return nil
}

// weigh applies the gates to one model, the hard ones first.
func (d *deciding) weigh(c *candidate) error {
	m := c.offer.Model
	visible := d.class.OutputTokens.Mean
	c.usage = usageOf(m, d.tokens.of(m), visible)
	if m == d.current {
		c.usage.CacheReadTokens = min(d.cached, c.usage.InputTokens)
	}
	switch {
	case m.RetiredAt(d.req.AsOf):
		c.excluded = ExcludedRetired
		return nil
	case m.Released != 0 && pricing.DateOf(d.req.AsOf) < m.Released:
		c.excluded = ExcludedNoPrice
		return nil
	case pinned(d.terms.Region) && len(m.Regions) == 0:
		// Its price would be the same, but nothing says that it can be kept there.
		c.excluded = ExcludedRegion
		return nil
	}
	price, err := c.offer.PriceTotal(c.usage, d.terms)
	if err != nil {
		c.excluded, err = priceExclusion(err)
		return err
	}
	c.price, c.cost = price, float64(price)
	seconds, speedKnown := c.latency(c.usage.OutputTokens)
	c.cost += seconds * d.set.timeValue

	capable := m.Capabilities.HasAll(d.req.Task.Capabilities...)
	fits := fitsContext(m, c.usage)
	provided, denied := allows(d.set.providers, m.Provider), slices.Contains(d.set.deny, m)
	c.possible = capable && fits && provided && !denied
	c.usable = capable
	exclude := func(is bool, code ReasonCode, forSteps bool) {
		if is && c.excluded == 0 {
			c.excluded = code
		}
		c.usable = c.usable && !(is && forSteps)
	}
	want := &d.req.Constraints
	exclude(!capable, ExcludedCapability, true)
	exclude(!fits, ExcludedContext, false)
	exclude(want.MinContextTokens > 0 && m.ContextWindow < want.MinContextTokens, ExcludedContext, true)
	exclude(!provided || !allows(want.Providers, m.Provider), ExcludedProvider, true)
	exclude(denied || slices.Contains(d.denied, m), ExcludedDenied, true)
	exclude(slices.Contains(d.attempts.refusedBy, m.Provider), ExcludedAttempted, true)
	exclude(slices.Contains(d.attempts.tried, m), ExcludedAttempted, true)
	exclude(c.tier < d.floor || c.tier > d.ceiling, ExcludedTier, false)
	exclude(exceeds(price, d.set.maxCost) || exceeds(price, want.MaxCost), ExcludedCost, false)
	exclude(want.MaxLatency > 0 && (!speedKnown || seconds > want.MaxLatency.Seconds()), ExcludedLatency, false)
	return nil
}

// pinned reports whether a region asks for inference in one place.
func pinned(region string) bool { return region != "" && region != "global" }

// priceExclusion turns an error of pricing into the gate that it stands for. Only
// amounts that do not fit remain errors.
func priceExclusion(err error) (ReasonCode, error) {
	var noPrice *pricing.NoPriceError
	var notInTier *pricing.ServiceTierError
	var notInRegion *pricing.RegionError
	switch {
	case errors.As(err, &noPrice):
		return ExcludedNoPrice, nil
	case errors.As(err, &notInTier):
		return ExcludedServiceTier, nil
	case errors.As(err, &notInRegion):
		return ExcludedRegion, nil
	}
	return 0, fmt.Errorf("price the task: %w", err)
}

// fitsContext reports whether input and answer fit the model's windows. A limit on
// the answer alone does not count: the answer can be asked for in parts.
func fitsContext(m *pricing.Model, u pricing.Usage) bool {
	if m.MaxInputTokens > 0 && u.InputTokens > m.MaxInputTokens {
		return false
	}
	output := u.OutputTokens
	if m.MaxOutputTokens > 0 {
		output = min(output, m.MaxOutputTokens)
	}
	return m.ContextWindow > 0 && u.InputTokens+output <= m.ContextWindow
}

func allows(providers []string, provider string) bool {
	return len(providers) == 0 || slices.Contains(providers, provider)
}

func exceeds(cost pricing.Money, limit *pricing.Money) bool { return limit != nil && cost > *limit }

// expected is the rule: what a call that costs cost on a model of tier t comes to in
// the end, in nano-dollars, where the task needs tier k with chance needs[k−1].
//
//	E(m) = Σ_k needs_k × (cost(m) + f[k][t] × (penalty + retry_k(t)))
func (d *deciding) expected(cost float64, t classifier.Tier, needs chances) float64 {
	total := cost
	for k, chance := range needs {
		if chance > 0 {
			total += chance * d.policy.f[k][t-1] * (d.set.penalty + d.retry(k, t))
		}
	}
	return total
}

// retry is what comes after a failure at tier t of a task that needs tier k+1: the
// next tier up that the policy can reach, and so on; the top tier is retried once
// more, then a person has it. It reads the policy's possible models, not what the
// request leaves of them: a failure costs the same however narrow the request is, so
// that loosening a constraint never raises an expected total.
func (d *deciding) retry(k int, t classifier.Tier) float64 {
	for up := t + 1; up <= classifier.Judgment; up++ {
		if cost := d.cheapest[up-1]; !math.IsInf(cost, 1) {
			return cost + d.policy.f[k][up-1]*(d.set.penalty+d.retry(k, up))
		}
	}
	if cost := d.cheapest[t-1]; !math.IsInf(cost, 1) {
		return cost + d.policy.f[k][t-1]*d.set.penalty
	}
	return 0
}

// failure is the chance that a model of tier t fails.
func (d *deciding) failure(t classifier.Tier, needs chances) float64 {
	var sum float64
	for k, chance := range needs {
		sum += chance * d.policy.f[k][t-1]
	}
	return sum
}

// choose takes the candidate with the lowest expected total.
func (d *deciding) choose() (*candidate, error) {
	if d.attempts.exhausted(d.ceiling) {
		return nil, &ExhaustedError{Failures: d.attempts.failures}
	}
	if d.attempts.failures > 0 {
		// A failure never lowers the tier: what would have been chosen without it is a floor too.
		if before := d.withoutAttempts(); before != nil && before.tier > d.floor {
			d.floor = before.tier
			for i := range d.candidates {
				if c := &d.candidates[i]; c.tier < d.floor && c.excluded == 0 {
					c.excluded = ExcludedTier
				}
			}
		}
	}
	best := d.best(func(c *candidate) bool { return c.excluded == 0 })
	if best == nil {
		return nil, d.noModel()
	}
	return best, nil
}

// best gives the candidate with the lowest total among those that ok accepts; nil
// for none.
func (d *deciding) best(ok func(*candidate) bool) *candidate {
	var best *candidate
	for i := range d.candidates {
		if c := &d.candidates[i]; ok(c) && (best == nil || d.order(c, best) < 0) {
			best = c
		}
	}
	return best
}

// order sorts by expected total to the nano-dollar. Ties go to the cheaper, then to
// the session's model; candidates stand in the policy's order, which decides the
// rest.
func (d *deciding) order(a, b *candidate) int {
	return cmp.Or(
		cmp.Compare(math.Round(a.total), math.Round(b.total)),
		cmp.Compare(a.price, b.price),
		cmp.Compare(d.isCurrent(b), d.isCurrent(a)),
	)
}

func (d *deciding) isCurrent(c *candidate) int {
	if d.current != nil && c.offer.Model == d.current {
		return 1
	}
	return 0
}

// withoutAttempts chooses as if nothing had been tried.
func (d *deciding) withoutAttempts() *candidate {
	fresh := *d
	fresh.attempts = attempts{}
	fresh.weighNeeds()
	if fresh.makeCandidates() != nil {
		return nil
	}
	return fresh.best(func(c *candidate) bool { return c.excluded == 0 })
}

// fallbacks are the other candidates of the tier by their totals, then those of the
// tiers above it.
func (d *deciding) fallbacks(chosen *candidate) []*pricing.Model {
	rest := make([]*candidate, 0, len(d.candidates))
	for i := range d.candidates {
		if c := &d.candidates[i]; c != chosen && c.excluded == 0 && c.tier >= chosen.tier {
			rest = append(rest, c)
		}
	}
	slices.SortStableFunc(rest, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(a.tier, b.tier), d.order(a, b))
	})
	models := make([]*pricing.Model, min(len(rest), maxFallbacks))
	for i := range models {
		models[i] = rest[i].offer.Model
	}
	return models
}

// decision puts the answer together.
func (d *deciding) decision(best *candidate) (Decision, error) {
	estimate, err := d.estimate(best.offer, best.usage)
	if err != nil {
		return Decision{}, err
	}
	base := d.baseline(best)
	baseline := estimate
	if base != best {
		if baseline, err = d.estimate(base.offer, base.usage); err != nil {
			return Decision{}, err
		}
	}
	out := Decision{
		Tier: best.tier, Model: best.offer.Model, Fallbacks: d.fallbacks(best),
		Estimate: estimate, Baseline: baseline,
		Classification: *d.class, Policy: d.policy.name,
		ExpectedTotal: nano(best.total), FailureProbability: d.failure(best.tier, d.needs),
	}
	out.Savings = saved(baseline.Expected, estimate.Expected)
	plan, why, err := d.plan(best)
	if err != nil {
		return Decision{}, err
	}
	if plan != nil {
		plan.Savings = saved(baseline.Expected, plan.Cost)
		if plan.Recommended {
			out.Savings = plan.Savings
		}
		out.Plan = plan
	}
	out.Reasons = d.reasons(best, plan, why)
	return out, nil
}

// baseline is the policy's first judgment-tier model that the task can run on; where
// there is none, that of the highest tier there is.
func (d *deciding) baseline(best *candidate) *candidate {
	base := best
	for i := range d.candidates {
		if c := &d.candidates[i]; c.possible && (c.tier > base.tier || c.tier == base.tier && base == best && c.tier == classifier.Judgment) {
			base = c
		}
		if base != best && base.tier == classifier.Judgment {
			break
		}
	}
	return base
}

// estimate prices a call at three lengths of its answer.
func (d *deciding) estimate(offer pricing.Offer, u pricing.Usage) (Estimate, error) {
	m := offer.Model
	e, err := estimateRange(offer, u, d.class.OutputTokens, d.terms)
	if err != nil {
		return Estimate{}, fmt.Errorf("price the task on %s: %w", m.Ref(), err)
	}
	e.Counter = d.tokens.counter(m)
	return e, nil
}

// nano rounds an expectation to the nano-dollar. It bounds what can't be said.
func nano(v float64) pricing.Money {
	if v >= math.MaxInt64 {
		return math.MaxInt64
	}
	return pricing.Money(math.RoundToEven(v))
}

// saved compares a cost with that of another way.
func saved(other, cost pricing.Money) Savings {
	s := Savings{Amount: other - cost}
	if other > 0 {
		s.Fraction = float64(s.Amount) / float64(other)
	}
	return s
}
