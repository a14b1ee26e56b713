package main

import (
	"context"
	"fmt"
	"os"

	"github.com/adjutant-dev/adjutant/server"
)

// serve runs the server until a signal ends it.
func serve(f *flags) run {
	file := f.String("config", "", "")
	check := f.Bool("check", false, "")
	given := map[string]string{}
	set := func(key string) func(string) error {
		return func(value string) error {
			given[key] = value
			return nil
		}
	}
	// add is for lists, whose flags may be repeated.
	add := func(key string) func(string) error {
		return func(value string) error {
			if before, ok := given[key]; ok {
				value = before + "," + value
			}
			given[key] = value
			return nil
		}
	}
	for _, s := range server.Settings() {
		switch {
		case s.Bool:
			f.BoolFunc(s.Flag, "", set(s.Key))
		case s.Key == "policies":
			f.Func(s.Flag, "", add(s.Key))
			// The name that it has in the other commands.
			f.Func("policy-file", "", add(s.Key))
		case s.Key == "catalogue":
			f.Func(s.Flag, "", add(s.Key))
		default:
			f.Func(s.Flag, "", set(s.Key))
		}
	}
	return func(ctx context.Context, p *program, positional []string) error {
		if len(positional) > 0 {
			return usagef("no argument %q: serve takes flags only", positional[0])
		}
		config, err := server.LoadConfig(*file, os.Getenv, given)
		if err != nil {
			return usagef("%v", err)
		}
		config.Version, _ = buildVersion()
		if !*check {
			return server.Run(ctx, config, p.stderr)
		}
		snapshot, err := server.Check(ctx, config)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "no mistakes; snapshot %s\n", snapshot)
		return err
	}
}
