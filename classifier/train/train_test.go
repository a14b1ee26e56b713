package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/classifier/train"
)

// realRows finds the labelled real rows, which are not part of the repository:
// in the folder that ADJUTANT_REAL_DATA names, or beside the repository.
func realRows(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("ADJUTANT_REAL_DATA")
	if dir == "" {
		dir = filepath.FromSlash("../../../shared/data/real")
	}
	if _, err := os.Stat(filepath.Join(dir, "train.jsonl")); err != nil {
		t.Skip("the labelled real rows are not here; set ADJUTANT_REAL_DATA to their folder to check this")
	}
	return dir
}

func TestCommittedWeightsAreReproducible(t *testing.T) {
	dir := realRows(t)
	if raceEnabled {
		t.Skip("takes minutes under the race detector; the run without it checks this")
	}
	got, err := train.Train(context.Background(), train.Options{RealDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Missing) > 0 {
		t.Errorf("missing %q", got.Missing)
	}
	for name, b := range map[string][]byte{"weights.bin": got.Weights, "weights.json": got.Provenance} {
		want, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, want) {
			t.Errorf("training does not give the committed %s: run `adjutant train` with the real rows and commit what it writes", name)
		}
	}
}

// rows are a small corpus of the form that users bring.
func rows(n int) string {
	kinds := []string{
		`{"text":"rename file %d to kebab-case","tier":"repetition","stage":"execution","output_tokens":20}`,
		`{"text":"write a report about topic %d for the team","tier":"making","stage":"execution","output_tokens":400}`,
		`{"text":"should we move system %d to the cloud? weigh the risks","tier":"judgment","stage":"design","output_tokens":800}`,
	}
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(kinds[i%len(kinds)], "%d", string(rune('a'+i%26))))
		b.WriteByte('\n')
	}
	return b.String()
}

func TestTrainWithoutRealRows(t *testing.T) {
	o := train.Options{Corpus: fstest.MapFS{"m1.jsonl": {Data: []byte(rows(60))}}}
	var progress strings.Builder
	o.Progress = &progress
	first, err := train.Train(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Missing) != 1 || !strings.Contains(first.Missing[0], "real rows") {
		t.Errorf("missing %q, want the real rows named", first.Missing)
	}
	if !strings.Contains(progress.String(), "read 60 rows") {
		t.Errorf("progress %q", progress.String())
	}
	second, err := train.Train(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Weights, second.Weights) {
		t.Error("the same rows give two sets of weights")
	}
	c, err := classifier.Load(first.Weights)
	if err != nil {
		t.Fatal(err)
	}
	labelled, err := train.ReadRows("rows", strings.NewReader(rows(60)))
	if err != nil {
		t.Fatal(err)
	}
	report, err := train.Evaluate(context.Background(), c, labelled)
	if err != nil {
		t.Fatal(err)
	}
	if report.Accuracy < 0.95 {
		t.Errorf("accuracy %.2f on the rows that it was trained on", report.Accuracy)
	}
	var table strings.Builder
	if err := report.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"accuracy", "macro F1", "calibration error", "repetition", "confidence"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

func TestUsersRowsAreTrainedOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.jsonl")
	mine := strings.Repeat(`{"text":"zork the frobnicator","tier":"judgment","source":"mine"}`+"\n", 30)
	if err := os.WriteFile(path, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := train.Train(context.Background(), train.Options{Corpus: fstest.MapFS{"m1.jsonl": {Data: []byte(rows(60))}}, ExtraFiles: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(got.Provenance, []byte("mine.jsonl")) {
		t.Error("the provenance does not name the file")
	}
	c, err := classifier.Load(got.Weights)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Classify(context.Background(), classifier.Prompt("zork the frobnicator"))
	if err != nil {
		t.Fatal(err)
	}
	if answer.Tier != classifier.Judgment {
		t.Errorf("tier %s, want that of the user's rows", answer.Tier)
	}
}

func TestReadRowsNamesBadLines(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{`{"text":"a","tier":"easy"}`, `rows.jsonl:1: unknown tier "easy": use one of ["repetition" "making" "judgment"]`},
		{`{"tier":"making"}`, `rows.jsonl:1: needs "text" or "messages"`},
		{`{"text":"a","messages":[{"role":"user","content":"b"}],"tier":"making"}`, `rows.jsonl:1: has both "text" and "messages": use one`},
		{`{"messages":[{"role":"boss","content":"b"}],"tier":"making"}`, `rows.jsonl:1: unknown role "boss": use one of ["system" "user" "assistant" "tool"]`},
		{`{"text":"a","tier":"making","stage":"later"}`, `rows.jsonl:1: unknown stage "later": use one of ["design" "execution" "mixed"]`},
		{`{"text":"a","tier":"making","output_tokens":"40"}`, `rows.jsonl:1: output_tokens: not the kind of value that belongs there`},
		{`secret prompt`, `rows.jsonl:1: not a JSON object with the fields of a row`},
	} {
		_, err := train.ReadRows("rows.jsonl", strings.NewReader(tt.line))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: error %v, want %s", tt.line, err, tt.want)
		}
	}
}

func TestReadRowsGivesUp(t *testing.T) {
	_, err := train.ReadRows("rows.jsonl", strings.NewReader(strings.Repeat("{}\n", 50)))
	if err == nil || !strings.HasSuffix(err.Error(), "rows.jsonl: not read further than line 20, after 20 bad lines") {
		t.Errorf("error %v", err)
	}
}

// What the first letter of a file means holds for our own corpus alone.
func TestNamesOfAUsersFilesMeanNothing(t *testing.T) {
	var weights [][]byte
	for _, name := range []string{"apples.jsonl", "notes.jsonl", "prompts.jsonl", ".jsonl"} {
		got, err := train.Train(context.Background(), train.Options{Corpus: fstest.MapFS{name: {Data: []byte(rows(60))}}})
		if err != nil {
			t.Fatal(err)
		}
		weights = append(weights, got.Weights)
	}
	for i, w := range weights {
		if !bytes.Equal(w, weights[0]) {
			t.Errorf("file %d gives other weights than the first", i)
		}
	}
	c, err := classifier.Load(weights[0])
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Classify(context.Background(), classifier.Prompt("rename file q to kebab-case"))
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.OutputTokens; got.High == got.Low {
		t.Errorf("lengths %+v are not calibrated", got)
	}
}

func TestEvaluateWantsRows(t *testing.T) {
	if _, err := train.Evaluate(context.Background(), classifier.Default(), nil); err == nil {
		t.Error("no rows and no error")
	}
}

func TestFitMixtureWantsTheEncodersWord(t *testing.T) {
	_, err := train.FitMixture(context.Background(), train.Options{Corpus: fstest.MapFS{"m1.jsonl": {Data: []byte(rows(6))}}})
	if err == nil || !strings.Contains(err.Error(), "Options.Blind") {
		t.Errorf("error %v, want Options.Blind named", err)
	}
}

func FuzzReadRows(f *testing.F) {
	f.Add(rows(3))
	f.Add(`{"messages":[{"role":"user","content":"b"}],"tier":"making"}`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := train.ReadRows("rows", strings.NewReader(s))
		for _, r := range got {
			if len(r.Task.Messages) == 0 || r.Tier == 0 {
				t.Errorf("row %+v of %q is not whole (error %v)", r, s, err)
			}
		}
	})
}

