package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/routing"
)

// crashing is set in the process that TestCrashDumpHasNoText lets die.
const crashing = "ADJUTANT_TEST_CRASH"

// TestCrashDumpHasNoText ends a process in the middle of a call by a fault that
// nothing recovers, with the fullest dump that Go writes, and searches the dump for the
// text of the task.
func TestCrashDumpHasNoText(t *testing.T) {
	if os.Getenv(crashing) != "" {
		crash()
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestCrashDumpHasNoText$")
	command.Env = append(os.Environ(), crashing+"=1", "GOTRACEBACK=system")
	dump, err := command.CombinedOutput()
	if err == nil {
		t.Fatal("the process did not crash")
	}
	for _, want := range []string{"nil pointer dereference", "(*Service).Route"} {
		if !strings.Contains(string(dump), want) {
			t.Fatalf("the dump has no %q, so this test shows nothing:\n%s", want, dump)
		}
	}
	if strings.Contains(string(dump), marker) {
		t.Errorf("the text of a task is in the dump:\n%s", dump)
	}
}

// crash dies in another goroutine while a call waits inside the service.
func crash() {
	inside := make(chan struct{})
	service := NewService(func() *routing.Router {
		close(inside)
		select {} // the call is being worked on
	}, time.Now, slog.New(slog.DiscardHandler))
	go func() {
		<-inside
		var nothing *routing.Decision
		_ = nothing.Model // the fault
	}()
	_, _ = service.Route(context.Background(), &adjutantv1.RouteRequest{Task: prompt(marker), Region: marker})
}

// TestAdminOverUnixSocket asks the admin port where it is a socket in the file system.
func TestAdminOverUnixSocket(t *testing.T) {
	config := testConfig()
	path := filepath.Join(t.TempDir(), "admin.sock")
	config.AdminListen = "unix:" + path
	start(t, config)
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
	answer, err := client.Get("http://admin/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "ready\n" {
		t.Errorf("got %q, %v", body, err)
	}
}
