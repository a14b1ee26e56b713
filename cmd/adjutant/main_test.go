package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

var update = flag.Bool("update", false, "write the golden files and the README's outputs anew")

// TestMain lets the test binary stand in for other programs in shell commands, under
// their names.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "adjutant":
		main()
	case "grpcurl":
		if err := grpcurl(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "grpcurl:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// adjutant runs the program in process.
func adjutant(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// golden compares text with a file that people can read.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", path, got)
	}
}

func TestHelp(t *testing.T) {
	code, got, _ := adjutant(t, "", "--help")
	if code != exitOK {
		t.Errorf("--help exits with %d", code)
	}
	golden(t, "testdata/help/adjutant.txt", got)
	for _, c := range commands() {
		for _, args := range [][]string{{c.name, "--help"}, {c.name, "x", "-h"}, {"help", c.name}} {
			code, got, stderr := adjutant(t, "", args...)
			if code != exitOK || stderr != "" {
				t.Errorf("%q exits with %d: %s", args, code, stderr)
			}
			golden(t, "testdata/help/"+c.name+".txt", got)
		}
		for line := range strings.Lines(got) {
			if len(line) > 90 {
				t.Errorf("%s --help has a line of %d characters: %s", c.name, len(line), line)
			}
		}
	}
}

// TestHelpNamesEveryFlag holds the hand-written texts and the flags together.
func TestHelpNamesEveryFlag(t *testing.T) {
	word := regexp.MustCompile(`--([a-z][a-z0-9-]*)`)
	for _, c := range commands() {
		f := newFlags()
		c.define(f)
		var have []string
		f.VisitAll(func(one *flag.Flag) { have = append(have, one.Name) })
		var named []string
		for line := range strings.Lines(c.help) {
			// A line that mentions another command may have that one's flags.
			if strings.Contains(line, "adjutant ") && !strings.Contains(line, "adjutant "+c.name) {
				continue
			}
			for _, m := range word.FindAllStringSubmatch(line, -1) {
				if m[1] != "help" {
					named = append(named, m[1])
				}
			}
		}
		if c.name == "serve" {
			// Its help has what most people need; the reference has all.
			reference, err := os.ReadFile("../../docs/configuration.md")
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range word.FindAllStringSubmatch(string(reference), -1) {
				if !slices.Contains(have, m[1]) {
					t.Errorf("docs/configuration.md names --%s, which serve does not have", m[1])
				}
				have = slices.DeleteFunc(have, func(name string) bool { return name == m[1] && !slices.Contains(named, name) })
			}
		}
		for _, name := range have {
			if !slices.Contains(named, name) {
				t.Errorf("%s --help does not name --%s", c.name, name)
			}
		}
		for _, name := range named {
			if !slices.Contains(have, name) {
				t.Errorf("%s --help names --%s, which it does not have", c.name, name)
			}
		}
	}
}

// TestHelpExamples runs what the help texts show, but for servers and training.
func TestHelpExamples(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"task.txt":          "Write a haiku about spring.\n",
		"my-policies.yaml":  "policies:\n  mine:\n    extends: default\n    penalty: 1\n",
		"my-cases.yaml":     "as_of: 2026-11-25\ncases:\n  - name: a rename is cheap\n    task: { prompt: rename these files }\n    want: { plan: false }\n",
		"my-tasks.jsonl":    `{"text": "What is the capital of Peru?", "tier": "repetition", "stage": "execution", "output_tokens": 5}` + "\n",
		"my-outcomes.jsonl": `{"prompt": "What is the capital of Peru?", "tier": "repetition"}` + "\n",
		"my-models.yaml":    "provider: mine\nmodels:\n  - id: llama\n    prices:\n      - rates: {input: 0.1, output: 0.2}\n        source: our bill\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := programs(t)
	for _, c := range commands() {
		text := strings.ReplaceAll(c.help, "\\\n", "")
		for line := range strings.Lines(text) {
			command := strings.TrimSpace(line)
			if !strings.HasPrefix(line, "  adjutant ") && !strings.HasPrefix(line, "  echo ") || c.name == "train" || c.name == "healthcheck" ||
				c.name == "serve" && !strings.Contains(command, "--check") || strings.Contains(command, "my-weights.bin") {
				continue
			}
			t.Run(command, func(t *testing.T) {
				if out, err := inShell(t, bin, dir, command); err != nil || out == "" {
					t.Errorf("%v:\n%s", err, out)
				}
			})
		}
	}
}

