package server

import (
	"errors"
	"fmt"
	"os"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
	"github.com/adjutant-dev/adjutant/routing"
)

// load reads policies, catalogue and weights as one: either all of it is right, or
// the error says everything that is wrong.
func load(config Config) (*routing.Router, error) {
	if len(config.Policies) == 0 && len(config.Catalogue) == 0 && config.Weights == "" {
		return routing.Default(), nil
	}
	var errs [3]error
	policies, catalogue, weights := routing.DefaultPolicies(), pricing.Default(), classifier.Default()
	if len(config.Policies) > 0 {
		policies, errs[0] = routing.LoadPolicies(config.Policies...)
	}
	if len(config.Catalogue) > 0 {
		catalogue, errs[1] = pricing.LoadFiles(config.Catalogue...)
	}
	if config.Weights != "" {
		weights, errs[2] = loadWeights(config.Weights)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return routing.New(weights, catalogue, policies)
}

func loadWeights(path string) (*classifier.Classifier, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	c, err := classifier.Load(b)
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", path, err)
	}
	return c, nil
}
