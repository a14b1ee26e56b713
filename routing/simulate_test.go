package routing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
)

// outcomes makes rows whose failures follow a known table, over the project's own
// kinds of prompt, so that a fit can be held against it.
func outcomes(n int, f [classifier.Tiers]chances) string {
	r := rand.New(rand.NewPCG(7, 7))
	prompts := [classifier.Tiers][]string{
		{"Rename these files to kebab-case: UserService.yaml, orderQueue.yaml", "Convert this JSON to CSV: {\"a\": 1, \"b\": 2}", "What is the capital of Peru?"},
		{"Write unit tests for a date parser that accepts ISO 8601", "Summarise these notes into a one-page brief for the board", "Explain how TCP slow start works"},
		{"Should a team of six split its monolith into services, given that two of them leave next month?", "Requests hang once a day under load and the logs show nothing. How do we find the cause?"},
	}
	models := [classifier.Tiers]string{"claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"}
	costs := [classifier.Tiers]string{"0.0002", "0.004", "0.008"}
	var b strings.Builder
	for range n {
		need := [...]int{0, 0, 0, 1, 1, 1, 1, 1, 2, 2}[r.IntN(10)]
		fmt.Fprintf(&b, `{"prompt": %q, "outcomes": {`, prompts[need][r.IntN(len(prompts[need]))])
		for t, model := range models {
			score := 1
			if r.Float64() < f[need][t] {
				score = 0
			}
			if t > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, `%q: {"score": %d, "cost_usd": %s}`, model, score, costs[t])
		}
		b.WriteString("}}\n")
	}
	return b.String()
}

func TestSimulate(t *testing.T) {
	truth := [classifier.Tiers]chances{{0.02, 0.01, 0.01}, {0.5, 0.05, 0.04}, {0.9, 0.6, 0.1}}
	rows, err := ReadOutcomes("rows.jsonl", strings.NewReader(outcomes(600, truth)))
	if err != nil {
		t.Fatal(err)
	}
	sim, err := Default().Simulate(t.Context(), "anthropic", time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), rows)
	if err != nil {
		t.Fatal(err)
	}
	if sim.Rows != 600 || sim.Dropped != 0 || sim.Modelled != 0 {
		t.Errorf("got %d rows, %d dropped, %d modelled", sim.Rows, sim.Dropped, sim.Modelled)
	}
	ways := map[string]Way{}
	for _, way := range sim.Ways {
		ways[way.Name] = way
	}
	if best := ways["oracle"]; best.Score.Mean < ways["always-top"].Score.Mean || best.Cost.Mean > ways["always-top"].Cost.Mean {
		t.Errorf("the oracle %+v is beaten by always-top %+v", best, ways["always-top"])
	}
	if policy, random := ways["policy"], ways["random-split"]; policy.Score.Mean <= random.Score.Mean {
		t.Errorf("the policy keeps %.3f, a random split of its shares %.3f: it decides nothing", policy.Score.Mean, random.Score.Mean)
	}
	last := -1.0
	for _, point := range sim.Curve {
		if point.Cost.Mean < last-1e-9 {
			t.Errorf("at a penalty of %s the cost falls to %v", point.Penalty, point.Cost.Mean)
		}
		last = point.Cost.Mean
	}
	for k := range truth {
		for tier := range truth[k] {
			got := sim.Failure[k][tier]
			if math.IsNaN(got) || got < 0 || got > 1 {
				t.Fatalf("f[%d][%d] = %v", k, tier, got)
			}
			if tier > 0 && got > sim.Failure[k][tier-1]+1e-9 || k > 0 && got < sim.Failure[k-1][tier]-1e-9 {
				t.Errorf("f[%d][%d] = %v is out of order in %v", k, tier, got, *sim.Failure)
			}
		}
	}
}

func TestReadOutcomesNamesTheLine(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no rows", "\n\n", "no rows"},
		{"not JSON", "{\"prompt\": \"a\"}\nsecret words", "rows.jsonl:2: this is not a row: no valid JSON at byte 1"},
		{"no text", `{"tier": "making"}`, "rows.jsonl:1: the row has neither"},
		{"tier", `{"prompt": "a", "tier": "hard"}`, "rows.jsonl:1: unknown tier"},
		{"score", `{"prompt": "a", "outcomes": {"gpt-5": {"score": 7, "cost_usd": 1}}}`, "rows.jsonl:1: the score 7"},
		{"cost", `{"prompt": "a", "outcomes": {"gpt-5": {"score": 1, "cost_usd": -1}}}`, "rows.jsonl:1: cost_usd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ReadOutcomes("rows.jsonl", strings.NewReader(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the text: %v", err)
			}
		})
	}
}

func FuzzReadOutcomes(f *testing.F) {
	f.Add(outcomes(3, [classifier.Tiers]chances{}))
	f.Add(`{"messages": [{"role": "user", "content": "a"}], "tier": "making"}`)
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := ReadOutcomes("rows.jsonl", strings.NewReader(text))
		if err == nil && len(rows) == 0 {
			t.Error("no rows and no error")
		}
	})
}
