package routing

import (
	"errors"
	"testing"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// TestToldExample computes the figures that the idea was first told with. The token
// counts are chosen to give them.
func TestToldExample(t *testing.T) {
	then := time.Date(2025, 8, 15, 0, 0, 0, 0, time.UTC)
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, model   string
		input, output int64
		asOf          time.Time
		want          string
	}{
		{"one call on the top model", "claude-opus-4-1", 13_333, 37_333, then, "2.99997"},
		{"with a short answer instead", "claude-opus-4-1", 13_333, 800, then, "0.259995"},
		{"the top model reads for the plan", "claude-opus-4-1", 13_333, 0, then, "0.199995"},
		{"the cheapest carries it out, at 1.875 times the tokens", "claude-3-5-haiku-20241022", 25_000, 70_000, then, "0.3"},
		{"one call on today's top model", "claude-opus-5-5", 13_333, 37_333, now, "0.799992"},
		{"today's cheapest carries it out", "claude-haiku-5-5", 25_000, 70_000, now, "0.0375"},
	} {
		t.Run(test.name, func(t *testing.T) {
			usage := pricing.Usage{InputTokens: test.input, OutputTokens: test.output}
			got, err := Default().EstimateCost(t.Context(), CostRequest{Models: []string{test.model}, Usage: &usage, AsOf: test.asOf})
			if err != nil {
				t.Fatal(err)
			}
			if cost := got.Estimates[0].Expected.String(); cost != test.want {
				t.Errorf("got $%s, want $%s", cost, test.want)
			}
		})
	}
}

func TestEstimateCost(t *testing.T) {
	asOf := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	task := Task{Task: classifier.Prompt("Summarise the attached minutes into a one-page brief."), ExpectedOutputTokens: 600}
	task.Material.InputTokens = 20_000
	got, err := Default().EstimateCost(t.Context(), CostRequest{
		Models: []string{"claude-opus-5-5", "claude-haiku-5-5", "gpt-6.2-sol"}, Task: task, AsOf: asOf, Calls: 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	var last pricing.Money
	for _, e := range got.Estimates {
		if e.Expected < last {
			t.Errorf("%s at %s comes after %s: cheapest first", e.Model.ID, e.Expected, last)
		}
		last = e.Expected
		if e.Usage.ReasoningTokens == 0 {
			t.Errorf("%s thinks, and has no allowance for it", e.Model.ID)
		}
		if exact := e.Model.ID == "gpt-6.2-sol"; e.Counter.Exact != exact {
			t.Errorf("%s is counted by %+v", e.Model.ID, e.Counter)
		}
		if product, err := e.Expected.Times(20); err != nil || e.Total-product > 10 || product-e.Total > 10 {
			t.Errorf("%s: a total of %s for 20 times %s", e.Model.ID, e.Total, e.Expected)
		}
	}
	cached := false
	for _, a := range got.Alternatives {
		if a.Cost >= got.Estimates[0].Total {
			t.Errorf("%q costs %s, not less than %s", a.Text, a.Cost, got.Estimates[0].Total)
		}
		cached = cached || a.Kind == AlternativeCache
	}
	if !cached {
		t.Error("twenty readings of the same minutes, and no cache is offered")
	}
}

// TestEstimateCostNamesEveryMistake gives two unknown models and finds both.
func TestEstimateCostNamesEveryMistake(t *testing.T) {
	usage := pricing.Usage{InputTokens: 1}
	_, err := Default().EstimateCost(t.Context(), CostRequest{
		Models: []string{"claude-opus-9", "gpt-5", "gpt-99"}, Usage: &usage, AsOf: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
	})
	joined, ok := err.(interface{ Unwrap() []error })
	var unknown *pricing.UnknownModelError
	if !ok || len(joined.Unwrap()) != 2 || !errors.As(err, &unknown) {
		t.Errorf("got %v, want two unknown models", err)
	}
}
