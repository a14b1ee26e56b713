package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/internal/strictyaml"
	"github.com/adjutant-dev/adjutant/pricing"
)

// chances holds one probability a tier, indexed by tier − 1.
type chances [classifier.Tiers]float64

// policy is a policy compiled against a catalogue: what the rule reads.
type policy struct {
	name   string
	models []servedModel // by tier, then in the policy's order
	f      [classifier.Tiers]chances
	q      chances // the chance that a plan by a tier is no good
	plan   planSpec
	design classifier.Tier // the tier that design takes
	rules  []rule
	settings
}

// settings are what a rule of the policy can change for a task.
type settings struct {
	floor, ceiling classifier.Tier
	penalty        float64 // nano-dollars
	timeValue      float64 // nano-dollars a second
	maxCost        *pricing.Money
	providers      []string // empty: all
	deny           []*pricing.Model
	region         string
}

// servedModel is a model that the policy has serve a tier.
type servedModel struct {
	offer pricing.Offer
	tier  classifier.Tier
	speed *modelSpeed // nil: not stated
}

// latency is the expected time to the whole answer; ok is false where the policy
// does not state the model's speed.
func (m *servedModel) latency(outputTokens int64) (seconds float64, ok bool) {
	if m.speed == nil {
		return 0, false
	}
	return m.speed.FirstToken.Seconds() + float64(outputTokens)/m.speed.TokensPerSecond, true
}

// Default gives the router over everything that is embedded, made once.
func Default() *Router { return defaultRouter() }

var defaultRouter = sync.OnceValue(func() *Router {
	r, err := New(classifier.Default(), pricing.Default(), DefaultPolicies())
	if err != nil {
		panic(fmt.Sprintf("routing: the embedded policies do not fit the embedded catalogue: %v", err)) // a test makes it
	}
	return r
})

// New compiles policies, which are free of mistakes of their own, against a catalogue. The error joins every mistake, each a
// [*strictyaml.Error] with the policy file's line.
func New(c *classifier.Classifier, catalogue *pricing.Catalogue, policies *Policies) (*Router, error) {
	r := &Router{classifier: c, catalogue: catalogue, policies: make(map[string]*policy, len(policies.written))}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(policies.written)) {
		written := policies.written[name]
		compiled, err := written.compile(name, catalogue)
		errs = append(errs, err)
		r.policies[name] = compiled
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r.snapshot = digest(c.Version(), catalogue.Digest(), policies.files)
	return r, nil
}

// digest names what was loaded together. Lengths keep parts apart.
func digest(classifierVersion, catalogueDigest string, files []PolicyFile) string {
	h := sha256.New()
	part := func(s string) { fmt.Fprintf(h, "%d:%s", len(s), s) }
	part(classifierVersion)
	part(catalogueDigest)
	for _, file := range files {
		part(string(file.Data))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// compile resolves names and conditions, and reports every one that it can't.
func (w *writtenPolicy) compile(name string, catalogue *pricing.Catalogue) (*policy, error) {
	var errs []error
	wrong := func(path, format string, args ...any) {
		errs = append(errs, w.doc.Errorf(w.path+path, format, args...))
	}
	resolve := func(path, model string) (pricing.Offer, bool) {
		offer, err := catalogue.Resolve(model)
		if err != nil {
			wrong(path, "%v", err)
		}
		return offer, err == nil
	}
	p := &policy{
		name:   name,
		f:      w.Failure.array(),
		q:      chances{1, w.Plan.Failure.Making, w.Plan.Failure.Judgment},
		plan:   *w.Plan,
		design: classifier.Judgment,
		settings: settings{
			floor: classifier.Repetition, ceiling: classifier.Judgment,
			penalty: float64(*w.Penalty), providers: w.Providers,
		},
	}
	setTier(&p.design, w.DesignTier)
	setTier(&p.floor, w.Floor)
	setTier(&p.ceiling, w.Ceiling)
	if w.ValueOfTime != nil {
		p.timeValue = float64(*w.ValueOfTime) / time.Hour.Seconds()
	}
	if w.MaxCost != nil {
		p.maxCost = (*pricing.Money)(w.MaxCost)
	}
	if w.Region != nil {
		p.region = *w.Region
	}
	speeds := map[*pricing.Model]*modelSpeed{}
	for _, model := range slices.Sorted(maps.Keys(w.Speed)) {
		if offer, ok := resolve(strictyaml.Key(".speed", model), model); ok {
			speed := w.Speed[model]
			speeds[offer.Model] = &speed
		}
	}
	tiers := map[*pricing.Model]classifier.Tier{}
	for tier := classifier.Repetition; tier <= classifier.Judgment; tier++ {
		for i, model := range w.Tiers.of(tier) {
			path := strictyaml.Index(".tiers."+tier.String(), i)
			offer, ok := resolve(path, model)
			if !ok {
				continue
			}
			if other := tiers[offer.Model]; other != 0 {
				wrong(path, "%s serves %s already: a model serves one tier", offer.Model.Ref(), other)
				continue
			}
			tiers[offer.Model] = tier
			p.models = append(p.models, servedModel{offer: offer, tier: tier, speed: speeds[offer.Model]})
		}
	}
	p.deny = w.resolveDenied(".deny", w.Deny, resolve)
	for i, spec := range w.Rules {
		compiled := w.rules[i]
		compiled.deny = w.resolveDenied(strictyaml.Index(".rules", i)+".deny", spec.Deny, resolve)
		p.rules = append(p.rules, compiled)
	}
	providers := map[string]bool{}
	for _, m := range catalogue.Models() {
		providers[m.Provider] = true
	}
	known := slices.Sorted(maps.Keys(providers))
	for i, provider := range w.Providers {
		if !providers[provider] {
			wrong(strictyaml.Index(".providers", i), "the catalogue has no provider %q: it has %s%s", provider, strings.Join(known, ", "), didYouMean(provider, known))
		}
	}
	return p, errors.Join(errs...)
}

func (w *writtenPolicy) resolveDenied(path string, names []string, resolve func(path, model string) (pricing.Offer, bool)) []*pricing.Model {
	var models []*pricing.Model
	for i, name := range names {
		if offer, ok := resolve(strictyaml.Index(path, i), name); ok {
			models = append(models, offer.Model)
		}
	}
	return models
}

func setTier(tier *classifier.Tier, written *tierName) {
	if written != nil {
		*tier = classifier.Tier(*written)
	}
}
