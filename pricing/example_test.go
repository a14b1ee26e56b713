package pricing_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/adjutant-dev/adjutant/pricing"
)

// A call is priced item by item. The items keep every digit; the total is rounded
// once, to the nano-dollar.
func ExampleOffer_Price() {
	offer, err := pricing.Default().Resolve("us.anthropic.claude-opus-5")
	if err != nil {
		fmt.Println(err)
		return
	}
	cost, err := offer.Price(
		pricing.Usage{InputTokens: 12_000, CacheReadTokens: 10_000, OutputTokens: 700, ReasoningTokens: 300},
		pricing.Terms{AsOf: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, item := range cost.Items {
		fmt.Printf("%-10s %6d × $%s for a million = $%s\n", item.Name(), item.Tokens, item.USDPerMillion(), item.AmountUSD())
	}
	fmt.Println("total $" + cost.Total.String())
	// Output:
	// input        2000 × $5.5 for a million = $0.011
	// cache_read  10000 × $0.55 for a million = $0.0055
	// output        400 × $27.5 for a million = $0.011
	// reasoning     300 × $27.5 for a million = $0.00825
	// total $0.03575
}

// Counts that contradict each other are refused, all at once and by name.
func ExampleUsage_Validate() {
	err := pricing.Usage{InputTokens: 1000, CacheReadTokens: 600, CacheWriteTokens: 500, OutputTokens: -1}.Validate()
	fmt.Println(err)
	// Output:
	// usage.output_tokens: -1 is negative
	// usage.input_tokens: 1000 is less than the sum of its parts: cache reads (600), cache writes (500), audio (0, of which 0 read from the cache) and images (0)
}

// A name that means no model is an error that says which was near.
func ExampleCatalogue_Resolve() {
	_, err := pricing.Default().Resolve("claude-opus-45")
	var unknown *pricing.UnknownModelError
	fmt.Println(errors.As(err, &unknown), err)
	// Output:
	// true unknown model "claude-opus-45"; did you mean "claude-opus-4-5"?
}

// A user's own file lies over the embedded catalogue and leaves it as it is.
func ExampleLoad() {
	mine := pricing.File{Name: "mine.yaml", Data: []byte(`
discounts:
  - {provider: anthropic, multiplier: 0.85, source: contract 2026-07}
models:
  - provider: acme
    id: summariser
    prices:
      - {rates: {input: 0.02, output: 0.06}, source: own cost sheet}
`)}
	catalogue, err := pricing.Load(pricing.Default(), mine)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"claude-opus-5", "acme/summariser"} {
		offer, err := catalogue.Resolve(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		cost, err := offer.PriceTotal(pricing.Usage{InputTokens: 1_000_000}, pricing.Terms{AsOf: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)})
		fmt.Println(name, cost, err)
	}
	// Output:
	// claude-opus-5 4.25 <nil>
	// acme/summariser 0.02 <nil>
}

// Twenty questions about the same long text are cheaper with a cache, and cheaper
// still than in a batch.
func ExampleOffer_Alternatives() {
	offer, err := pricing.Default().Resolve("claude-opus-5")
	if err != nil {
		fmt.Println(err)
		return
	}
	call := pricing.Usage{InputTokens: 40_000, OutputTokens: 400}
	terms := pricing.Terms{AsOf: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}
	cost, err := offer.Price(call, terms)
	if err != nil {
		fmt.Println(err)
		return
	}
	plain, err := cost.Times(20)
	fmt.Println("plain", plain, err)
	ways, err := offer.Alternatives(call, terms, pricing.Repeat{Calls: 20, SharedTokens: 39_800})
	for _, way := range ways {
		fmt.Println(way.Way, way.Total)
	}
	fmt.Println(err)
	// Output:
	// plain 4.2 <nil>
	// cache 0.84685
	// batch 2.1
	// <nil>
}

// The answer says how tokens were counted.
func ExampleCountTokens() {
	for _, name := range []string{"gpt-5", "gemini-2.5-pro"} {
		offer, err := pricing.Default().Resolve(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		n, how, err := pricing.CountTokens(context.Background(), offer.Model, "Extract the action items from these minutes.")
		fmt.Println(n, how.Name, how.Exact, how.ErrorBound, err)
	}
	// Output:
	// 8 o200k_base true 0 <nil>
	// 8 approximation of gemini false 0.21 <nil>
}
