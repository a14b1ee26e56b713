package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
	"github.com/adjutant-dev/adjutant/routing"
	"github.com/adjutant-dev/adjutant/server"
)

// snapshot holds the flags that say what decisions are made with.
type snapshot struct {
	catalogues []string
	policies   []string
	weights    string
}

func (s *snapshot) define(f *flags) {
	f.Func("catalogue", "", appendTo(&s.catalogues))
	f.Func("policy-file", "", appendTo(&s.policies))
	f.StringVar(&s.weights, "weights", "", "")
}

func appendTo(list *[]string) func(string) error {
	return func(value string) error {
		*list = append(*list, value)
		return nil
	}
}

// router loads what the flags name over what is built in. The error has every
// mistake of every file.
func (s *snapshot) router() (*routing.Router, error) {
	if len(s.catalogues) == 0 && len(s.policies) == 0 && s.weights == "" {
		return routing.Default(), nil
	}
	catalogue, inCatalogue := pricing.LoadFiles(s.catalogues...)
	policies, inPolicies := routing.LoadPolicies(s.policies...)
	weights, inWeights := loadWeights(s.weights)
	if err := errors.Join(inCatalogue, inPolicies, inWeights); err != nil {
		return nil, err
	}
	return routing.New(weights, catalogue, policies)
}

// loadWeights reads a classifier; no path means the built-in one.
func loadWeights(path string) (*classifier.Classifier, error) {
	if path == "" {
		return classifier.Default(), nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := classifier.Load(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// service answers as the server does, in process.
func (s *snapshot) service(p *program) (adjutantv1.RoutingServiceServer, error) {
	router, err := s.router()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	return server.NewService(func() *routing.Router { return router }, time.Now, log), nil
}
