package server

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// watch reloads the files when their content changes or SIGHUP comes, until ctx is
// done. Files are polled: notices of changes differ between file systems, and mounted
// volumes replace folders under them.
func (s *Server) watch(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ticker := time.NewTicker(s.config.ReloadEvery)
	defer ticker.Stop()
	// What was tried last, so that files that are wrong are reported once.
	tried := s.state.Load().content
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			tried = contentOf(s.config)
			s.reload(ctx)
		case <-ticker.C:
			content := contentOf(s.config)
			if content != tried {
				tried = content
				s.reload(ctx)
			}
		}
	}
}

// reload puts what the files hold in force, or leaves everything as it is. Whether
// the server is healthy does not depend on it, since what is in force still serves;
// /readyz says that it is not the newest.
func (s *Server) reload(ctx context.Context) {
	before := s.state.Load()
	next, err := loadState(s.config)
	s.stale.Store(err != nil)
	if err != nil {
		s.telemetry.refused(ctx)
		s.log.LogAttrs(ctx, slog.LevelError, "reload refused; what was in force stays",
			slog.String("cause", err.Error()), slog.String("snapshot", before.router.Snapshot()))
		return
	}
	next.tenants.keep(before.tenants)
	s.state.Store(next)
	s.telemetry.loaded(ctx)
	s.log.LogAttrs(ctx, slog.LevelInfo, "reloaded", slog.String("snapshot", next.router.Snapshot()))
}