// BenchmarkLeaveOneSourceOut scores the development rows, each by models that have
// seen no row of its source, and prints the report, without the encoder and with
// it:
//
//	go test ./classifier/train -run '^$' -bench LeaveOneSourceOut -benchtime 1x -v
func BenchmarkLeaveOneSourceOut(b *testing.B) {
	dir := realRows(b)
	for name, file := range map[string]string{"linear": "", "encoder": blind} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				report, err := train.CrossValidate(context.Background(), train.Options{RealDir: dir, Blind: file})
				if err != nil {
					b.Fatal(err)
				}
				var table strings.Builder
				if err := report.WriteTable(&table); err != nil {
					b.Fatal(err)
				}
				b.Log("\n" + table.String())
				b.ReportMetric(report.Accuracy, "accuracy")
				b.ReportMetric(report.MacroF1, "macro-F1")
				b.ReportMetric(report.CalibrationError, "ECE")
			}
		})
	}
}

// blind holds what the encoder said of the real rows before it had seen any.
const blind = "../encoder/testdata/blind.jsonl"

// TestBuiltInMixtureIsFitted holds the constants of package classifier to the rows
// that they come from.
func TestBuiltInMixtureIsFitted(t *testing.T) {
	if raceEnabled {
		t.Skip("trains six models; the race detector makes that minutes")
	}
	dir := realRows(t)
	got, err := train.FitMixture(context.Background(), train.Options{RealDir: dir, Blind: blind})
	if err != nil {
		t.Fatal(err)
	}
	want := classifier.BuiltInMixture
	off := max(math.Abs(got.Linear-want.Linear), math.Abs(got.Encoder-want.Encoder))
	for k := range got.Bias {
		off = max(off, math.Abs(got.Bias[k]-want.Bias[k]))
	}
	if off > 0.01 {
		t.Errorf("the built-in mixture is %.2f, fitted %.2f: write the latter into classifier/second.go", want, got)
	}
}
