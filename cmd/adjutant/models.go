package main

import (
	"context"
	"fmt"
	"strings"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/pricing"
)

// models lists the catalogue, or checks files of a user's own.
func models(f *flags) run {
	request := &adjutantv1.ListModelsRequest{Filter: &adjutantv1.ModelFilter{}}
	filter := request.Filter
	var s snapshot
	s.define(f)
	f.field("policy", func(s string) error { request.Policy = s; return nil })
	f.field("as-of", parseTime(&request.AsOf))
	f.field("provider", func(s string) error {
		filter.Providers = append(filter.Providers, strings.Split(s, ",")...)
		return nil
	})
	f.field("tier", each(&filter.Tiers, "TIER_", adjutantv1.Tier_value))
	f.field("capability", each(&filter.Capabilities, "CAPABILITY_", adjutantv1.Capability_value))
	f.field("min-context", func(s string) (err error) { filter.MinContextTokens, err = parseCount(s); return })
	retired := f.Bool("retired", false, "")
	asJSON := f.Bool("json", false, "")
	return func(ctx context.Context, p *program, positional []string) error {
		filter.IncludeRetired = *retired
		if len(positional) > 0 {
			if positional[0] != "check" {
				return usagef("no argument %q: adjutant models lists the models, adjutant models check FILE... checks files", positional[0])
			}
			if f.NFlag() > 0 {
				return usagef("models check takes no flags")
			}
			return checkCatalogue(p, positional[1:])
		}

		service, err := s.service(p)
		if err != nil {
			return err
		}
		var all *adjutantv1.ListModelsResponse
		for {
			page, err := service.ListModels(ctx, request)
			if err != nil {
				return p.refuse(*asJSON, err)
			}
			if all == nil {
				all = page
			} else {
				all.Models = append(all.Models, page.Models...)
			}
			if request.PageToken = page.NextPageToken; request.PageToken == "" {
				break
			}
		}
		all.NextPageToken = ""
		if *asJSON {
			return p.writeAnswer(all)
		}
		return writeModels(p.stdout, all)
	}
}

// checkCatalogue says every mistake in catalogue files, with file and line.
func checkCatalogue(p *program, paths []string) error {
	if len(paths) == 0 {
		return usagef("name the files to check: adjutant models check FILE...")
	}
	if err := pricing.Check(paths...); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "%s: no mistakes\n", strings.Join(paths, ", "))
	return err
}
