package server

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// policyFile is a policy of two models, whose penalty tells versions apart.
const policyFile = `policies:
  default:
    extends: default
    penalty: PENALTY
`

// A change of a file is found by its content and by SIGHUP; a file that is wrong
// changes nothing but the metrics and the log.
func TestReload(t *testing.T) {
	// Should the signal come before the server asks for it, the process must not end.
	unwanted := make(chan os.Signal, 10)
	signal.Notify(unwanted, syscall.SIGHUP)
	defer signal.Stop(unwanted)

	path := filepath.Join(t.TempDir(), "policies.yaml")
	put := func(penalty string) { write(t, path, []byte(strings.ReplaceAll(policyFile, "PENALTY", penalty))) }
	put("0.50")
	config := testConfig()
	config.Policies = []string{path}
	config.ReloadEvery = 100 * time.Millisecond
	polled := start(t, config)
	config.ReloadEvery = time.Hour
	signalled := start(t, config)

	first := polled.snapshot()
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !done(); {
			if time.Now().After(deadline) {
				t.Fatalf("never: %s\n%s", what, polled.logged())
			}
			if _, err := polled.Classify(t.Context(), &adjutantv1.ClassifyRequest{Task: prompt("hello")}); err != nil {
				t.Fatalf("while reloading: %v", err)
			}
		}
	}

	put("0.75")
	until("a changed file is found", func() bool { return polled.snapshot() != first })
	second := polled.snapshot()
	if signalled.snapshot() != first {
		t.Error("read again without a reason")
	}

	put("much")
	until("a bad file is reported", func() bool { return strings.Contains(polled.logged(), "reload refused") })
	if polled.snapshot() != second || !polled.ready() {
		t.Error("a bad file changed what is in force")
	}
	if code, body := polled.get(t, "/readyz"); code != 200 || !strings.Contains(body, "refused") {
		t.Errorf("/readyz answers %d %q after a refused reload", code, body)
	}
	page := metricsText(t, polled)
	for _, want := range []string{"adjutant_reload_last_successful 0", `adjutant_reloads_total{adjutant_result="refused"} 1`, `adjutant_reloads_total{adjutant_result="loaded"} 2`, `adjutant_snapshot{adjutant_snapshot="` + second + `"} 1`} {
		if !strings.Contains(page, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if n := strings.Count(polled.logged(), "reload refused"); n != 1 {
		t.Errorf("a bad file is reported %d times", n)
	}

	put("0.75")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until("a signal reloads", func() bool { return signalled.snapshot() == second })
}
