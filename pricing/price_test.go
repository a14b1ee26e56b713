package pricing

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func offer(t testing.TB, name string) Offer {
	t.Helper()
	o, err := Default().Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func on(date string) time.Time {
	d, err := ParseDate(date)
	if err != nil {
		panic(err)
	}
	return d.Time()
}

func TestLineItems(t *testing.T) {
	u := Usage{
		InputTokens: 1_000, CacheReadTokens: 300, CacheWriteTokens: 200, CacheWrites: []CacheWrite{{time.Hour, 50}},
		OutputTokens: 100, ReasoningTokens: 60,
	}
	cost, err := offer(t, "claude-opus-5").Price(u, Terms{ServiceTier: Batch, Region: "us", AsOf: on("2026-09-25")})
	if err != nil {
		t.Fatal(err)
	}
	// Half of $5 and $25, and a tenth more.
	want := strings.Join([]string{
		"input 500 × 2.75 = 0.001375",
		"cache_read 300 × 0.275 = 0.0000825",
		"cache_write 150 × 3.4375 = 0.000515625",
		"cache_write_1h 50 × 5.5 = 0.000275",
		"output 40 × 13.75 = 0.00055",
		"reasoning 60 × 13.75 = 0.000825",
	}, "\n")
	var got []string
	for _, l := range cost.Items {
		got = append(got, l.Name()+" "+big.NewInt(l.Tokens).String()+" × "+l.USDPerMillion()+" = "+l.AmountUSD())
	}
	if strings.Join(got, "\n") != want {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), want)
	}
	if cost.Total.String() != "0.003623125" || cost.EffectiveFrom.String() != "2026-07-24" {
		t.Errorf("total %s since %s", cost.Total, cost.EffectiveFrom)
	}
}

func TestPriceRefuses(t *testing.T) {
	some := Usage{InputTokens: 1}
	for _, c := range []struct {
		name  string
		model string
		u     Usage
		terms Terms
		want  string
	}{
		{"no time", "gpt-5", some, Terms{}, "as_of is not set"},
		{"before its first price", "gpt-6-sol", some, Terms{AsOf: on("2026-09-21")}, "openai/gpt-6-sol has no known price on 2026-09-21: its next price holds from 2026-09-22"},
		{"tier", "claude-opus-5", some, Terms{ServiceTier: Flex, AsOf: on("2026-09-25")}, "anthropic/claude-opus-5 is not offered in service tier flex; it is in: standard, batch, fast"},
		{"tier that ends", "gemini-3.6-flash", some, Terms{ServiceTier: Flex, AsOf: on("2027-01-01")}, "google/gemini-3.6-flash is not offered in service tier flex; it is in: standard"},
		{"no such tier", "gpt-5", some, Terms{ServiceTier: 99, AsOf: on("2026-09-25")}, "openai/gpt-5 is not offered in service tier service tier 99; it is in: standard, flex, priority, fast"},
		{"region", "claude-opus-5", some, Terms{Region: "eu", AsOf: on("2026-09-25")}, `anthropic/claude-opus-5 has no price for region "eu"; it has for: us, global`},
		{"usage", "gpt-5", Usage{InputTokens: 1, CacheReadTokens: 2}, Terms{AsOf: on("2026-09-25")}, "usage.cache_read_tokens: 2 exceeds input_tokens (1)"},
		{"too much", "gpt-5", Usage{InputTokens: math.MaxInt64}, Terms{AsOf: on("2026-09-25")}, "the amount exceeds 9.2 billion dollars"},
	} {
		_, err := offer(t, c.model).Price(c.u, c.terms)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if _, totalErr := offer(t, c.model).PriceTotal(c.u, c.terms); totalErr == nil || totalErr.Error() != err.Error() {
			t.Errorf("%s: PriceTotal says %v", c.name, totalErr)
		}
	}
}

