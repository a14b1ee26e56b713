package server

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a server under test and a client of it.
type running struct {
	*Server
	adjutantv1.RoutingServiceClient

	conn *grpc.ClientConn
	log  *lockedBuffer // use logged
	stop context.CancelFunc
	done <-chan error
}

// testConfig is the default on free ports, without a wait at the end and without the
// encoder, whose milliseconds are not what these tests are about.
func testConfig() Config {
	config := DefaultConfig()
	config.Encoder = false
	config.Listen, config.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
	config.Drain = 0
	return config
}

// start serves over TCP until the test ends.
func start(tb testing.TB, config Config, options ...grpc.DialOption) *running {
	tb.Helper()
	log := &lockedBuffer{}
	s, err := Open(tb.Context(), config, log)
	if err != nil {
		tb.Fatal(err)
	}
	target := s.Addr().String()
	if s.Addr().Network() == "unix" {
		target = "unix:" + target
	}
	return serve(tb, s, log, target, options...)
}

// startInMemory serves without a socket until the test ends.
func startInMemory(tb testing.TB, config Config) *running {
	tb.Helper()
	log := &lockedBuffer{}
	listener := bufconn.Listen(1 << 20)
	s, err := open(tb.Context(), config, log, listener, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return serve(tb, s, log, "passthrough:memory", grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	}))
}

func serve(tb testing.TB, s *Server, log *lockedBuffer, target string, options ...grpc.DialOption) *running {
	tb.Helper()
	if len(options) == 0 || target == "passthrough:memory" {
		options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(ctx)
		close(done)
	}()
	r := &running{Server: s, RoutingServiceClient: adjutantv1.NewRoutingServiceClient(conn), conn: conn, log: log, stop: stop, done: done}
	tb.Cleanup(func() {
		_ = conn.Close()
		stop()
		if err, ok := <-done; ok && err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	r.waitFor(tb, healthv1.HealthCheckResponse_SERVING)
	return r
}

// waitFor follows health until it says status.
func (r *running) waitFor(tb testing.TB, status healthv1.HealthCheckResponse_ServingStatus) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	watch, err := healthv1.NewHealthClient(r.conn).Watch(ctx, &healthv1.HealthCheckRequest{Service: serviceName}, grpc.WaitForReady(true))
	if err != nil {
		tb.Fatal(err)
	}
	for {
		answer, err := watch.Recv()
		if err != nil {
			tb.Fatalf("health: %v", err)
		}
		if answer.GetStatus() == status {
			return
		}
	}
}

// logged gives the log so far.
func (r *running) logged() string {
	r.lines.flush()
	return r.log.String()
}

// get asks the admin port.
func (r *running) get(tb testing.TB, path string) (code int, body string) {
	tb.Helper()
	return r.ask(tb, path, nil)
}

func (r *running) ask(tb testing.TB, path string, header http.Header) (code int, body string) {
	tb.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://"+r.AdminAddr().String()+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	request.Header = header
	response, err := client.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return response.StatusCode, string(b)
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// prompt makes a task of one user message.
func prompt(text string) *adjutantv1.Task {
	return &adjutantv1.Task{Input: &adjutantv1.Task_Prompt{Prompt: text}}
}
