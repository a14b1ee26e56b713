package routing

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestBadPolicies reads a corpus of mistakes. Beside each file stands what its
// author is told, word for word.
func TestBadPolicies(t *testing.T) {
	files, err := filepath.Glob("testdata/policies/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			err := CheckPolicies(pricing.Default(), file)
			if err == nil {
				t.Fatal("no mistake was found")
			}
			got := strings.ReplaceAll(err.Error(), "testdata/policies/", "") + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	r := withPolicies(t, "testdata/policies/full.good.yaml")
	making := classifier.Classification{
		Tier: classifier.Repetition, Confidence: 0.99, Probabilities: [classifier.Tiers]float64{0.99, 0.01, 0},
		OutputTokens: classifier.TokenRange{Low: 50, Median: 100, High: 200, Mean: 120},
	}
	open := making
	open.Probabilities = [classifier.Tiers]float64{0, 0.1, 0.9}
	for _, test := range []struct {
		name   string
		class  classifier.Classification
		labels map[string]string
		want   string
	}{
		{"no label, no rule", making, nil, "claude-haiku-5-5"},
		{"another team", making, map[string]string{"team": "search"}, "claude-haiku-5-5"},
		{"the floor of billing", making, map[string]string{"team": "billing"}, "claude-sonnet-5-5"},
		{"an open question", open, nil, "claude-opus-5-5"},
		{"an intern's ceiling, and a model denied below it", open, map[string]string{"role": "intern"}, "claude-haiku-5-5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			task := Task{Task: classifier.Prompt("a task"), Labels: test.labels}
			d, err := r.Decide(t.Context(), Request{Policy: "mine", Task: task, AsOf: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)}, test.class)
			if err != nil {
				t.Fatal(err)
			}
			if d.Model.ID != test.want {
				t.Errorf("got %s, want %s", d.Model.ID, test.want)
			}
		})
	}
}

// TestIdentityIsNeverWidened asks for more than the caller may have.
func TestIdentityIsNeverWidened(t *testing.T) {
	open := classifier.Classification{
		Tier: classifier.Judgment, Confidence: 0.9, Probabilities: [classifier.Tiers]float64{0, 0.1, 0.9},
		OutputTokens: classifier.TokenRange{Low: 50, Median: 100, High: 200, Mean: 120},
	}
	req := Request{
		Task: Task{Task: classifier.Prompt("a task"), Labels: map[string]string{"max_tier": "judgment"}},
		AsOf: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), Identity: Identity{MaxTier: classifier.Making, Policy: "openai", Policies: []string{"openai", "google"}},
	}
	d, err := Default().Decide(t.Context(), req, open)
	if err != nil {
		t.Fatal(err)
	}
	if d.Tier != classifier.Making || d.Model.Provider != "openai" {
		t.Errorf("got %s at %s, want a making model of openai", d.Model.Ref(), d.Tier)
	}
	req.Constraints.MinTier = classifier.Judgment
	if d := decide(t, Default(), req, open); d != nil {
		t.Errorf("min_tier bought %s", d.Model.Ref())
	}
	req.Policy = "anthropic"
	if _, err := Default().Decide(t.Context(), req, open); err == nil {
		t.Error("a policy that the identity may not name was used")
	}
}

func TestInstructionTokensBound(t *testing.T) {
	for _, instruction := range []string{designInstruction, executionInstruction} {
		for _, m := range pricing.Default().Models() {
			if n := pricing.ApproximateTokens(m.Tokenizer, instruction); n > instructionTokens {
				t.Errorf("an instruction has %d tokens as %s counts, above the %d that plans are priced with", n, m.Tokenizer, instructionTokens)
			}
		}
	}
}

func FuzzParsePolicies(f *testing.F) {
	files, err := filepath.Glob("testdata/policies/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "policies/default.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		policies, err := ParsePolicies(PolicyFile{Name: "fuzz.yaml", Data: data})
		if err != nil {
			return
		}
		if r, err := New(classifier.Default(), pricing.Default(), policies); err == nil && r.Snapshot() == "" {
			t.Error("a router without a snapshot")
		}
	})
}

func FuzzParseSuite(f *testing.F) {
	for _, file := range []string{"testdata/decisions.yaml", "testdata/decisions-2025.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		suite, err := ParseSuite("fuzz.yaml", data)
		if err == nil && len(suite.cases) == 0 {
			t.Error("a suite without cases")
		}
	})
}