// TestTables shows what people see, from answers that are in testdata.
func TestTables(t *testing.T) {
	tables := map[string]func(io.Writer, []byte) error{
		"classify":          tableOf(writeClassification),
		"classify-declared": tableOf(writeClassification),
		"route":             tableOf(writeDecision),
		"route-plan":        tableOf(writeDecision),
		"estimate-usage":    tableOf(writeEstimates),
		"estimate-task":     tableOf(writeEstimates),
		"models": tableOf(func(w io.Writer, _ string, answer *adjutantv1.ListModelsResponse) error {
			return writeModels(w, answer)
		}),
	}
	for name, table := range tables {
		t.Run(name, func(t *testing.T) {
			answer, err := os.ReadFile("testdata/tables/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := table(&out, answer); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/tables/"+name+".txt", out.String())
		})
	}
}

// tablePrompt is what the signals in testdata rest on.
const tablePrompt = "Write a short function that turns a list of naïve dates into ISO 8601"

func tableOf[A proto.Message](write func(io.Writer, string, A) error) func(io.Writer, []byte) error {
	return func(w io.Writer, text []byte) error {
		var none A
		answer := none.ProtoReflect().New().Interface().(A)
		if err := protojson.Unmarshal(text, answer); err != nil {
			return err
		}
		return write(w, tablePrompt, answer)
	}
}

func TestDollars(t *testing.T) {
	tests := []struct{ amount, want, exact string }{
		{"0", "$0", "$0"},
		{"0.000000001", "$0.000000001", "$0.000000001"},
		{"0.000015649", "$0.0000156", "$0.000015649"},
		{"0.0123456", "$0.0123", "$0.0123456"},
		{"0.0125", "$0.0125", "$0.0125"},
		{"0.9996", "$1.00", "$0.9996"},
		{"1", "$1.00", "$1"},
		{"2.99997", "$3.00", "$2.99997"},
		{"1234567.891", "$1,234,567.89", "$1234567.891"},
		{"-0.5", "-$0.50", "-$0.50"},
		{"-12.345", "-$12.35", "-$12.345"},
	}
	for _, test := range tests {
		m, err := parseMoney(test.amount)
		if err != nil {
			t.Fatal(err)
		}
		if got := dollars(m); got != test.want {
			t.Errorf("dollars(%s) = %s, want %s", test.amount, got, test.want)
		}
		if got := exact(m); got != test.exact {
			t.Errorf("exact(%s) = %s, want %s", test.amount, got, test.exact)
		}
	}
}

