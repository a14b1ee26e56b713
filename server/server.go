package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/adjutant-dev/adjutant/routing"
)

// Run serves until ctx is done, then drains; it returns nil after a clean stop. Log
// lines go to stderr.
func Run(ctx context.Context, config Config, stderr io.Writer) error {
	if os.Getenv("GOGC") == "" {
		// The heap is small beside what a collection scans, and calls leave little
		// behind: collecting a quarter as often takes a fifth off a call and some tens
		// of megabytes more.
		debug.SetGCPercent(400)
	}
	s, err := Open(ctx, config, stderr)
	if err != nil {
		return err
	}
	return s.Serve(ctx)
}

// serviceName is the service's in the contract.
const serviceName = "adjutant.v1.RoutingService"

// streamWorkers is how many goroutines a core wait for calls.
const streamWorkers = 16

// Server is the process's one server: gRPC, the admin port, and what they share.
type Server struct {
	config    Config
	log       *slog.Logger
	lines     *lineBuffer // what log writes to
	telemetry *telemetry
	state     atomic.Pointer[state] // nil until loaded
	signed    *signedTokens         // nil where signed tokens are not taken

	stale     atomic.Bool  // the newest files were refused
	decisions *decisionLog // nil for none

	grpc     *grpc.Server
	health   *health.Server
	listener net.Listener

	admin         *http.Server
	adminListener net.Listener // nil for none
}

// Open checks the settings and takes the addresses, so that what can't work fails
// here. Nothing is answered before [Server.Serve].
func Open(ctx context.Context, config Config, stderr io.Writer) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	listener, err := listen(ctx, config.Listen)
	if err != nil {
		return nil, err
	}
	if config.AdminListen == "" {
		return open(ctx, config, stderr, listener, nil)
	}
	admin, err := listen(ctx, config.AdminListen)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return open(ctx, config, stderr, listener, admin)
}

// open makes a server on listeners, which become its own. Admin may be nil.
func open(ctx context.Context, config Config, stderr io.Writer, listener, admin net.Listener) (_ *Server, err error) {
	s := &Server{
		config: config, health: health.NewServer(),
		listener: netutil.LimitListener(listener, config.Limits.Connections), adminListener: admin,
	}
	s.log, s.lines = newLogger(stderr, config.Log)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	s.notServing()
	if s.telemetry, err = newTelemetry(ctx, s.log, s.lines, config.Version, os.Getenv); err != nil {
		return nil, err
	}
	if admin != nil {
		s.admin = newAdmin(config, s.telemetry, s.ready, s.stale.Load)
	}
	service := NewService(s.router, time.Now, s.log)
	service.queue = newQueue(runtime.GOMAXPROCS(0), config.Limits.QueueTime)
	calls := &limiter{most: config.Limits.calls(), queue: service.queue}
	if config.DecisionLog.To != "" {
		if s.decisions, err = openDecisionLog(config.DecisionLog.To, config.DecisionLog.KeyFile); err != nil {
			return nil, err
		}
		service.decisions = s.decisions
		if err := s.telemetry.observeDecisionLog(s.telemetry.meter, s.decisions); err != nil {
			return nil, err
		}
	}
	s.grpc = s.newGRPC(service, calls)
	if err := s.telemetry.observe(s.telemetry.meter, calls, s.snapshot); err != nil {
		return nil, err
	}
	return s, nil
}

// router gives the one in force, nil until there is one.
func (s *Server) router() *routing.Router {
	if current := s.state.Load(); current != nil {
		return current.router
	}
	return nil
}

// snapshot names what is in force, empty until there is something.
func (s *Server) snapshot() string {
	if r := s.router(); r != nil {
		return r.Snapshot()
	}
	return ""
}

// Addr is where gRPC is served.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// AdminAddr is where the admin port is served, nil for nowhere.
func (s *Server) AdminAddr() net.Addr {
	if s.adminListener == nil {
		return nil
	}
	return s.adminListener.Addr()
}