func TestPriceRules(t *testing.T) {
	at := Terms{AsOf: on("2026-11-20")}
	in := func(terms Terms, tier ServiceTier, region string) Terms {
		terms.ServiceTier, terms.Region = tier, region
		return terms
	}
	for _, c := range []struct {
		name  string
		model string
		u     Usage
		terms Terms
		want  string
	}{
		{"at the threshold of a band", "gpt-6-sol", Usage{InputTokens: 272_000, OutputTokens: 1000}, at, "0.554"},
		{"above it, output too", "gpt-6-sol", Usage{InputTokens: 272_001, OutputTokens: 1000}, at, "1.103004"},
		{"an inclusive threshold", "grok-4.7", Usage{InputTokens: 200_000}, at, "0.8"},
		{"below an inclusive one", "grok-4.7", Usage{InputTokens: 199_999}, at, "0.399998"},
		{"cached tokens count towards it", "gpt-6-sol", Usage{InputTokens: 272_001, CacheReadTokens: 272_001}, at, "0.1088004"},
		{"the second of two bands", "qwen3-max", Usage{InputTokens: 128_001}, at, "0.384003"},
		{"the first of them", "qwen3-max", Usage{InputTokens: 128_000}, at, "0.3072"},
		{"a tier scales a band", "gpt-6-sol", Usage{InputTokens: 300_000}, in(at, Batch, ""), "0.6"},
		{"and a region both", "gpt-6-sol", Usage{InputTokens: 300_000}, in(at, Batch, "EU"), "0.66"},
		{"a tier with rates of its own, in a band", "gemini-3.1-pro-preview", Usage{InputTokens: 200_001}, in(at, Priority, ""), "1.4400072"},
		{"a tier that leaves the cache alone", "gemini-2.5-pro", Usage{InputTokens: 100_000, CacheReadTokens: 80_000}, in(at, Batch, ""), "0.0225"},
		{"a missing cache rate is the input's in the tier", "gpt-4o-2024-05-13", Usage{InputTokens: 100_000, CacheReadTokens: 80_000}, in(at, Batch, ""), "0.25"},
		{"a cache rate that the tier does not state", "gpt-4o", Usage{InputTokens: 100_000, CacheReadTokens: 80_000}, in(at, Batch, ""), "0.125"},
		{"global is no region", "claude-opus-5", Usage{InputTokens: 100_000}, in(at, Standard, "global"), "0.5"},
		{"a host's name says its own region", "us.anthropic.claude-opus-5", Usage{InputTokens: 100_000}, in(at, Standard, "us"), "0.55"},
		{"Vertex, pinned by the region", "vertex_ai/claude-opus-5", Usage{InputTokens: 100_000}, in(at, Standard, "us"), "0.55"},
		{"Azure, pinned by its name or by the region", "azure/us/gpt-5.6-terra", Usage{InputTokens: 100_000}, in(at, Standard, "us"), "0.22"},
		{"and the other way", "azure/gpt-5.6-terra", Usage{InputTokens: 100_000}, in(at, Standard, "us"), "0.22"},
		{"a model without regional prices", "gpt-4o", Usage{InputTokens: 100_000}, in(at, Standard, "eu"), "0.25"},
		{"the shortest lifetime that covers", "gpt-6.2-sol", Usage{InputTokens: 100_000, CacheWriteTokens: 100_000, CacheWrites: []CacheWrite{{time.Hour, 100_000}}}, at, "0.5"},
		{"the default lifetime", "gpt-6.2-sol", Usage{InputTokens: 100_000, CacheWriteTokens: 100_000}, at, "0.25"},
		{"longer than any", "claude-opus-5", Usage{InputTokens: 100_000, CacheWriteTokens: 100_000, CacheWrites: []CacheWrite{{48 * time.Hour, 100_000}}}, at, "1"},
		{"a dated multiplier", "gpt-6.2-sol", Usage{InputTokens: 100_000}, in(Terms{AsOf: on("2027-02-28")}, Ultrafast, ""), "0.6"},
		{"and after", "gpt-6.2-sol", Usage{InputTokens: 100_000}, in(Terms{AsOf: on("2027-03-01")}, Ultrafast, ""), "1.2"},
		{"fast is OpenAI's priority", "gpt-5.5", Usage{InputTokens: 100_000}, in(at, Fast, ""), "1.25"},
		{"peak hours", "deepseek-v4-pro", Usage{InputTokens: 1_000_000}, Terms{AsOf: on("2026-11-20").Add(9*time.Hour + 59*time.Minute)}, "1.32"},
		{"their end", "deepseek-v4-pro", Usage{InputTokens: 1_000_000}, Terms{AsOf: on("2026-11-20").Add(10 * time.Hour)}, "0.66"},
		{"a Saturday", "deepseek-v4-pro", Usage{InputTokens: 1_000_000}, Terms{AsOf: on("2026-11-21").Add(9 * time.Hour)}, "0.66"},
		{"another clock", "deepseek-v4-pro", Usage{InputTokens: 1_000_000}, Terms{AsOf: time.Date(2026, 11, 20, 12, 0, 0, 0, time.FixedZone("", 8*3600))}, "0.66"},
		{"a future price", "gemini-4-argon", Usage{InputTokens: 1_000_000}, Terms{AsOf: on("2026-12-01")}, "4"},
		{"the last second before it", "gemini-4-argon", Usage{InputTokens: 1_000_000}, Terms{AsOf: on("2026-12-01").Add(-time.Second)}, "2"},
		{"cached audio", "gemini-2.5-flash", Usage{InputTokens: 1_000_000, InputAudioTokens: 1_000_000, CacheReadTokens: 1_000_000, CacheReadAudioTokens: 1_000_000}, at, "0.1"},
		{"the readme's record, 2025", "claude-opus-4-1", Usage{InputTokens: 13_333, OutputTokens: 37_333}, Terms{AsOf: on("2025-08-15")}, "2.99997"},
		{"less than a nano-dollar is kept until the end", "gpt-5-nano", Usage{InputTokens: 1, CacheReadTokens: 1}, at, "0.000000005"},
	} {
		got, err := offer(t, c.model).PriceTotal(c.u, c.terms)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

// randomCall draws an offer of the catalogue, a valid usage and terms it is sold on.
func randomCall(r *rand.Rand) (Offer, Usage, Terms) {
	models := Default().Models()
	m := models[r.IntN(len(models))]
	o := m.Offer()
	if len(m.Hosts) > 0 && r.IntN(3) == 0 {
		h := m.Hosts[r.IntN(len(m.Hosts))]
		o = Offer{Model: m, Host: h.Host, Profile: h.Profile, by: h.By}
	}
	part := func(left *int64) int64 {
		n := r.Int64N(*left + 1)
		*left -= n
		return n
	}
	u := Usage{InputTokens: r.Int64N(600_000), OutputTokens: r.Int64N(100_000)}
	left := u.InputTokens
	u.CacheReadTokens = part(&left)
	u.CacheWriteTokens = part(&left)
	u.InputAudioTokens = part(&left)
	u.InputImageTokens = part(&left)
	writes := u.CacheWriteTokens
	for _, ttl := range []time.Duration{5 * time.Minute, time.Hour} {
		u.CacheWrites = append(u.CacheWrites, CacheWrite{ttl, part(&writes)})
	}
	left = u.OutputTokens
	u.ReasoningTokens = part(&left)
	u.OutputAudioTokens = part(&left)
	u.OutputImageTokens = part(&left)
	terms := Terms{AsOf: on("2026-11-23").Add(time.Duration(r.Int64N(int64(7 * 24 * time.Hour))))}
	offered := m.ServiceTiers(terms.AsOf)
	terms.ServiceTier = offered[r.IntN(len(offered))]
	if len(m.Regions) > 0 && r.IntN(2) == 0 {
		terms.Region = m.Regions[r.IntN(len(m.Regions))].Region
	}
	return o, u, terms
}

func rat(t testing.TB, s string) *big.Rat {
	v, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is not a number", s)
	}
	return v
}

// TestPriceProperties draws calls at random, over every model, host, tier and region.
func TestPriceProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5_000 {
		o, u, terms := randomCall(r)
		cost, err := o.Price(u, terms)
		if err != nil {
			t.Fatalf("%s %+v %+v: %v", o.Model.Ref(), u, terms, err)
		}
		// The items add up to the tokens, to the exact amount, and by their own rates.
		var tokens int64
		sum := new(big.Rat)
		for _, l := range cost.Items {
			tokens += l.Tokens
			amount := rat(t, l.AmountUSD())
			sum.Add(sum, amount)
			byRate := new(big.Rat).Mul(rat(t, l.USDPerMillion()), big.NewRat(l.Tokens, 1_000_000))
			if byRate.Cmp(amount) != 0 {
				t.Fatalf("%s: %d × %s is not %s", o.Model.Ref(), l.Tokens, l.USDPerMillion(), l.AmountUSD())
			}
			// A fallback is never zero: no model of ours gives any kind away.
			if l.Tokens > 0 && amount.Sign() <= 0 {
				t.Fatalf("%s: %s costs nothing", o.Model.Ref(), l.Name())
			}
		}
		if tokens != u.InputTokens+u.OutputTokens {
			t.Fatalf("%s %+v: the items hold %d tokens", o.Model.Ref(), u, tokens)
		}
		difference := new(big.Rat).Sub(sum, rat(t, cost.Total.String()))
		if difference.Abs(difference).Cmp(big.NewRat(1, 2_000_000_000)) > 0 {
			t.Fatalf("%s: the items sum to %s, the total is %s", o.Model.Ref(), sum.FloatString(24), cost.Total)
		}
		// More tokens never cost less: no band of ours is cheaper than what is below.
		more := u
		switch r.IntN(3) {
		case 0:
			more.InputTokens += 1 + r.Int64N(100_000)
		case 1:
			more.OutputTokens += 1 + r.Int64N(100_000)
		case 2:
			more.InputTokens++
			more.CacheReadTokens++
		}
		if total, err := o.PriceTotal(more, terms); err != nil || total < cost.Total {
			t.Fatalf("%s: %+v costs %s, but %+v %s (%v)", o.Model.Ref(), u, cost.Total, more, total, err)
		}
	}
}

