package routing

import (
	"slices"

	"github.com/adjutant-dev/adjutant/pricing"
)

// Models lists the catalogue, sorted by provider and id, with the tier that the
// policy has each model serve.
func (r *Router) Models(req ModelsRequest) ([]ListedModel, error) {
	p, err := r.policyFor(req.Policy, req.Identity)
	if err != nil {
		return nil, err
	}
	var out []ListedModel
	for _, m := range r.catalogue.Models() {
		listed := ListedModel{Model: m, Tier: p.tierOf(m)}
		switch {
		case !req.IncludeRetired && m.RetiredAt(req.AsOf),
			m.Released != 0 && pricing.DateOf(req.AsOf) < m.Released,
			len(req.Providers) > 0 && !slices.Contains(req.Providers, m.Provider),
			len(req.Tiers) > 0 && !slices.Contains(req.Tiers, listed.Tier),
			!m.Capabilities.HasAll(req.Capabilities...),
			m.ContextWindow < req.MinContextTokens:
			continue
		}
		out = append(out, listed)
	}
	return out, nil
}
