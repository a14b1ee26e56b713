package pricing

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Terms are the conditions of a call besides its tokens.
type Terms struct {
	ServiceTier ServiceTier
	// Region pins inference to a geography, "us" or "eu"; "" and "global" do not.
	// A model without regional prices costs the same everywhere.
	Region string
	AsOf   time.Time // the moment whose prices hold; the caller passes its clock
}

// Cost is what a call costs.
type Cost struct {
	Total         Money // the sum of the items, rounded once, half to even
	Items         []LineItem
	EffectiveFrom Date // since when the prices used hold; zero where unknown
	Retired       bool // the provider refuses the model by now; its last price is used
}

// LineItem is one line of a bill. Its rate and amount are exact.
type LineItem struct {
	Kind   Kind
	TTL    time.Duration // of a cache write whose lifetime is known, else 0
	Tokens int64
	rate   amount // of one million tokens... in 1e-24 $ a token
	amount amount
}

// Name gives the kind as answers carry it: cache_write_1h for a write whose
// lifetime is known, the plain kind otherwise.
func (l LineItem) Name() string {
	if l.TTL == 0 {
		return l.Kind.String()
	}
	return l.Kind.String() + "_" + ttlName(l.TTL)
}

// USDPerMillion gives the exact price of a million such tokens, in dollars.
func (l LineItem) USDPerMillion() string { return decimal(l.rate.hi, l.rate.lo, 18) }

// AmountUSD gives the exact, unrounded amount in dollars.
func (l LineItem) AmountUSD() string { return l.amount.String() }

func ttlName(ttl time.Duration) string {
	s := ttl.String()
	s = strings.TrimSuffix(s, "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// NoPriceError says that the catalogue has no price for a model at a time.
type NoPriceError struct {
	Model string // provider/id
	AsOf  time.Time
	Msg   string
}

func (e *NoPriceError) Error() string {
	return fmt.Sprintf("%s has no known price on %s: %s", e.Model, DateOf(e.AsOf), e.Msg)
}

// ServiceTierError says that a model is not sold in a service tier.
type ServiceTierError struct {
	Model   string // provider/id
	Tier    ServiceTier
	Offered []ServiceTier // Standard included
}

func (e *ServiceTierError) Error() string {
	names := make([]string, len(e.Offered))
	for i, t := range e.Offered {
		names[i] = t.String()
	}
	return fmt.Sprintf("%s is not offered in service tier %s; it is in %s", e.Model, e.Tier, strings.Join(names, ", "))
}

// RegionError says that a model has regional prices, but none for a region.
type RegionError struct {
	Model   string // provider/id
	Region  string
	Offered []string // besides "" and "global"
}

func (e *RegionError) Error() string {
	return fmt.Sprintf("%s has no price for region %q; it has for %s, and without a region", e.Model, e.Region, strings.Join(e.Offered, ", "))
}

// Price gives the cost of u under t, item by item.
func (o Offer) Price(u Usage, t Terms) (Cost, error) { return Cost{}, errors.New("not yet") }

// PriceTotal gives the total that [Offer.Price] gives, without its items. It
// allocates nothing unless it fails.
func (o Offer) PriceTotal(u Usage, t Terms) (Money, error) { return 0, errors.New("not yet") }
