package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// Each line adds one interceptor to the line before; the differences are what each
// costs. The handler answers with a decision that was made before, so that telemetry
// has all there is to tell.
func BenchmarkInterceptors(b *testing.B) {
	config := testConfig()
	config.Auth.Tenants = filepath.Join(b.TempDir(), "tenants.yaml")
	write(b, config.Auth.Tenants, fmt.Appendf(nil, "tenants:\n  - name: bench\n    tokens_sha256: [%x]\n    tasks_per_second: 1000000000\n", sha256.Sum256([]byte("token"))))
	s, err := Open(b.Context(), config, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	if err := s.loadFirst(b.Context()); err != nil {
		b.Fatal(err)
	}
	service := NewService(s.router, time.Now, s.log)
	answer, err := service.Route(b.Context(), benchRoute)
	if err != nil {
		b.Fatal(err)
	}
	ctx := metadata.NewIncomingContext(b.Context(), metadata.Pairs(":authority", "127.0.0.1:50051", "content-type", "application/grpc", "user-agent", "grpc-go/1.85.0", "authorization", "Bearer token"))
	info := &grpc.UnaryServerInfo{Server: service, FullMethod: adjutantv1.RoutingService_Route_FullMethodName}
	handler := func(ctx context.Context, _ any) (any, error) { //nolint:unparam // it is a handler
		callOf(ctx).answered(answer, 3_000)
		return answer, nil
	}

	measure := func(name string, interceptors ...grpc.UnaryServerInterceptor) {
		b.Run(name, func(b *testing.B) {
			chain := handler
			for _, intercept := range slices.Backward(interceptors) {
				next := chain
				chain = func(ctx context.Context, req any) (any, error) { return intercept(ctx, req, info, next) }
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chain(ctx, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	all := unaryInterceptors(s.telemetry, s.log, s.identify, &limiter{most: 10, queue: unlimitedQueue()})
	for i, name := range []string{"nothing", "+telemetry and log", "+recovery", "+identity and rate", "+concurrency"} {
		measure(name, all[:i]...)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.TraceIDRatioBased(0.1)))
	s.telemetry.traceTo(provider)
	measure("+traces of one in ten", all...)
}

var (
	benchAsOf     = timestamppb.New(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	benchPrompt   = prompt("Write a function that merges two sorted lists of customer records into one, and keeps the newest of each.")
	benchRoute    = &adjutantv1.RouteRequest{Task: benchPrompt, AsOf: benchAsOf}
	benchEstimate = &adjutantv1.EstimateCostRequest{
		Models: []string{"claude-opus-4-1"}, AsOf: benchAsOf,
		Input: &adjutantv1.EstimateCostRequest_Usage{Usage: &adjutantv1.Usage{InputTokens: 12_000, OutputTokens: 800, CacheReadTokens: 10_000}},
	}
)

// The work of the handlers: validation, conversion and the router below them.
func BenchmarkService(b *testing.B) {
	s := newTestService()
	b.Run("Classify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Classify(b.Context(), &adjutantv1.ClassifyRequest{Task: benchPrompt}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Route", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Route(b.Context(), benchRoute); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("EstimateCost", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.EstimateCost(b.Context(), benchEstimate); err != nil {
				b.Fatal(err)
			}
		}
	})
}
