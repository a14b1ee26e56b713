package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
	"github.com/adjutant-dev/adjutant/routing"
)

// policy checks policy files.
func policy(f *flags) run {
	var catalogues []string
	f.Func("catalogue", "", appendTo(&catalogues))
	return func(ctx context.Context, p *program, positional []string) error {
		if len(positional) == 0 {
			return usagef("say what to do: adjutant policy check FILE...")
		}
		verb, files := positional[0], positional[1:]
		if verb != "check" {
			return usagef("no argument %q%s", verb, didYouMean(verb, []string{"check"}))
		}
		if len(files) == 0 {
			return usagef("name the files to check: adjutant policy check FILE...")
		}
		catalogue, err := pricing.LoadFiles(catalogues...)
		if err != nil {
			return err
		}
		policies, err := routing.LoadPolicies(files...)
		if err != nil {
			return err
		}
		router, err := routing.New(classifier.Default(), catalogue, policies)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "%s: no mistakes; policies %s\n", strings.Join(files, ", "), strings.Join(router.Policies(), ", "))
		return err
	}
}