func TestPriceAllocations(t *testing.T) {
	o := offer(t, "claude-opus-5")
	if n := testing.AllocsPerRun(100, func() { _, _ = o.Price(benchUsage, benchTerms) }); n > 2 {
		t.Errorf("Price allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = o.PriceTotal(benchUsage, benchTerms) }); n > 0 {
		t.Errorf("PriceTotal allocates %v times", n)
	}
}

func TestAlternatives(t *testing.T) {
	o := offer(t, "claude-opus-5")
	u := Usage{InputTokens: 40_000, OutputTokens: 100}
	terms := Terms{AsOf: on("2026-11-20")}
	ways, err := o.Alternatives(u, terms, Repeat{Calls: 21, SharedTokens: 39_000})
	if err != nil {
		t.Fatal(err)
	}
	// 21 calls cost 21 × (40,000 × 5 + 100 × 25) / 1e6 = 4.2525. With a cache: one
	// write of 39,000 at 6.25, 20 reads at 0.5, 21 × 1,000 at 5 and the output.
	want := []Alternative{{WayCache, Money(791_250_000)}, {WayBatch, Money(2_126_250_000)}}
	if len(ways) != 2 || ways[0] != want[0] || ways[1] != want[1] {
		t.Errorf("%v, want %v", ways, want)
	}
	for name, r := range map[string]Repeat{
		"one call":          {Calls: 1, SharedTokens: 39_000},
		"nothing shared":    {Calls: 21},
		"too short":         {Calls: 21, SharedTokens: 511},
		"two, kept an hour": {Calls: 2, SharedTokens: 39_000, TTL: time.Hour}, // the write costs 10, more than is saved
	} {
		ways, err := o.Alternatives(u, terms, r)
		if err != nil || len(ways) != 1 || ways[0].Way != WayBatch {
			t.Errorf("%s: %v, %v; want the batch alone", name, ways, err)
		}
	}
	var usage *UsageError
	if _, err := o.Cached(u, terms, Repeat{Calls: 2, SharedTokens: 40_001}); !errors.As(err, &usage) {
		t.Errorf("more is shared than sent: %v", err)
	}
	if _, err := o.Cached(Usage{InputTokens: 10, CacheReadTokens: 5}, terms, Repeat{Calls: 2, SharedTokens: 5}); !errors.As(err, &usage) {
		t.Errorf("a call that is cached already: %v", err)
	}
}

// TestOfferLiteral: an offer made by hand costs what the provider asks, not nothing.
func TestOfferLiteral(t *testing.T) {
	m := Default().Model("anthropic", "claude-opus-5")
	got, err := Offer{Model: m}.PriceTotal(Usage{InputTokens: 1_000_000}, Terms{AsOf: on("2026-11-20")})
	if err != nil || got != 5*Dollar {
		t.Errorf("%s, %v", got, err)
	}
}

func TestTimes(t *testing.T) {
	// A third of a nano-dollar a call is lost in none of them.
	o, err := Load(nil, File{"a.yaml", []byte("models: [{provider: a, id: b, prices: [{source: s, rates: {input: 0.0003, output: 1}}]}]")})
	if err != nil {
		t.Fatal(err)
	}
	cost, err := o.Model("a", "b").Offer().Price(Usage{InputTokens: 1}, Terms{AsOf: on("2026-01-01")})
	if err != nil || cost.Total != 0 {
		t.Fatal(cost, err)
	}
	if month, err := cost.Times(1_000_000); err != nil || month.String() != "0.0003" {
		t.Errorf("a million calls cost %s, %v", month, err)
	}
	if _, err := cost.Times(-1); err == nil {
		t.Error("a negative number of calls")
	}
}
