package routing

import (
	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// usageOf is what a call on m uses: its input, and an answer of visible tokens with
// the allowance for thinking on top.
func usageOf(m *pricing.Model, input, visible int64) pricing.Usage {
	thinking := m.ReasoningAllowance(visible)
	return pricing.Usage{InputTokens: input, OutputTokens: visible + thinking, ReasoningTokens: thinking}
}

// estimateRange prices one call at the 10th percentile of its answer's length, as u
// has it, and at the 90th percentile. The input is the same in all three.
func estimateRange(offer pricing.Offer, u pricing.Usage, lengths classifier.TokenRange, terms pricing.Terms) (Estimate, error) {
	e := Estimate{Model: offer.Model, Usage: u}
	var err error
	if e.Cost, err = offer.Price(u, terms); err != nil {
		return Estimate{}, err
	}
	e.Expected = e.Cost.Total
	at := func(visible int64) (pricing.Money, error) {
		v := usageOf(offer.Model, u.InputTokens, visible)
		v.CacheReadTokens = u.CacheReadTokens
		if v.OutputTokens == u.OutputTokens {
			return e.Expected, nil
		}
		return offer.PriceTotal(v, terms)
	}
	if e.Low, err = at(lengths.Low); err != nil {
		return Estimate{}, err
	}
	if e.High, err = at(lengths.High); err != nil {
		return Estimate{}, err
	}
	return e, nil
}
