package classifier_test

import (
	"math"
	"testing"

	"github.com/adjutant-dev/adjutant/classifier"
)

// The signals' weights add up to the log-odds of the answer against the
// runner-up.
func TestSignalsAddUp(t *testing.T) {
	for _, s := range append(ownPrompts(t)[:100], "", "hi", "请设计一个推荐系统，并说明取舍。") {
		got := classify(t, classifier.Prompt(s))
		var next float64
		for k, p := range got.Probabilities {
			if classifier.Tier(k+1) != got.Tier {
				next = max(next, p)
			}
		}
		sum := 0.0
		for i, sg := range got.Signals {
			sum += sg.Weight
			if sg.Name == "rest" && i != len(got.Signals)-1 {
				t.Errorf("%q: the rest is not last", s)
			}
			if sg.Detail == "" || sg.Tier == 0 {
				t.Errorf("%q: signal %+v says nothing", s, sg)
			}
		}
		if want := math.Log(got.Confidence / next); math.Abs(sum-want) > 1e-3 {
			t.Errorf("%q: signals add up to %.4f, log-odds are %.4f", s, sum, want)
		}
	}
}

func TestSignalsPointAtWords(t *testing.T) {
	const text = "Für das Team: should we split the monolith — or keep it?"
	got := classify(t, classifier.Prompt(text))
	found := false
	for _, sg := range got.Signals {
		if sg.Name != "words" {
			continue
		}
		found = true
		if sg.Span.End <= sg.Span.Start {
			t.Errorf("signal %+v has no span", sg)
		}
		t.Logf("%+.2f for %s: %q", sg.Weight, sg.Tier, text[sg.Span.Start:sg.Span.End])
	}
	if !found {
		t.Error("no words are named")
	}
}
