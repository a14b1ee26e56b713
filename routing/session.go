package routing

import (
	"fmt"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// attempts is what earlier tries at the task show.
type attempts struct {
	tried     []*pricing.Model  // failed, stalled or unavailable
	refusedBy []string          // providers
	failedAt  []classifier.Tier // tiers of the policy that failed or stalled
	failures  int
	// floor is the lowest tier that is left: above the failed ones, not below an
	// unavailable one. It may be one above the top, which means: another of the top.
	floor classifier.Tier
}

// readSession resolves the session's names and sums its attempts up.
func (d *deciding) readSession() error {
	session := &d.req.Session
	if session.CurrentModel != "" {
		offer, err := d.router.catalogue.Resolve(session.CurrentModel)
		if err != nil {
			return fieldOf("session.current_model", err)
		}
		d.current = offer.Model
		if session.CacheAge <= defaultCacheLife {
			d.cached = session.CachedInputTokens
		}
	}
	a := &d.attempts
	for i, attempt := range session.Attempts {
		offer, err := d.router.catalogue.Resolve(attempt.Model)
		if err != nil {
			return fieldOf(fmt.Sprintf("session.attempts[%d].model", i), err)
		}
		tier := d.policy.tierOf(offer.Model) // 0: the policy does not use it
		switch attempt.Outcome {
		case Failed, Stalled:
			a.failures++
			a.tried = append(a.tried, offer.Model)
			if tier != 0 {
				a.failedAt = append(a.failedAt, tier)
				a.floor = max(a.floor, tier+1)
			}
		case Unavailable:
			a.tried = append(a.tried, offer.Model)
			a.floor = max(a.floor, tier)
		case Refused:
			a.refusedBy = append(a.refusedBy, offer.Model.Provider)
		}
	}
	return nil
}

// tierOf is the tier that the policy has a model serve; 0 for none.
func (p *policy) tierOf(m *pricing.Model) classifier.Tier {
	for i := range p.models {
		if p.models[i].offer.Model == m {
			return p.models[i].tier
		}
	}
	return 0
}

// condition gives the probabilities after what failed: by Bayes, a failure at tier t
// makes a need k as much likelier as a model of t fails it more.
func (a *attempts) condition(p chances, pol *policy) chances {
	for _, t := range a.failedAt {
		var sum float64
		weighted := p
		for k := range weighted {
			weighted[k] *= pol.f[k][t-1]
			sum += weighted[k]
		}
		if sum == 0 { // it can't have failed, and did: the next tier up it is
			weighted, sum = chances{}, 1
			weighted[min(t, classifier.Judgment-1)] = 1
		}
		for k := range weighted {
			p[k] = weighted[k] / sum
		}
	}
	return p
}

// exhausted reports whether the highest tier that is allowed has failed twice: once,
// and once more on another model of it.
func (a *attempts) exhausted(ceiling classifier.Tier) bool {
	top := 0
	for _, t := range a.failedAt {
		if t >= ceiling {
			top++
		}
	}
	return top >= 2
}
