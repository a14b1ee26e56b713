// Package pricing knows what a call to a language model costs: a catalogue of
// models with dated prices, an engine that prices token counts exactly, and
// token counters for text that has not been sent yet.
//
// Start with [Default], the embedded catalogue; ask it for a model by any of
// its names with [Catalogue.Resolve]; price a [Usage] under [Terms] with
// [Offer.Price]:
//
//	offer, err := pricing.Default().Resolve("claude-opus-4-1")
//	cost, err := offer.Price(
//		pricing.Usage{InputTokens: 13_333, OutputTokens: 37_333},
//		pricing.Terms{AsOf: time.Date(2025, 8, 15, 0, 0, 0, 0, time.UTC)})
//	fmt.Println(cost.Total) // 2.99997
//
// Money is exact. A rate is an integer number of atto-dollars (1e-18 $) for one
// token, a multiplier an integer number of millionths, an amount a 128-bit
// integer of yocto-dollars (1e-24 $). Line items keep every digit; the total is
// rounded once, half to even, to the nano-dollar. What does not fit is an
// error. There is no floating point between a price and a total.
//
// Nothing is guessed: a model that the catalogue does not hold, a service tier
// that a model does not offer, a date before the first known price and counts
// that contradict each other are all errors that say what to change. One
// fallback is deliberate: a kind of token without a rate of its own costs what
// its parent costs (a cache read what uncached input costs), never zero.
//
// The package knows nothing of tiers of difficulty, policies or gRPC.
package pricing
