package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

func classify(f *flags) run {
	request := &adjutantv1.ClassifyRequest{Task: &adjutantv1.Task{}}
	taskFlags(f, request.Task)
	a := newAsking(f)
	return func(ctx context.Context, p *program, positional []string) error {
		service, err := a.start(p, positional)
		if err != nil {
			return err
		}
		if a.jsonl {
			return answerLines(ctx, p, service.Classify)
		}
		text, err := readTask(ctx, p, positional)
		if err != nil {
			return err
		}
		request.Task.Input = &adjutantv1.Task_Prompt{Prompt: text}
		return answerOne(ctx, p, a.json, text, request, service.Classify, writeClassification)
	}
}

func route(f *flags) run {
	request := &adjutantv1.RouteRequest{Task: &adjutantv1.Task{}}
	taskFlags(f, request.Task)
	routeFlags(f, request)
	a := newAsking(f)
	return func(ctx context.Context, p *program, positional []string) error {
		service, err := a.start(p, positional)
		if err != nil {
			return err
		}
		if a.jsonl {
			return answerLines(ctx, p, service.Route)
		}
		text, err := readTask(ctx, p, positional)
		if err != nil {
			return err
		}
		request.Task.Input = &adjutantv1.Task_Prompt{Prompt: text}
		return answerOne(ctx, p, a.json, text, request, service.Route, writeDecision)
	}
}

func estimate(f *flags) run {
	request := &adjutantv1.EstimateCostRequest{}
	task, usage := &adjutantv1.Task{}, &adjutantv1.Usage{}
	ofTask := f.group(func() { taskFlags(f, task) })
	ofUsage := f.group(func() { usageFlags(f, usage) })
	costFlags(f, request)
	var policy string
	f.field("policy", func(s string) error { policy = s; return nil })
	a := newAsking(f)
	return func(ctx context.Context, p *program, positional []string) error {
		service, err := a.start(p, positional)
		if err != nil {
			return err
		}
		if a.jsonl {
			return answerLines(ctx, p, service.EstimateCost)
		}
		if len(f.given(ofUsage)) > 0 {
			if len(positional) > 0 || len(f.given(ofTask)) > 0 {
				return usagef("give a task or token counts, not both: with counts nothing is left to estimate")
			}
			request.Input = &adjutantv1.EstimateCostRequest_Usage{Usage: usage}
		} else {
			text, err := readTask(ctx, p, positional)
			if err != nil {
				return err
			}
			task.Input = &adjutantv1.Task_Prompt{Prompt: text}
			request.Input = &adjutantv1.EstimateCostRequest_Task{Task: task}
		}
		if len(request.Models) > 0 && policy != "" {
			return usagef("--policy chooses the models where no --model does: give one of the two")
		}
		if len(request.Models) == 0 {
			if request.Models, err = policyModels(ctx, service, policy, request); err != nil {
				return p.refuse(a.json, err)
			}
		}
		return answerOne(ctx, p, a.json, "", request, service.EstimateCost, writeEstimates)
	}
}

// policyModels names the models that a policy has serve a tier.
func policyModels(ctx context.Context, service adjutantv1.RoutingServiceServer, policy string, r *adjutantv1.EstimateCostRequest) ([]string, error) {
	listed, err := service.ListModels(ctx, &adjutantv1.ListModelsRequest{
		Policy: policy,
		AsOf:   r.AsOf,
		// As many as an EstimateCostRequest may name.
		PageSize: 100,
		Filter: &adjutantv1.ModelFilter{Tiers: []adjutantv1.Tier{
			adjutantv1.Tier_TIER_REPETITION, adjutantv1.Tier_TIER_MAKING, adjutantv1.Tier_TIER_JUDGMENT,
		}},
	})
	var names []string
	for _, m := range listed.GetModels() {
		names = append(names, m.Ref.Provider+"/"+m.Ref.Id)
	}
	return names, err
}

// asking holds the flags that classify, route and estimate share.
type asking struct {
	snapshot
	json, jsonl bool
	flags       *flags
}

func newAsking(f *flags) *asking {
	a := &asking{flags: f}
	a.snapshot.define(f)
	f.BoolVar(&a.json, "json", false, "")
	f.BoolVar(&a.jsonl, "jsonl", false, "")
	return a
}

