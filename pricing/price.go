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
	// Region pins inference to a geography, "us" or "eu"; "" and "global" do not. A
	// model without regional prices costs the same everywhere, and a name of Bedrock's
	// or of a regional deployment says its region itself: for both it changes nothing.
	Region string
	AsOf   time.Time // the moment whose prices hold; must be set
}

// ErrNoAsOf says that [Terms.AsOf] was left zero.
var ErrNoAsOf = errors.New("as_of is not set: prices hold at a time")

// Cost is what a call costs.
type Cost struct {
	Total         Money      // the sum of the items, rounded once, half to even
	Items         []LineItem // one for each kind of token that there is
	EffectiveFrom Date       // since when the prices used hold; zero where unknown
	Retired       bool       // the provider refuses the model by now; its last price is used
	sum           amount     // Total before it was rounded
}

// Times gives the cost of so many equal calls, a month's bill for one: the exact
// cost times calls, rounded once. Calls must not be negative.
func (c Cost) Times(calls int64) (Money, error) {
	if calls < 0 {
		return 0, errors.New("calls must not be negative")
	}
	sum, err := c.sum.times(calls)
	if err != nil {
		return 0, err
	}
	return sum.round()
}

// LineItem is one line of a bill. Its rate and amount are exact.
type LineItem struct {
	Kind   Kind
	TTL    time.Duration // of a cache write whose lifetime is known, else 0
	Tokens int64
	rate   amount // of one token
	amount amount
}

// Name gives the kind as answers carry it: cache_write_1h for a write whose
// lifetime is known, the plain kind otherwise.
func (l LineItem) Name() string {
	if l.TTL == 0 {
		return l.Kind.String()
	}
	return l.Kind.String() + "_" + lifetime(l.TTL)
}

// USDPerMillion gives the exact price of a million such tokens, in dollars.
func (l LineItem) USDPerMillion() string { return decimal(l.rate.hi, l.rate.lo, 18) }

// AmountUSD gives the exact, unrounded amount in dollars.
func (l LineItem) AmountUSD() string { return l.amount.String() }

