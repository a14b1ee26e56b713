package main

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/classifier"
)

// text is an ask of 400 characters.
var text = strings.Repeat("Write a function that merges two sorted lists of customer records into one, keeps the newest record of each customer, and says how many were dropped. ", 3)[:400]

var (
	asOf            = timestamppb.New(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	task            = &adjutantv1.Task{Input: &adjutantv1.Task_Prompt{Prompt: text}}
	classifyRequest = &adjutantv1.ClassifyRequest{Task: task}
	routeRequest    = &adjutantv1.RouteRequest{Task: task, AsOf: asOf}
	estimateRequest = &adjutantv1.EstimateCostRequest{
		Models: []string{"claude-opus-4-1"}, AsOf: asOf,
		Input: &adjutantv1.EstimateCostRequest_Usage{Usage: &adjutantv1.Usage{InputTokens: 12_000, OutputTokens: 800, CacheReadTokens: 10_000}},
	}
	batchRequest = func() *adjutantv1.BatchClassifyRequest {
		batch := &adjutantv1.BatchClassifyRequest{}
		for range 100 {
			batch.Requests = append(batch.Requests, classifyRequest)
		}
		return batch
	}()
)

// mixture are tasks of which the encoder reads about one in five, as of real ones; about
// which of these the classifier is in doubt depends on its weights.
func mixture() []*adjutantv1.Task {
	var doubtful, all []string
	for _, text := range []string{
		"Our invoice template has three footers by now, one for each country, and the fourth is on its way. What now?",
		"Customers in Austria see the old price until they log out. The cache is cleared on every deploy, and the price service answers right when I ask it.",
		"Here is what we agreed with the supplier on the phone, and here is what the contract says. The two do not quite fit. Put it so that both can sign.",
		"Is this fine? func (c *cache) get(k string) *item { c.mu.RLock(); defer c.mu.RUnlock(); i := c.m[k]; i.used = time.Now(); return i }",
		"The migration has run on staging. Before production: what does it lock, and for how long, with ninety million rows?",
		"two queues, one worker, and the slow jobs starve the fast ones",
		"replication lag only at night, nobody writes then",
	} {
		if got, err := classifier.Default().Classify(context.Background(), classifier.Prompt(text)); err == nil && got.InDoubt() {
			doubtful = append(doubtful, text)
		}
	}
	for _, ask := range doubtful {
		all = append(all, ask, text, text, text, text)
	}
	tasks := make([]*adjutantv1.Task, len(all))
	for i, ask := range all {
		tasks[i] = &adjutantv1.Task{Input: &adjutantv1.Task_Prompt{Prompt: ask}}
	}
	return tasks
}
