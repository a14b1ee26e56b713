package server

import (
	"context"
	"log/slog"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
)

// unaryInterceptors is the chain that every call of the service passes, outermost
// first. The message is read after it (register.go) and validated by the service.
func unaryInterceptors(t *telemetry, log *slog.Logger, identify auth.AuthFunc, l *limiter) []grpc.UnaryServerInterceptor {
	return []grpc.UnaryServerInterceptor{
		t.unary, // first, so that whatever is refused below is measured, traced and logged
		recovery.UnaryServerInterceptor(panics(log)), // next, so that a panic in anything below ends one call and not the process
		auth.UnaryServerInterceptor(identify),        // before limits, which are a tenant's
		l.intercept,                                  // last, so that strangers take nobody's place
	}
}

// streamInterceptors is the same chain for the streams of health and reflection,
// which have no limit of their own: connections and streams are bounded.
func streamInterceptors(t *telemetry, log *slog.Logger, identify auth.AuthFunc) []grpc.StreamServerInterceptor {
	return []grpc.StreamServerInterceptor{
		t.stream, // as above
		recovery.StreamServerInterceptor(panics(log)), // as above
		auth.StreamServerInterceptor(identify),        // as above
	}
}

func panics(log *slog.Logger) recovery.Option {
	return recovery.WithRecoveryHandlerContext(func(ctx context.Context, p any) error {
		return panicked(ctx, log, p)
	})
}