// start checks what can be checked without a task and loads the snapshot.
func (a *asking) start(p *program, positional []string) (adjutantv1.RoutingServiceServer, error) {
	if a.json && a.jsonl {
		return nil, usagef("--json gives one answer, --jsonl one a line: give one of the two")
	}
	if a.jsonl {
		if given := a.flags.given(a.flags.request); len(given) > 0 {
			return nil, usagef("--%s has no effect with --jsonl: each line is a whole request, so say it there", given[0])
		}
		if len(positional) > 0 {
			return nil, usagef("--jsonl reads requests from standard input, not from arguments: adjutant ... --jsonl < FILE")
		}
	}
	return a.service(p)
}

// readTask gives the text of a task: the one argument, or standard input.
func readTask(ctx context.Context, p *program, positional []string) (string, error) {
	const give = `give it as one argument, in quotes, or on standard input (adjutant route "Rename these files", adjutant route < task.txt)`
	var text string
	switch {
	case len(positional) > 1:
		return "", usagef("the task is %d arguments: put it in quotes", len(positional))
	case len(positional) == 1 && positional[0] != "-":
		text = positional[0]
	case len(positional) == 0 && isTerminal(p.stdin):
		return "", usagef("no task: %s", give)
	default:
		read, err := readAll(ctx, p.stdin)
		if err != nil {
			return "", err
		}
		text = string(read)
	}
	if len(text) > maxPrompt {
		return "", usagef("the task is longer than %d MiB: give the size of long material with --material-tokens instead of its text", maxPrompt>>20)
	}
	if !utf8.ValidString(text) {
		return "", usagef("the task is not UTF-8: convert it first, such as with iconv -t UTF-8")
	}
	if strings.TrimSpace(text) == "" {
		return "", usagef("the task is empty: %s", give)
	}
	return text, nil
}

// readAll reads in to its end, or a little beyond what a task may have, and gives up
// when ctx is done.
func readAll(ctx context.Context, in io.Reader) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(in, maxPrompt+1))
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("reading standard input: %w", r.err)
		}
		return r.text, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// isTerminal reports whether a person may be waiting at the other end.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// answerOne asks one question and prints the answer as JSON or as a table, which may
// quote the prompt.
func answerOne[Q any, A proto.Message](
	ctx context.Context, p *program, asJSON bool, prompt string, request *Q,
	ask func(context.Context, *Q) (A, error), table func(w io.Writer, prompt string, answer A) error,
) error {
	answer, err := ask(ctx, request)
	if err != nil {
		return p.refuse(asJSON, err)
	}
	if !asJSON {
		return table(p.stdout, prompt, answer)
	}
	return p.writeAnswer(answer)
}

// writeAnswer prints an answer as protojson.
func (p *program) writeAnswer(answer proto.Message) error {
	text, err := protojson.Marshal(answer)
	if err != nil {
		return err
	}
	return p.writeJSON(text)
}

// refuse gives the error of a request that was refused. With --json it goes to
// stdout as an answer does.
func (p *program) refuse(asJSON bool, err error) error {
	if !asJSON {
		return err
	}
	if err := p.writeJSON(errorJSON(err)); err != nil {
		return err
	}
	return errRefused
}

// writeJSON prints text, which is JSON, with white space that does not depend on the
// build (protojson's does).
func (p *program) writeJSON(text []byte) error {
	var compact, indented bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return err
	}
	if err := json.Indent(&indented, compact.Bytes(), "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err := p.stdout.Write(indented.Bytes())
	return err
}

// answerLines answers requests from standard input, a line each.
func answerLines[Q any, A proto.Message](ctx context.Context, p *program, ask func(context.Context, *Q) (A, error)) error {
	total, err := lines{answer: lineOf(ask), most: maxLine, read: readSize}.pipe(ctx, p.stdin, p.stdout)
	if err != nil {
		return err
	}
	if total.refused > 0 {
		fmt.Fprintf(p.stderr, "adjutant: %d of %d requests were refused; their answers say why\n", total.refused, total.lines)
		return errRefused
	}
	return nil
}
