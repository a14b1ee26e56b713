package main

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
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
