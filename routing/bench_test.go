package routing

import (
	"strings"
	"testing"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// BenchmarkDecide is what a decision costs beyond classification, for a policy of
// twelve models:
//
//	go test ./routing -bench Decide -benchmem -count 6
func BenchmarkDecide(b *testing.B) {
	r := withPolicies(b, "testdata/twelve.yaml")
	c := classifier.Classification{
		Tier: classifier.Making, Confidence: 0.6, Probabilities: [classifier.Tiers]float64{0.3, 0.6, 0.1},
		SplitProbability: 0.1, OutputTokens: classifier.TokenRange{Low: 50, Median: 200, High: 800, Mean: 320},
	}
	plain := Request{
		Policy: "twelve", AsOf: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
		Task: Task{Task: classifier.Prompt(strings.Repeat("Summarise these notes. ", 18))}, // 414 bytes
	}
	narrowed := plain
	limit := pricing.Dollar
	narrowed.Constraints = Constraints{MaxCost: &limit, Providers: []string{"anthropic", "openai"}, DeniedModels: []string{"gpt-6.2-sol"}}
	narrowed.Session = Session{CurrentModel: "claude-sonnet-5-5", CachedInputTokens: 60}
	narrowed.Task.Labels = map[string]string{"team": "billing"}
	for _, bench := range []struct {
		name string
		req  Request
	}{{"plain", plain}, {"narrowed", narrowed}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Decide(b.Context(), bench.req, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
