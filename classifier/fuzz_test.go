package classifier_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/adjutant-dev/adjutant/classifier"
)

// check holds what is true of every answer, whatever the input.
func check(t *testing.T, task classifier.Task, got classifier.Classification) {
	t.Helper()
	sum := 0.0
	for k, p := range got.Probabilities {
		if !(p >= 0 && p <= 1) {
			t.Errorf("probability of tier %d is %v", k+1, p)
		}
		sum += p
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("probabilities sum to %v", sum)
	}
	if got.Tier < classifier.Repetition || got.Tier > classifier.Judgment {
		t.Errorf("tier %v", got.Tier)
	}
	if got.Stage < classifier.Design || got.Stage > classifier.Mixed {
		t.Errorf("stage %v", got.Stage)
	}
	if p := got.SplitProbability; !(p >= 0 && p <= 1) {
		t.Errorf("split probability %v", p)
	}
	if o := got.OutputTokens; o.Low < 1 || o.Low > o.Median || o.Median > o.High || o.Mean < 1 {
		t.Errorf("output tokens %+v", o)
	}
	if got.InputTokens < 0 {
		t.Errorf("input tokens %d", got.InputTokens)
	}
	for _, s := range got.Signals {
		if s.Span.End == 0 {
			continue
		}
		if s.Span.Message < 0 || s.Span.Message >= len(task.Messages) {
			t.Fatalf("signal in message %d of %d", s.Span.Message, len(task.Messages))
		}
		text := task.Messages[s.Span.Message].Content
		if s.Span.Start < 0 || s.Span.Start >= s.Span.End || s.Span.End > len(text) {
			t.Fatalf("span %+v of a text of %d bytes", s.Span, len(text))
		}
		if utf8.ValidString(text) && !utf8.ValidString(text[s.Span.Start:s.Span.End]) {
			t.Errorf("span %+v cuts a character", s.Span)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, s := range []string{
		"", "yes", "rename a.txt to b.txt", "請設計一個系統。", "\xff\xfe\x00", "a\u200bb\u00adc", "```\ncode", "<env>x</env>", "<env><env>",
		"| a | b |\n|---|---|\n", "{\"a\": [[[[[", "für über naïve", "ไทย", "العربية", strings.Repeat("(", 3000), strings.Repeat("é", 900),
	} {
		f.Add(s, "", uint8(2), int64(0))
		f.Add("and the rest", s, uint8(3), int64(100))
	}
	c := classifier.Default()
	f.Fuzz(func(t *testing.T, text, before string, role uint8, material int64) {
		task := classifier.Task{
			Messages: []classifier.Message{{Role: classifier.Role(role), Content: before}, {Role: classifier.User, Content: text}},
			Material: classifier.Material{InputTokens: material},
		}
		got, err := c.Classify(context.Background(), task)
		if err != nil {
			t.Fatal(err)
		}
		check(t, task, got)
		again, err := c.Classify(context.Background(), task)
		if err != nil {
			t.Fatal(err)
		}
		if again.Probabilities != got.Probabilities || len(again.Signals) != len(got.Signals) {
			t.Error("the same task gets two answers")
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("ADJUTANT-W01-F02"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := classifier.Load(b); err == nil && c == nil {
			t.Error("neither a classifier nor an error")
		}
	})
}

// Large and odd inputs must end in bounded time. The limit is far above what is
// needed, so that a busy machine doesn't fail it.
func TestAnyBytes(t *testing.T) {
	const limit = 2 * time.Second
	for name, s := range map[string]string{
		"nothing":            "",
		"4 MB of zeros":      strings.Repeat("\x00", 4<<20),
		"4 MB of broken":     strings.Repeat("\xff\xc0", 2<<20),
		"one word of 1 MB":   strings.Repeat("a", 1<<20),
		"1 MB of zero width": strings.Repeat("\u200b", 350_000),
		"deep nesting":       strings.Repeat("[{(", 400_000),
		"a million lines":    strings.Repeat("\n", 1<<20),
		"fences":             strings.Repeat("```\n", 300_000),
		"open tags":          strings.Repeat("<env>", 300_000),
		"open and closed":    strings.Repeat(strings.Repeat("<env>", 255)+"<cwd></cwd>", 64) + strings.Repeat("</env ", 600_000),
		"angle brackets":     strings.Repeat("<", 1<<20),
		"marks":              strings.Repeat("?!", 500_000),
		"ideographs":         strings.Repeat("設計", 200_000),
		"combining marks":    "e" + strings.Repeat("\u0301", 300_000),
		"log":                strings.Repeat("2026-01-02 03:04:05 ERROR x=1\n", 50_000),
	} {
		task := classifier.Prompt(s)
		start := time.Now()
		got := classify(t, task)
		if d := time.Since(start); d > limit {
			t.Errorf("%s takes %v", name, d)
		}
		check(t, task, got)
	}
}

func TestManyMessages(t *testing.T) {
	task := classifier.Task{Messages: make([]classifier.Message, 20_000)}
	for i := range task.Messages {
		task.Messages[i] = classifier.Message{Role: classifier.Role(i % 6), Content: "next"}
	}
	check(t, task, classify(t, task))
	check(t, classifier.Task{}, classify(t, classifier.Task{}))
}

func TestClassifyStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, s := range []string{"", "hi", strings.Repeat("plan ", 1<<20)} {
		if _, err := classifier.Default().Classify(ctx, classifier.Prompt(s)); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	}
}

func TestClassifyAllocatesLittle(t *testing.T) {
	c := classifier.Default()
	for _, n := range []int{100, 400, 4096, 100 << 10} {
		task := classifier.Prompt(strings.Repeat(benchProse, n/len(benchProse)+1)[:n])
		got := testing.AllocsPerRun(50, func() {
			if _, err := c.Classify(context.Background(), task); err != nil {
				t.Fatal(err)
			}
		})
		if got > 2 && !raceEnabled {
			t.Errorf("%d bytes: %v allocations, want at most 2", n, got)
		}
	}
}