// Serve answers until ctx is done, then drains.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 2)
	go func() {
		failed <- s.grpc.Serve(s.listener)
	}()
	if s.admin != nil {
		go func() {
			if err := s.admin.Serve(s.adminListener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	if err := s.loadFirst(ctx); err != nil {
		s.close()
		return err
	}
	watching, stopWatching := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stopWatching()
	watchers.Go(func() { s.watch(watching) })
	if s.signed != nil {
		watchers.Go(func() { s.signed.watch(watching) })
	}

	select {
	case err := <-failed:
		s.close()
		return err
	case <-ctx.Done():
	}
	return s.drain(failed)
}

// loadFirst puts the first state in force and says that the server is ready.
func (s *Server) loadFirst(ctx context.Context) error {
	started := time.Now()
	if s.config.Auth.JWT.JWKS != "" {
		var err error
		if s.signed, err = newSignedTokens(ctx, s.config.Auth.JWT, s.log); err != nil {
			return err
		}
	}
	first, err := loadState(s.config)
	if err != nil {
		return err
	}
	s.state.Store(first)
	s.telemetry.loaded(ctx)
	s.health.Resume()

	admin := "none"
	if s.admin != nil {
		admin = s.AdminAddr().String()
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "ready",
		slog.String("listen", s.Addr().String()), slog.String("admin_listen", admin),
		slog.String("snapshot", s.snapshot()), slog.String("version", s.config.Version),
		slog.Int64("loaded_in_ms", time.Since(started).Milliseconds()))
	s.lines.flush() // for who waits for this line
	return nil
}

// drain stops in the order that loses no call: tell everyone, go on serving while
// they go elsewhere, let running calls end, cut off those that don't.
func (s *Server) drain(failed <-chan error) error {
	s.health.Shutdown()
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "draining", slog.String("drain", s.config.Drain.String()), slog.String("shutdown", s.config.Shutdown.String()))
	if s.config.Drain > 0 {
		timer := time.NewTimer(s.config.Drain)
		defer timer.Stop()
		select {
		case <-timer.C:
		case err := <-failed: // nothing to wait for
			s.log.LogAttrs(context.Background(), slog.LevelError, "a listener failed while draining", slog.String("cause", err.Error()))
		}
	}
	stopped := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(stopped)
	}()
	deadline := time.NewTimer(s.config.Shutdown)
	defer deadline.Stop()
	select {
	case <-stopped:
	case <-deadline.C:
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "cutting off calls that are still running")
		s.grpc.Stop()
		<-stopped
	}
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "stopped")
	s.close()
	return nil
}

// close ends everything at once. It may be called on a server that is half open.
func (s *Server) close() {
	if s.grpc != nil {
		s.grpc.Stop()
	}
	if s.listener != nil {
		_ = s.listener.Close() // already closed by Stop where it was serving
	}
	if s.admin != nil {
		_ = s.admin.Close()
	}
	if s.adminListener != nil {
		_ = s.adminListener.Close()
	}
	s.decisions.close()
	if s.telemetry != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.telemetry.shutdown(ctx); err != nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "telemetry did not end well", slog.String("cause", err.Error()))
		}
	}
	s.lines.flush()
}

// newGRPC registers the service with health and reflection beside it.
func (s *Server) newGRPC(service *Service, calls *limiter) *grpc.Server {
	limits := s.config.Limits
	security := insecure.NewCredentials()
	if s.config.TLS.on() {
		security = credentials.NewTLS(s.serverTLS())
	}
	server := grpc.NewServer(
		grpc.Creds(security),
		grpc.ForceServerCodecV2(newFrameCodec()),
		// Workers keep their grown stacks; a new goroutine a call spends a tenth of the
		// call's time on growing its own. Where all are busy a goroutine is started.
		grpc.NumStreamWorkers(uint32(streamWorkers*runtime.GOMAXPROCS(0))),
		grpc.ChainUnaryInterceptor(unaryInterceptors(s.telemetry, s.log, s.identify, calls)...),
		grpc.ChainStreamInterceptor(streamInterceptors(s.telemetry, s.log, s.identify)...),
		grpc.InTapHandle(boundTime(limits.CallTime)),
		grpc.MaxRecvMsgSize(limits.MessageBytes),
		grpc.MaxHeaderListSize(uint32(limits.HeaderBytes)),
		grpc.MaxConcurrentStreams(uint32(limits.Streams)),
		grpc.ConnectionTimeout(10*time.Second), // for the handshake
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: 15 * time.Minute,
			// Connections are renewed, so that balancers that count them, and new
			// replicas, get their share.
			MaxConnectionAge: 30 * time.Minute, MaxConnectionAgeGrace: time.Minute,
			Time: time.Minute, Timeout: 20 * time.Second,
		}),
	)
	register(server, service)
	healthv1.RegisterHealthServer(server, openHealth{s.health})
	if s.config.Reflection {
		reflection.Register(server)
	}
	return server
}

// openHealth answers probes, which carry no identity.
type openHealth struct{ *health.Server }

// AuthFuncOverride lets everyone ask.
func (openHealth) AuthFuncOverride(ctx context.Context, _ string) (context.Context, error) {
	return ctx, nil
}

// notServing is the state before the first snapshot.
func (s *Server) notServing() {
	s.health.SetServingStatus(serviceName, healthv1.HealthCheckResponse_NOT_SERVING)
	s.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
}

// ready reports what health says of the service.
func (s *Server) ready() bool {
	answer, err := s.health.Check(context.Background(), &healthv1.HealthCheckRequest{Service: serviceName})
	return err == nil && answer.GetStatus() == healthv1.HealthCheckResponse_SERVING
}

// listen takes an address.
func listen(ctx context.Context, address string) (net.Listener, error) {
	kind, where, err := network(address)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, kind, where)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another process: stop it, or choose another address", address)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}
