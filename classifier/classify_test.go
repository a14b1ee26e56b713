package classifier_test

import (
	"context"
	"math"
	"testing"

	"github.com/adjutant-dev/adjutant/classifier"
)

func classify(t testing.TB, task classifier.Task) classifier.Classification {
	t.Helper()
	return classifyBy(t, classifier.Default(), task)
}

func classifyBy(t testing.TB, c *classifier.Classifier, task classifier.Task) classifier.Classification {
	t.Helper()
	got, err := c.Classify(context.Background(), task)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		prompt string
		want   classifier.Tier
	}{
		{"Rename these files to kebab-case: UserService.yaml, orderQueue.yaml, Billing_Worker.yaml", classifier.Repetition},
		{"Translate this sentence to French: the meeting is at nine.", classifier.Repetition},
		{"Write unit tests for this parser. It takes a string and returns a list of tokens.", classifier.Making},
		{"Explain how TCP slow start works.", classifier.Making},
		{"Should we split our monolith into services? We are six people and release twice a day.", classifier.Judgment},
	} {
		if got := classify(t, classifier.Prompt(tt.prompt)); got.Tier != tt.want {
			t.Errorf("%q: %s %.2f, want %s", tt.prompt, got.Tier, got.Probabilities, tt.want)
		}
	}
}

func TestProbabilitiesSumToOne(t *testing.T) {
	for _, s := range []string{"", "hi", "plan a migration", "\xff\xfe", "请设计一个系统"} {
		got := classify(t, classifier.Prompt(s))
		sum := got.Probabilities[0] + got.Probabilities[1] + got.Probabilities[2]
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("%q: probabilities sum to %v", s, sum)
		}
		if got.Confidence != got.Probabilities[got.Tier-1] {
			t.Errorf("%q: confidence %v is not that of the tier", s, got.Confidence)
		}
	}
}
