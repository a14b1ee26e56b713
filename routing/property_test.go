package routing

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// trials is how many random requests each property is tried on.
const trials = 3000

// random makes requests. Equal seeds make equal requests, so a failure repeats.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

func (r random) chance(p float64) bool { return r.Float64() < p }

func (r random) tier() classifier.Tier { return classifier.Tier(1 + r.IntN(classifier.Tiers)) }

func (r random) model() *pricing.Model {
	models := pricing.Default().Models()
	if r.chance(0.8) { // mostly one that the policy uses
		served := Default().policies[DefaultPolicy].models
		return served[r.IntN(len(served))].offer.Model
	}
	return models[r.IntN(len(models))]
}

func (r random) classification() classifier.Classification {
	var p [classifier.Tiers]float64
	var sum float64
	for k := range p {
		p[k] = r.ExpFloat64()
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	best := slices.Index(p[:], slices.Max(p[:]))
	median := int64(5 << r.IntN(11))
	c := classifier.Classification{
		Tier: classifier.Tier(best + 1), Confidence: p[best], Probabilities: p,
		OutputTokens: classifier.TokenRange{Low: median / 3, Median: median, High: 3 * median, Mean: median * 3 / 2},
	}
	if r.chance(0.3) {
		c.SplitProbability = r.Float64()
	}
	return c
}

func (r random) request() Request {
	req := Request{
		Task: Task{Task: classifier.Prompt("a task of some length")},
		AsOf: time.Date(2026, 11, 25, r.IntN(24), 0, 0, 0, time.UTC),
		Plan: PlanMode(r.IntN(3)),
	}
	if r.chance(0.5) {
		req.Task.Material.InputTokens = int64(1) << r.IntN(21)
	}
	if r.chance(0.2) {
		req.Task.Stage = classifier.Stage(1 + r.IntN(classifier.Stages))
	}
	if r.chance(0.2) {
		req.Task.Capabilities = []pricing.Capability{pricing.CapabilityVision}
	}
	if r.chance(0.3) {
		req.Session.CurrentModel = r.model().Ref()
		req.Session.CachedInputTokens = int64(r.IntN(100_000))
	}
	if r.chance(0.2) {
		req.Policy = "attended"
	}
	req.Constraints = r.constraints()
	return req
}

func (r random) constraints() Constraints {
	var c Constraints
	if r.chance(0.3) {
		limit := pricing.Money(1_000 << r.IntN(20))
		c.MaxCost = &limit
	}
	if r.chance(0.2) {
		c.MinTier = r.tier()
	}
	if r.chance(0.2) {
		c.MaxTier = max(r.tier(), c.MinTier)
	}
	if r.chance(0.2) {
		c.Providers = []string{[]string{"anthropic", "openai", "google"}[r.IntN(3)]}
	}
	if r.chance(0.3) {
		c.DeniedModels = []string{r.model().Ref()}
	}
	if r.chance(0.1) {
		c.MinContextTokens = int64(1) << r.IntN(22)
	}
	return c
}

// loosened drops or widens one constraint at random.
func (r random) loosened(c Constraints) Constraints {
	switch r.IntN(6) {
	case 0:
		if c.MaxCost != nil {
			limit := *c.MaxCost * 2
			c.MaxCost = &limit
		}
	case 1:
		c.MinTier = 0
	case 2:
		c.MaxTier = 0
	case 3:
		c.Providers = nil
	case 4:
		c.DeniedModels = nil
	case 5:
		c.MinContextTokens /= 2
	}
	return c
}

// decide gives nil where nothing fits; every other error ends the test.
func decide(t *testing.T, r *Router, req Request, c classifier.Classification) *Decision {
	t.Helper()
	d, err := r.Decide(t.Context(), req, c)
	var noModel *NoModelError
	var exhausted *ExhaustedError
	switch {
	case errors.As(err, &noModel), errors.As(err, &exhausted):
		return nil
	case err != nil:
		t.Fatalf("%+v: %v", req, err)
	}
	return &d
}

func TestLooserConstraintNeverRaisesExpectedTotal(t *testing.T) {
	r := newRandom(1)
	compared := 0
	for range trials {
		req, c := r.request(), r.classification()
		if r.chance(0.3) {
			req.Session.Attempts = []Attempt{{Model: r.model().Ref(), Outcome: Outcome(1 + r.IntN(5))}}
		}
		tight := decide(t, Default(), req, c)
		req.Constraints = r.loosened(req.Constraints)
		loose := decide(t, Default(), req, c)
		switch {
		case tight == nil:
			continue
		case loose == nil:
			t.Fatalf("a looser constraint left no model: %+v", req)
		case loose.ExpectedTotal > tight.ExpectedTotal:
			t.Fatalf("a looser constraint raised the expected total from %s (%s) to %s (%s): %+v",
				tight.ExpectedTotal, tight.Model.ID, loose.ExpectedTotal, loose.Model.ID, req)
		}
		compared++
	}
	if compared < trials/2 {
		t.Fatalf("only %d of %d requests had an answer", compared, trials)
	}
}

func TestFailedAttemptNeverLowersTier(t *testing.T) {
	r := newRandom(2)
	compared := 0
	for range trials {
		req, c := r.request(), r.classification()
		before := decide(t, Default(), req, c)
		outcome := Failed
		if r.chance(0.5) {
			outcome = Stalled
		}
		req.Session.Attempts = []Attempt{{Model: r.model().Ref(), Outcome: outcome}}
		after := decide(t, Default(), req, c)
		if before == nil || after == nil {
			continue
		}
		compared++
		if after.Tier < before.Tier {
			t.Fatalf("a failed attempt lowered the tier from %s to %s: %+v", before.Tier, after.Tier, req)
		}
	}
	if compared < trials/3 {
		t.Fatalf("only %d of %d requests had both answers", compared, trials)
	}
}

func TestRaisingPenaltyNeverLowersTier(t *testing.T) {
	r := newRandom(3)
	base := DefaultPolicies()
	penalties := []dollars{0, 1_000_000, 20_000_000, 500_000_000, 10_000_000_000, 1_000_000_000_000}
	routers := make([]*Router, len(penalties))
	for i := range penalties {
		policies := &Policies{written: map[string]writtenPolicy{}}
		for name, written := range base.written {
			written.Penalty = &penalties[i]
			policies.written[name] = written
		}
		var err error
		if routers[i], err = New(classifier.Default(), pricing.Default(), policies); err != nil {
			t.Fatal(err)
		}
	}
	for range trials / 2 {
		req, c := r.request(), r.classification()
		var last *Decision
		for i, router := range routers {
			d := decide(t, router, req, c)
			if d != nil && last != nil && d.Tier < last.Tier {
				t.Fatalf("a penalty of %s lowered the tier from %s to %s: %+v", pricing.Money(penalties[i]), last.Tier, d.Tier, req)
			}
			if d != nil {
				last = d
			}
		}
	}
}

func TestChosenModelSatisfiesEveryGate(t *testing.T) {
	r := newRandom(4)
	for range trials {
		req, c := r.request(), r.classification()
		req.Identity.MaxTier = classifier.Tier(r.IntN(classifier.Tiers + 1))
		d := decide(t, Default(), req, c)
		if d == nil {
			continue
		}
		want := req.Constraints
		for _, m := range append([]*pricing.Model{d.Model}, d.Fallbacks...) {
			tier := Default().policies[DefaultPolicy].tierOf(m)
			offer, err := Default().Catalogue().Resolve(m.Ref())
			if err != nil {
				t.Fatal(err)
			}
			u := d.Estimate.Usage
			switch {
			case m.RetiredAt(req.AsOf):
				t.Fatalf("%s is retired: %+v", m.ID, req)
			case len(want.Providers) > 0 && !slices.Contains(want.Providers, m.Provider):
				t.Fatalf("%s is of another provider: %+v", m.ID, req)
			case slices.Contains(want.DeniedModels, m.Ref()):
				t.Fatalf("%s is denied: %+v", m.ID, req)
			case want.MinTier != 0 && tier < want.MinTier, want.MaxTier != 0 && tier > want.MaxTier:
				t.Fatalf("%s serves %s: %+v", m.ID, tier, req)
			case req.Identity.MaxTier != 0 && tier > req.Identity.MaxTier:
				t.Fatalf("%s serves %s, above the identity's %s: %+v", m.ID, tier, req.Identity.MaxTier, req)
			case m.ContextWindow < want.MinContextTokens:
				t.Fatalf("%s has a window of %d: %+v", m.ID, m.ContextWindow, req)
			case !m.Capabilities.HasAll(req.Task.Capabilities...):
				t.Fatalf("%s lacks a capability: %+v", m.ID, req)
			case m == d.Model && u.InputTokens+u.OutputTokens > m.ContextWindow && u.OutputTokens <= m.MaxOutputTokens:
				t.Fatalf("%s can't hold %d + %d tokens: %+v", m.ID, u.InputTokens, u.OutputTokens, req)
			case tier < d.Tier:
				t.Fatalf("the fallback %s serves %s, below %s: %+v", m.ID, tier, d.Tier, req)
			}
			if m == d.Model && want.MaxCost != nil && d.Estimate.Expected > *want.MaxCost {
				t.Fatalf("%s costs %s, above %s: %+v", offer.Model.ID, d.Estimate.Expected, *want.MaxCost, req)
			}
		}
	}
}

func TestDecisionIsDeterministicAndAddsUp(t *testing.T) {
	r := newRandom(5)
	for range trials {
		req, c := r.request(), r.classification()
		d, again := decide(t, Default(), req, c), decide(t, Default(), req, c)
		if !reflect.DeepEqual(d, again) {
			t.Fatalf("equal requests, different decisions: %+v", req)
		}
		if d == nil {
			continue
		}
		if d.Estimate.Low > d.Estimate.Expected || d.Estimate.Expected > d.Estimate.High {
			t.Fatalf("low %s, expected %s, high %s are out of order: %+v", d.Estimate.Low, d.Estimate.Expected, d.Estimate.High, req)
		}
		spent := d.Estimate.Expected
		if p := d.Plan; p != nil {
			sum := p.Steps[0].Estimate.Expected + p.Steps[1].Estimate.Expected
			if p.Recommended && p.Cost != sum {
				t.Fatalf("the steps cost %s, the plan %s: %+v", sum, p.Cost, req)
			}
			if p.Recommended {
				spent = p.Cost
				if req.Plan != PlanAlways && p.ExpectedTotal > d.ExpectedTotal {
					t.Fatalf("a plan of %s is recommended against %s: %+v", p.ExpectedTotal, d.ExpectedTotal, req)
				}
			}
		}
		if d.Savings.Amount != d.Baseline.Expected-spent {
			t.Fatalf("savings %s, but %s − %s: %+v", d.Savings.Amount, d.Baseline.Expected, spent, req)
		}
	}
}
