package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/adjutant-dev/adjutant/pricing"
	"github.com/adjutant-dev/adjutant/routing"
)

// policy checks policy files, or runs a user's own decision cases.
func policy(f *flags) run {
	var s snapshot
	s.define(f)
	return func(ctx context.Context, p *program, positional []string) error {
		if len(positional) == 0 {
			return usagef("say what to do: adjutant policy check FILE..., or adjutant policy test CASES...")
		}
		verb, files := positional[0], positional[1:]
		switch {
		case verb != "check" && verb != "test":
			return usagef("no argument %q%s", verb, didYouMean(verb, []string{"check", "test"}))
		case len(files) == 0:
			return usagef("name the files: adjutant policy %s FILE...", verb)
		case verb == "check" && (len(s.policies) > 0 || s.weights != ""):
			return usagef("policy check takes the files as arguments, and no flag but --catalogue")
		case verb == "check":
			return checkPolicies(p, s.catalogues, files)
		}
		return testPolicies(ctx, p, &s, files)
	}
}

// checkPolicies says every mistake in policy files, with file and line.
func checkPolicies(p *program, catalogues, files []string) error {
	catalogue, err := pricing.LoadFiles(catalogues...)
	if err != nil {
		return err
	}
	if err := routing.CheckPolicies(catalogue, files...); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s: no mistakes\n", strings.Join(files, ", "))
	return err
}

// testPolicies runs decision cases and prints those that fail.
func testPolicies(ctx context.Context, p *program, s *snapshot, files []string) error {
	router, err := s.router()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	cases, failed := 0, 0
	for _, path := range files {
		data, err := os.ReadFile(path) //nolint:gosec // the user names the file to read
		if err != nil {
			return err
		}
		suite, err := routing.ParseSuite(path, data)
		if err != nil {
			return err
		}
		for _, result := range suite.Run(ctx, router) {
			cases++
			if len(result.Failures) == 0 {
				continue
			}
			failed++
			fmt.Fprintf(&out, "FAIL  %s\n", result.Name)
			for _, failure := range result.Failures {
				fmt.Fprintf(&out, "      %v\n", failure)
			}
		}
	}
	fmt.Fprintf(&out, "%d of %d cases pass\n", cases-failed, cases)
	if _, err := p.stdout.Write(out.Bytes()); err != nil {
		return err
	}
	if failed > 0 {
		return errRefused
	}
	return nil
}
