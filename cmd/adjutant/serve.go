package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/adjutant-dev/adjutant/server"
)

// serve runs the server until a signal ends it.
func serve(f *flags) run {
	config := server.DefaultConfig()
	var s snapshot
	s.define(f)
	f.StringVar(&config.Listen, "listen", config.Listen, "")
	f.StringVar(&config.AdminListen, "admin-listen", config.AdminListen, "")
	f.BoolVar(&config.Reflection, "reflection", config.Reflection, "")
	f.StringVar(&config.TLS.Certificate, "tls-certificate", "", "")
	f.StringVar(&config.TLS.Key, "tls-key", "", "")
	f.StringVar(&config.TLS.ClientCA, "tls-client-ca", "", "")
	f.StringVar(&config.Auth.Tenants, "tenants", "", "")
	f.DurationVar(&config.ReloadEvery, "reload-every", config.ReloadEvery, "")
	f.DurationVar(&config.Drain, "drain", config.Drain, "")
	f.DurationVar(&config.Shutdown, "shutdown", config.Shutdown, "")
	f.Func("log-level", "", func(level string) error {
		if config.Log.Level.UnmarshalText([]byte(level)) != nil {
			return errors.New("use one of debug, info, warn, error")
		}
		return nil
	})
	check := f.Bool("check", false, "")
	return func(ctx context.Context, p *program, positional []string) error {
		if len(positional) > 0 {
			return usagef("no argument %q: serve takes flags only", positional[0])
		}
		if err := config.Validate(); err != nil {
			return usagef("%v", err)
		}
		config.Policies, config.Catalogue, config.Weights = s.policies, s.catalogues, s.weights
		config.Version, _ = buildVersion()
		if *check {
			router, err := s.router()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "no mistakes; snapshot %s\n", router.Snapshot())
			return err
		}
		return server.Run(ctx, config, p.stderr)
	}
}