// TestExitCodes shows what each kind of end gives to a script.
func TestExitCodes(t *testing.T) {
	tests := []struct {
		name, stdin string
		args        []string
		code        int
		stderr      string // a part of it; empty: silence
	}{
		{"no arguments", "", nil, exitUsage, "adjutant route"},
		{"unknown command", "", []string{"rout"}, exitUsage, `no command "rout"; did you mean route?`},
		{"unknown flag", "", []string{"route", "--polcy", "x"}, exitUsage, "did you mean --policy?"},
		{"empty task", " \n", []string{"route"}, exitUsage, "the task is empty: give it as one argument"},
		{"empty argument", "ignored", []string{"classify", ""}, exitUsage, "the task is empty"},
		{"two arguments", "", []string{"classify", "a", "b"}, exitUsage, "put it in quotes"},
		{"not UTF-8", "caf\xe9", []string{"classify"}, exitUsage, "not UTF-8"},
		{"too long", strings.Repeat("x", maxPrompt+1), []string{"classify"}, exitUsage, "longer than 4 MiB: give the size of long material with --material-tokens"},
		{"json and jsonl", "", []string{"route", "--json", "--jsonl"}, exitUsage, "give one of the two"},
		{"request flags with jsonl", "", []string{"route", "--jsonl", "--max-cost", "1"}, exitUsage, "--max-cost has no effect with --jsonl"},
		{"task with jsonl", "", []string{"route", "--jsonl", "task"}, exitUsage, "--jsonl reads requests from standard input"},
		{"task and counts", "", []string{"estimate", "--input-tokens", "5", "task"}, exitUsage, "not both"},
		{"model and policy", "", []string{"estimate", "--model", "a", "--policy", "b", "task"}, exitUsage, "give one of the two"},
		{"missing file", "", []string{"route", "--policy-file", "testdata/none.yaml", "task"}, exitFailed, "none.yaml"},
		{"no verb", "", []string{"policy"}, exitUsage, "adjutant policy check FILE"},
		{"no outcomes", "", []string{"simulate"}, exitUsage, "--outcomes FILE.jsonl"},
		{"no file to check", "", []string{"models", "check"}, exitUsage, "adjutant models check FILE"},
		{"no data", "", []string{"evaluate"}, exitUsage, "--data FILE.jsonl"},
		{"no output", "", []string{"train"}, exitUsage, "--out"},
		{"bad setting", "", []string{"serve", "--listen", "nowhere"}, exitUsage, `--listen: "nowhere" is not an address`},
		{"bad files", "", []string{"serve", "--check", "--policy-file", "none.yaml"}, exitFailed, "none.yaml"},
		{"nobody there", "", []string{"healthcheck", "--address", "127.0.0.1:1"}, exitUnhealthy, "127.0.0.1:1"},
		{"bad timeout", "", []string{"healthcheck", "--timeout", "0s"}, exitUsage, "above 0"},
		{"nothing to answer", "", []string{"classify", "--jsonl"}, exitOK, ""},
		{"refused line", "{\n", []string{"classify", "--jsonl"}, exitFailed, "1 of 1 requests were refused"},
		{"version", "", []string{"version"}, exitOK, ""},
		{"version as a flag", "", []string{"--version"}, exitOK, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, _, stderr := adjutant(t, test.stdin, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if test.stderr == "" && stderr != "" || !strings.Contains(stderr, test.stderr) {
				t.Errorf("stderr %q, want %q in it", stderr, test.stderr)
			}
		})
	}
}

// TestInterrupted shows that Ctrl-C ends a program that waits for its input.
func TestInterrupted(t *testing.T) {
	for _, args := range [][]string{{"classify"}, {"classify", "--jsonl"}} {
		ctx, cancel := context.WithCancel(t.Context())
		stdin, open := io.Pipe()
		defer open.Close()
		cancel()
		var stderr bytes.Buffer
		if code := Main(ctx, args, stdin, io.Discard, &stderr); code != exitInterrupted || stderr.Len() > 0 {
			t.Errorf("%q exits with %d, %q; want %d in silence", args, code, stderr.String(), exitInterrupted)
		}
	}
}

// TestTrainAndEvaluate makes weights from a few labelled tasks and judges them.
func TestTrainAndEvaluate(t *testing.T) {
	dir := t.TempDir()
	tasks, weights := filepath.Join(dir, "tasks.jsonl"), filepath.Join(dir, "weights.bin")
	var rows strings.Builder
	for _, tier := range []string{"repetition", "making", "judgment"} {
		for i := range 10 {
			fmt.Fprintf(&rows, `{"text": "task %d of %s", "tier": %q, "stage": "execution", "output_tokens": 50}`+"\n", i, tier, tier)
		}
	}
	if err := os.WriteFile(tasks, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := adjutant(t, "", "train", "--corpus", dir, "--out", weights)
	if code != exitOK || !strings.Contains(stdout, weights+".provenance.json") {
		t.Fatalf("train exits with %d: %s%s", code, stdout, stderr)
	}
	for _, out := range []string{dir, filepath.Join(dir, "none", "weights.bin")} {
		if code, _, stderr := adjutant(t, "", "train", "--corpus", dir, "--out", out); code != exitFailed || !strings.Contains(stderr, "folder") {
			t.Errorf("train --out %s exits with %d: %s", out, code, stderr)
		}
	}
	code, stdout, stderr = adjutant(t, rows.String(), "evaluate", "--weights", weights, "--data", "-", "--json")
	if code != exitOK || !strings.Contains(stdout, `"rows": 30`) {
		t.Errorf("evaluate exits with %d: %s%s", code, stdout, stderr)
	}
	code, _, stderr = adjutant(t, "", "evaluate", "--weights", tasks, tasks)
	if code != exitFailed || !strings.Contains(stderr, "tasks.jsonl") {
		t.Errorf("evaluate with a bad weights file exits with %d: %s", code, stderr)
	}
}
