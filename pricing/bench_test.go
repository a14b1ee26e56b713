package pricing

import (
	"testing"
	"time"
)

var benchUsage = Usage{
	InputTokens: 120_000, OutputTokens: 4_000, CacheReadTokens: 80_000, CacheWriteTokens: 20_000, ReasoningTokens: 1_500,
	CacheWrites: []CacheWrite{{5 * time.Minute, 15_000}, {time.Hour, 5_000}},
}

var benchTerms = Terms{ServiceTier: Batch, Region: "us", AsOf: time.Date(2026, 9, 25, 12, 0, 0, 0, time.UTC)}

// BenchmarkPrice prices one call with seven line items, in batch and pinned to a
// region: go test -run '^$' -bench Price ./pricing.
func BenchmarkPrice(b *testing.B) {
	offer, err := Default().Resolve("claude-opus-5")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("items", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := offer.Price(benchUsage, benchTerms); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("total", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := offer.PriceTotal(benchUsage, benchTerms); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	for _, name := range []string{"claude-opus-5", "us.anthropic.claude-opus-4-8-v1:0", "gpt-9-turbo"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Default().Resolve(name)
			}
		})
	}
}

// BenchmarkLoad parses the embedded catalogue, as every start does once.
func BenchmarkLoad(b *testing.B) {
	files := Default().files
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(nil, files...); err != nil {
			b.Fatal(err)
		}
	}
}
