package server

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

func TestHealthFollowsTheServer(t *testing.T) {
	r := start(t, testConfig())
	if code, _ := r.get(t, "/readyz"); code != 200 {
		t.Errorf("/readyz answers %d while serving", code)
	}
	for _, service := range []string{"", serviceName} {
		answer, err := healthv1.NewHealthClient(r.conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", service, answer, err)
		}
	}
}

func TestNotServingBeforeTheFirstSnapshot(t *testing.T) {
	s, err := Open(t.Context(), testConfig(), &lockedBuffer{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.ready() {
		t.Error("ready before anything is loaded")
	}
	service := NewService(s.router, time.Now, s.log)
	if _, err := service.Classify(t.Context(), &adjutantv1.ClassifyRequest{Task: prompt("hello")}); status.Code(err) != codes.Unavailable {
		t.Errorf("a call before the first snapshot: %v", err)
	}
}

// A call that is being sent when the server is told to stop is still answered, and
// health has said NOT_SERVING by then.
func TestDrainAnswersWhatHasBegun(t *testing.T) {
	r := start(t, testConfig())
	call, send := halfSent(t, r)
	watch, err := healthv1.NewHealthClient(r.conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := watch.Recv(); err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("%v, %v", answer, err)
	}
	r.stop()
	if answer, err := watch.Recv(); err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Fatalf("while draining: %v, %v", answer, err)
	}
	if code, _ := r.get(t, "/readyz"); code != 503 {
		t.Errorf("/readyz answers %d while draining", code)
	}
	send()
	var answer adjutantv1.ClassifyResponse
	if err := call.RecvMsg(&answer); err != nil {
		t.Errorf("the call that had begun: %v", err)
	}
}

// What does not end by itself is cut off at the deadline.
func TestDrainCutsOffAtTheDeadline(t *testing.T) {
	config := testConfig()
	config.Shutdown = time.Millisecond
	r := start(t, config)
	call, _ := halfSent(t, r)
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	var answer adjutantv1.ClassifyResponse
	if err := call.RecvMsg(&answer); status.Code(err) != codes.Unavailable {
		t.Errorf("a call that was cut off: %v", err)
	}
	if !strings.Contains(r.logged(), "cutting off") {
		t.Error("the log says nothing of calls that were cut off")
	}
}

// halfSent opens a call without its message, and waits until the server works on it.
func halfSent(t *testing.T, r *running) (call grpc.ClientStream, send func()) {
	t.Helper()
	call, err := r.conn.NewStream(t.Context(), &grpc.StreamDesc{}, adjutantv1.RoutingService_Classify_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(metricsText(t, r), "adjutant_calls_in_flight 1") {
		if t.Context().Err() != nil {
			t.Fatal("the call never arrived")
		}
	}
	return call, func() {
		t.Helper()
		if err := errors.Join(call.SendMsg(&adjutantv1.ClassifyRequest{Task: prompt("Sort these names.")}), call.CloseSend()); err != nil {
			t.Fatal(err)
		}
	}
}

// metricsText gives the samples of the Prometheus page without labels of the scope.
func metricsText(t *testing.T, r *running) string {
	t.Helper()
	_, page := r.get(t, "/metrics")
	return page
}

func TestAddressInUse(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := testConfig()
	config.AdminListen = taken.Addr().String()
	_, err = Open(t.Context(), config, &lockedBuffer{})
	if want := taken.Addr().String() + " is in use by another process: stop it, or choose another address"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestEverySettingThatIsWrongIsReported(t *testing.T) {
	config := DefaultConfig()
	config.Listen = "nowhere"
	config.AdminListen = "unix:"
	config.Limits.MessageBytes = 5
	config.Shutdown = 0
	err := Run(t.Context(), config, &lockedBuffer{})
	want := `listen: "nowhere" is not an address: write host:port, :port or unix:/path
admin_listen: "unix:" names no socket: write unix:/path/to/socket
limits.message_bytes: must be 1024 to 67108864, not 5
shutdown: must be above 0s and at most 1h, not 0s`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestFilesThatCannotBeLoadedEndTheStart(t *testing.T) {
	config := testConfig()
	config.Weights = "testdata/none"
	config.Policies = []string{"testdata/none.yaml"}
	err := Run(context.Background(), config, &lockedBuffer{})
	if err == nil || !strings.Contains(err.Error(), "testdata/none:") || !strings.Contains(err.Error(), "testdata/none.yaml") {
		t.Errorf("got %v, want both files named", err)
	}
}