// lifetime writes a duration as 5m, 1h, 90s.
func lifetime(ttl time.Duration) string {
	s := ttl.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// NoPriceError says that the catalogue has no price for a model at a time.
type NoPriceError struct {
	Model string // provider/id
	AsOf  time.Time
	Msg   string // what is known instead
}

// Error names the model, the date and what is known instead.
func (e *NoPriceError) Error() string {
	return fmt.Sprintf("%s has no known price on %s: %s", e.Model, DateOf(e.AsOf), e.Msg)
}

// ServiceTierError says that a model is not sold in a service tier.
type ServiceTierError struct {
	Model   string // provider/id
	Tier    ServiceTier
	Offered []ServiceTier // at that time, Standard first
}

// Error names the model, the tier and those it is offered in.
func (e *ServiceTierError) Error() string {
	names := make([]string, len(e.Offered))
	for i, t := range e.Offered {
		names[i] = t.String()
	}
	return fmt.Sprintf("%s is not offered in service tier %s; it is in: %s", e.Model, e.Tier, strings.Join(names, ", "))
}

// RegionError says that a model has regional prices, but none for a region.
type RegionError struct {
	Model   string // provider/id
	Region  string
	Offered []string
}

// Error names the model, the region and those it has prices for.
func (e *RegionError) Error() string {
	return fmt.Sprintf("%s has no price for region %q; it has for: %s, global", e.Model, e.Region, strings.Join(e.Offered, ", "))
}

// Price gives the cost of u under t, item by item. It fails with one or more
// [*UsageError], with [*NoPriceError], [*ServiceTierError], [*RegionError],
// [ErrNoAsOf] or [ErrOverflow].
func (o Offer) Price(u Usage, t Terms) (Cost, error) {
	bill := bill{items: make([]LineItem, 0, int(numKinds)+len(u.CacheWrites))}
	sheet, err := o.bill(&u, &t, &bill)
	if err != nil {
		return Cost{}, err
	}
	total, err := bill.sum.round()
	if err != nil {
		return Cost{}, err
	}
	since := sheet.period.From
	if since == 0 {
		since = o.Model.Released
	}
	return Cost{Total: total, Items: bill.items, EffectiveFrom: since, Retired: o.Model.RetiredAt(t.AsOf), sum: bill.sum}, nil
}

// PriceTotal gives the total that [Offer.Price] gives, without its items. It
// allocates nothing unless it fails.
func (o Offer) PriceTotal(u Usage, t Terms) (Money, error) {
	var bill bill
	if _, err := o.bill(&u, &t, &bill); err != nil {
		return 0, err
	}
	return bill.sum.round()
}

// bill adds up line items; it keeps them if items is not nil.
type bill struct {
	sum      amount
	items    []LineItem
	overflow bool
}

func (b *bill) add(kind Kind, ttl time.Duration, tokens int64, rate Rate, by Multiplier) {
	if tokens == 0 {
		return
	}
	amount, err := price(tokens, rate, by)
	if err == nil {
		b.sum, err = b.sum.plus(amount)
	}
	if err != nil {
		b.overflow = true
		return
	}
	if b.items != nil {
		one, _ := price(1, rate, by)
		b.items = append(b.items, LineItem{Kind: kind, TTL: ttl, Tokens: tokens, rate: one, amount: amount})
	}
}

// bill prices every part of u and adds it to b. The parts are disjoint and sum to
// the two totals of u.
func (o Offer) bill(u *Usage, t *Terms, b *bill) (sheet, error) {
	if !u.plausible() {
		return sheet{}, u.contradictions()
	}
	s, err := o.sheet(u.InputTokens, t)
	if err != nil {
		return s, err
	}
	add := func(kind Kind, tokens int64) {
		if tokens != 0 {
			rate, by := s.of(kind)
			b.add(kind, 0, tokens, rate, by)
		}
	}
	add(KindInput, u.InputTokens-(u.CacheReadTokens-u.CacheReadAudioTokens)-u.CacheWriteTokens-u.InputAudioTokens-u.InputImageTokens)
	add(KindCacheRead, u.CacheReadTokens-u.CacheReadAudioTokens)
	unknown := u.CacheWriteTokens
	for _, w := range u.CacheWrites {
		unknown -= w.Tokens
	}
	add(KindCacheWrite, unknown)
	for _, w := range u.CacheWrites {
		rate, by := s.ofWrite(w.TTL)
		b.add(KindCacheWrite, w.TTL, w.Tokens, rate, by)
	}
	add(KindInputAudio, u.InputAudioTokens-u.CacheReadAudioTokens)
	add(KindCacheReadAudio, u.CacheReadAudioTokens)
	add(KindInputImage, u.InputImageTokens)
	add(KindOutput, u.OutputTokens-u.ReasoningTokens-u.OutputAudioTokens-u.OutputImageTokens)
	add(KindReasoning, u.ReasoningTokens)
	add(KindOutputAudio, u.OutputAudioTokens)
	add(KindOutputImage, u.OutputImageTokens)
	if b.overflow {
		return s, ErrOverflow
	}
	return s, nil
}

// sheet is the price list that holds for one call.
type sheet struct {
	period   *Period
	standard *Rates
	tier     *TierPrice // nil for Standard
	rates    *Rates     // of a tier that states its own rates, else nil
	by       Multiplier // of region and host
}

// sheet finds the price list for a call with so many input tokens.
func (o Offer) sheet(inputTokens int64, t *Terms) (sheet, error) {
	m := o.Model
	if t.AsOf.IsZero() {
		return sheet{}, ErrNoAsOf
	}
	period := m.PeriodAt(DateOf(t.AsOf))
	if period == nil {
		return sheet{}, m.noPrice(t.AsOf)
	}
	s := sheet{period: period, standard: &period.Rates, by: o.by}
	if s.by == 0 { // an Offer that was not made by this package
		s.by = Unchanged
	}
	if band := reached(period.Bands, inputTokens); band != nil {
		s.standard = &band.Rates
	}
	for i := range period.Hours {
		if period.Hours[i].holds(t.AsOf) {
			s.standard = &period.Hours[i].Rates
			break
		}
	}
	if t.ServiceTier != Standard {
		s.tier = m.TierAt(t.ServiceTier, DateOf(t.AsOf))
		if s.tier == nil {
			return s, m.noTier(t.ServiceTier, t.AsOf)
		}
		if s.tier.By == 0 {
			s.rates = &s.tier.Rates
			if band := reached(s.tier.Bands, inputTokens); band != nil {
				s.rates = &band.Rates
			}
		}
	}
	if !o.pinned() && len(m.Regions) > 0 && t.Region != "" && !strings.EqualFold(t.Region, "global") {
		region := m.region(t.Region)
		if region == nil {
			return s, m.noRegion(t.Region)
		}
		by, ok := s.by.times(region.By)
		if !ok {
			return s, ErrOverflow // excluded when the catalogue was loaded
		}
		s.by = by
	}
	return s, nil
}

// of gives the rate of a kind and what scales it. A kind that has no rate of its
// own in the tier keeps its standard one; without that either, it costs what its
// parent costs in the tier.
func (s *sheet) of(k Kind) (Rate, Multiplier) {
	if k == KindCacheWrite {
		return s.ofWrite(0)
	}
	if s.rates != nil {
		if rate, stated := s.rates.Of(k); stated {
			return rate, s.by
		}
	}
	if rate, stated := s.standard.Of(k); stated || k == KindInput || k == KindOutput {
		return rate, s.scaled(k)
	}
	return s.of(k.parent())
}

// ofWrite is of for a cache write of a known lifetime.
func (s *sheet) ofWrite(ttl time.Duration) (Rate, Multiplier) {
	if s.rates != nil {
		if rate, stated := s.rates.OfWrite(ttl); stated {
			return rate, s.by
		}
	}
	if rate, stated := s.standard.OfWrite(ttl); stated {
		return rate, s.scaled(KindCacheWrite)
	}
	return s.of(KindInput)
}

// scaled gives the multiplier for a kind at its standard rate.
func (s *sheet) scaled(k Kind) Multiplier {
	if s.tier == nil || s.tier.By == 0 || s.tier.Scales&(1<<k) == 0 {
		return s.by
	}
	by, _ := s.by.times(s.tier.By) // exact: checked when the catalogue was loaded
	return by
}

// reached gives the last band that a request with so many input tokens is in.
func reached(bands []Band, inputTokens int64) *Band {
	for i := len(bands) - 1; i >= 0; i-- {
		if inputTokens > bands[i].Over {
			return &bands[i]
		}
	}
	return nil
}

// holds reports whether t lies in the window.
func (w *Window) holds(t time.Time) bool {
	t = t.UTC()
	if w.Days&(1<<t.Weekday()) == 0 {
		return false
	}
	clock := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	return w.From <= clock && clock < w.To
}

// PeriodAt gives the prices that hold on d, nil if none are known.
func (m *Model) PeriodAt(d Date) *Period {
	for i := len(m.Periods) - 1; i >= 0; i-- {
		if p := &m.Periods[i]; within(d, p.From, p.Until) {
			return p
		}
	}
	return nil
}

// TierAt gives the price of a service tier on d, nil if it is not offered.
func (m *Model) TierAt(tier ServiceTier, d Date) *TierPrice {
	for i := range m.Tiers {
		if p := &m.Tiers[i]; p.Tier == tier && within(d, p.From, p.Until) {
			return p
		}
	}
	return nil
}

func within(d, from, until Date) bool {
	return (from == 0 || d >= from) && (until == 0 || d < until)
}

func (m *Model) region(name string) *RegionPrice {
	for i := range m.Regions {
		if strings.EqualFold(m.Regions[i].Region, name) {
			return &m.Regions[i]
		}
	}
	return nil
}

// ServiceTiers gives the tiers that the model is offered in at t, Standard first.
func (m *Model) ServiceTiers(t time.Time) []ServiceTier {
	offered := []ServiceTier{Standard}
	for tier := Standard + 1; tier < numServiceTiers; tier++ {
		if m.TierAt(tier, DateOf(t)) != nil {
			offered = append(offered, tier)
		}
	}
	return offered
}

func (m *Model) noTier(tier ServiceTier, at time.Time) error {
	return &ServiceTierError{Model: m.Ref(), Tier: tier, Offered: m.ServiceTiers(at)}
}

func (m *Model) noRegion(region string) error {
	e := &RegionError{Model: m.Ref(), Region: region}
	for _, r := range m.Regions {
		e.Offered = append(e.Offered, r.Region)
	}
	return e
}

func (m *Model) noPrice(at time.Time) error {
	e := &NoPriceError{Model: m.Ref(), AsOf: at, Msg: "its last price ended before"}
	for _, p := range m.Periods {
		if p.From > DateOf(at) {
			e.Msg = "its next price holds from " + p.From.String()
			break
		}
	}
	return e
}
