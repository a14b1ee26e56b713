package classifier_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/adjutant-dev/adjutant/classifier"
)

// leans is an encoder that always leans to one tier, and notes what it is asked.
func leans(to classifier.Tier, asked *[][]string) classifier.Encoder {
	return func(ctx context.Context, ask string, before ...string) ([classifier.Tiers]float32, error) {
		*asked = append(*asked, append(slices.Clone(before), ask))
		var logits [classifier.Tiers]float32
		logits[to-1] = 4
		return logits, ctx.Err()
	}
}

func TestEncoderIsAskedOnlyInDoubt(t *testing.T) {
	alone := classifier.Default()
	var asked [][]string
	with := alone.WithEncoder(leans(classifier.Judgment, &asked))
	doubtful := 0
	for _, s := range ownPrompts(t) {
		before := len(asked)
		task := classifier.Prompt(s)
		one, err := alone.Classify(context.Background(), task)
		if err != nil {
			t.Fatal(err)
		}
		two, err := with.Classify(context.Background(), task)
		if err != nil {
			t.Fatal(err)
		}
		check(t, task, two)
		if len(asked) == before {
			if one.Probabilities != two.Probabilities {
				t.Errorf("%q: the answer changes though the encoder was not asked", s)
			}
			continue
		}
		doubtful++
		if one.Confidence >= classifier.Doubt {
			t.Errorf("%q: asked at confidence %.2f", s, one.Confidence)
		}
		if two.Probabilities[2] <= one.Probabilities[2] {
			t.Errorf("%q: judgment goes from %.2f to %.2f though the encoder leans to it", s, one.Probabilities[2], two.Probabilities[2])
		}
		next, sum := 0.0, 0.0
		for k, p := range two.Probabilities {
			if classifier.Tier(k+1) != two.Tier {
				next = max(next, p)
			}
		}
		for _, sg := range two.Signals {
			sum += sg.Weight
		}
		if want := math.Log(two.Confidence / next); math.Abs(sum-want) > 1e-3 {
			t.Errorf("%q: signals add up to %.4f, log-odds are %.4f", s, sum, want)
		}
	}
	if doubtful == 0 {
		t.Error("no prompt of hundreds was in doubt")
	}
}

func TestEncoderReadsWhatCameBefore(t *testing.T) {
	var asked [][]string
	with := classifier.Default().WithEncoder(leans(classifier.Making, &asked))
	msg := func(r classifier.Role, s string) classifier.Message {
		return classifier.Message{Role: r, Content: s}
	}
	// Asks of several kinds, since only a doubtful one reaches the encoder.
	for _, ask := range []string{"hm, and then?", "what about the other one", "better?", "so", "thoughts on the tone"} {
		task := classifier.Task{Messages: []classifier.Message{
			msg(classifier.System, "sys"), msg(classifier.User, "one"), msg(classifier.Assistant, "two"), msg(classifier.User, "three"), msg(classifier.Assistant, "four"), msg(classifier.User, ask),
		}}
		if _, err := with.Classify(context.Background(), task); err != nil {
			t.Fatal(err)
		}
		if len(asked) > 0 {
			if want := []string{"sys", "three", "four", ask}; !slices.Equal(asked[0], want) {
				t.Errorf("the encoder reads %q, want %q", asked[0], want)
			}
			return
		}
	}
	t.Fatal("none of the asks was in doubt")
}

func TestEncoderReadsWhatIsLeft(t *testing.T) {
	var asked [][]string
	with := classifier.Default().WithEncoder(leans(classifier.Making, &asked))
	for _, ask := range []string{"better?", "so", "thoughts on the tone", "hm, and then?"} {
		for _, text := range []string{
			ask,
			"Hello! I hope you are well.\n\n" + ask + "\n\nThank you so much in advance!",
			"<system-reminder>\nKeep answers short.\n</system-reminder>\n" + ask + "\n<env>\ncwd: /src\n</env>",
		} {
			classifyBy(t, with, classifier.Prompt(text))
		}
	}
	if len(asked) == 0 {
		t.Fatal("none of the asks was in doubt")
	}
	for _, got := range asked {
		if s := got[0]; strings.Contains(s, "Hello") || strings.Contains(s, "Thank") || strings.Contains(s, "reminder") || strings.Contains(s, "cwd") {
			t.Errorf("the encoder reads %q", s)
		}
	}
}

func TestEncoderStopsWithItsContext(t *testing.T) {
	stop := func(context.Context, string, ...string) ([classifier.Tiers]float32, error) {
		return [classifier.Tiers]float32{}, context.DeadlineExceeded
	}
	with := classifier.Default().WithEncoder(stop)
	for _, s := range ownPrompts(t) {
		if _, err := with.Classify(context.Background(), classifier.Prompt(s)); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			return
		}
	}
	t.Fatal("no prompt was in doubt")
}
