package pricing

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Way is another way to buy the same calls.
type Way uint8

// The ways, all answers being equal.
const (
	WayCache Way = iota + 1 // the first call writes what the calls share to the prompt cache, the others read it
	WayBatch                // the batch tier: answered within a day
	WayFlex                 // the flex tier: slower, may be refused
)

var wayNames = [...]string{WayCache: "cache", WayBatch: "batch", WayFlex: "flex"}

// String gives cache, batch or flex.
func (w Way) String() string {
	if int(w) < len(wayNames) && w != 0 {
		return wayNames[w]
	}
	return fmt.Sprintf("way %d", uint8(w))
}

// Alternative is a way that costs less, and what it costs for all calls.
type Alternative struct {
	Way   Way
	Total Money
}

// Repeat describes calls that are made more than once.
type Repeat struct {
	Calls        int64         // how many, at least 1
	SharedTokens int64         // the input tokens at the front that are the same in all of them
	TTL          time.Duration // how long they must stay cached; 0: the provider's default
}

// Cached gives the cost of r.Calls calls of u each where the first writes the shared
// tokens to the prompt cache and the others read them. U is one call without the
// cache: its own cache counts must be 0. The price is the model's for writes and
// reads; that every call after the first finds the cache warm is assumed.
func (o Offer) Cached(u Usage, t Terms, r Repeat) (Money, error) {
	if r.Calls < 1 {
		return 0, &UsageError{Field: "calls", Msg: "must be at least 1"}
	}
	if u.CacheReadTokens != 0 || u.CacheWriteTokens != 0 {
		return 0, &UsageError{Field: "cache_read_tokens", Msg: "must be 0, like cache_write_tokens, to tell what a cache would save"}
	}
	first, later := u, u
	first.CacheWriteTokens = r.SharedTokens
	if r.TTL != 0 {
		first.CacheWrites = []CacheWrite{{r.TTL, r.SharedTokens}}
	}
	later.CacheReadTokens = r.SharedTokens
	var write, read bill
	if _, err := o.bill(&first, &t, &write); err != nil {
		return 0, err
	}
	if _, err := o.bill(&later, &t, &read); err != nil {
		return 0, err
	}
	reads, err := read.sum.times(r.Calls - 1)
	if err != nil {
		return 0, err
	}
	sum, err := write.sum.plus(reads)
	if err != nil {
		return 0, err
	}
	return sum.round()
}

// Alternatives gives the ways that cost less than r.Calls calls of u under t, the
// cheapest first. A way that the model does not offer is left out; so is the cache
// for a shared part that is shorter than the model caches.
func (o Offer) Alternatives(u Usage, t Terms, r Repeat) ([]Alternative, error) {
	cost, err := o.Price(u, t)
	if err != nil {
		return nil, err
	}
	now, err := cost.Times(max(r.Calls, 1))
	if err != nil {
		return nil, err
	}
	var ways []Alternative
	offer := func(way Way, total Money) {
		if total < now {
			ways = append(ways, Alternative{way, total})
		}
	}
	if r.Calls > 1 && r.SharedTokens > 0 && r.SharedTokens >= o.Model.MinCacheableTokens &&
		o.Model.Capabilities.Support(CapabilityPromptCaching) == Yes && u.CacheReadTokens == 0 && u.CacheWriteTokens == 0 {
		total, err := o.Cached(u, t, r)
		if err != nil {
			return nil, err
		}
		offer(WayCache, total)
	}
	for way, tier := range map[Way]ServiceTier{WayBatch: Batch, WayFlex: Flex} {
		if t.ServiceTier == tier || o.Model.TierAt(tier, DateOf(t.AsOf)) == nil {
			continue
		}
		terms := t
		terms.ServiceTier = tier
		cost, err := o.Price(u, terms)
		if err != nil {
			return nil, err
		}
		total, err := cost.Times(max(r.Calls, 1))
		if err != nil {
			return nil, err
		}
		offer(way, total)
	}
	slices.SortFunc(ways, func(a, b Alternative) int { return cmp.Or(cmp.Compare(a.Total, b.Total), cmp.Compare(a.Way, b.Way)) })
	return ways, nil
}
