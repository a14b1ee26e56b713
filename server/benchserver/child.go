package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/routing"
	"github.com/adjutant-dev/adjutant/server"
)

// token is the one that both know.
const token = "benchmark"

// addresses is what the child tells its parent.
type addresses struct{ Adjutant, Encoder, Echo string }

// runChild serves until its input ends, and answers each line of it with the CPU time
// that it has used.
func runChild(in io.Reader, out io.Writer, profile string) error {
	dir, err := os.MkdirTemp("", "benchserver")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()

	config := server.DefaultConfig()
	config.Listen, config.AdminListen, config.Drain = "127.0.0.1:0", "127.0.0.1:0", 0
	config.Auth.Tenants = filepath.Join(dir, "tenants.yaml")
	tenants := fmt.Sprintf("tenants:\n  - name: bench\n    tokens_sha256: [%x]\n    tasks_per_second: 100000000\n", sha256.Sum256([]byte(token)))
	if err := os.WriteFile(config.Auth.Tenants, []byte(tenants), 0o600); err != nil {
		return err
	}
	// All 16 callers may wait for the one core, and go on where the machine halts it for a moment.
	config.Limits.QueueTime = time.Second
	withEncoder, stop, err := startAdjutant(config, log)
	if err != nil {
		return err
	}
	defer stop()
	config.Encoder = false // its milliseconds would hide what the server costs
	adjutant, stop, err := startAdjutant(config, log)
	if err != nil {
		return err
	}
	defer stop()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	bare, err := newEcho()
	if err != nil {
		return err
	}
	go func() { _ = bare.Serve(listener) }()
	defer bare.Stop()

	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if err := json.NewEncoder(out).Encode(addresses{Adjutant: adjutant, Encoder: withEncoder, Echo: listener.Addr().String()}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return err
		}
		fmt.Fprintln(out, used.Utime.Nano()+used.Stime.Nano())
	}
	return nil
}

// startAdjutant serves until it is stopped.
func startAdjutant(config server.Config, log io.Writer) (address string, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, config, log)
	if err != nil {
		cancel()
		return "", nil, err
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	return s.Addr().String(), func() {
		cancel()
		if err := <-served; err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}, nil
}

// newEcho is a server with nothing but what gRPC brings. Its answers have the sizes of
// Adjutant's to the same requests.
func newEcho() (*grpc.Server, error) {
	service := server.NewService(routing.Default, time.Now, slog.New(slog.DiscardHandler))
	classified, err := service.Classify(context.Background(), classifyRequest)
	if err != nil {
		return nil, err
	}
	estimated, err := service.EstimateCost(context.Background(), estimateRequest)
	if err != nil {
		return nil, err
	}
	method := func(name string, size int, work func(context.Context, string) error) grpc.MethodDesc {
		answer := wrapperspb.Bytes(make([]byte, size))
		return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var request wrapperspb.StringValue
			if err := decode(&request); err != nil {
				return nil, err
			}
			return answer, work(ctx, request.GetValue())
		}}
	}
	nothing := func(context.Context, string) error { return nil }
	classify := func(ctx context.Context, text string) error {
		_, err := classifier.Default().Classify(ctx, classifier.Prompt(text))
		return err
	}
	s := grpc.NewServer()
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Echo",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			method("Classify", proto.Size(classified), nothing),
			method("Classifies", proto.Size(classified), classify),
			method("EstimateCost", proto.Size(estimated), nothing),
		},
	}, struct{}{})
	return s, nil
}
