package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/adjutant-dev/adjutant/server"
)

// version is set by the linker (-X main.version=v1.2.3); empty: what the go command
// recorded.
var version string

// printVersion says what this binary is and what it decides with where nothing else is
// named.
func printVersion(f *flags) run {
	return func(ctx context.Context, p *program, positional []string) error {
		if len(positional) > 0 {
			return usagef("no argument %q: version takes none", positional[0])
		}
		v, commit := buildVersion()
		router, err := server.LoadRouter(server.Config{Encoder: true})
		if err != nil {
			return err
		}
		return writeFacts(p.stdout, [][2]string{
			{"version", v},
			{"commit", commit},
			{"go", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
			{"snapshot", router.Snapshot()},
			{"catalogue", router.Catalogue().Digest()},
		})
	}
}

// buildVersion gives the version and the commit, "unknown" where the build holds none.
func buildVersion() (v, commit string) {
	v, commit = version, "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v, commit
	}
	if v == "" {
		v = info.Main.Version
	}
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		commit += " with local changes"
	}
	return v, commit
}
