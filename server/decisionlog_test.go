package server

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/routing"
)

// decided is a request with its decision.
func decided(t *testing.T, text string) (routing.Request, routing.Decision) {
	t.Helper()
	req := routing.Request{
		Task: routing.Task{Task: classifier.Prompt(text), Labels: map[string]string{"team": "billing"}},
		AsOf: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Identity: routing.Identity{Tenant: "acme"},
	}
	d, err := routing.Default().Route(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return req, d
}

func TestDecisionLogHasNoText(t *testing.T) {
	dir := t.TempDir()
	key, path := filepath.Join(dir, "key"), filepath.Join(dir, "decisions.jsonl")
	if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := openDecisionLog(path, key)
	if err != nil {
		t.Fatal(err)
	}
	req, d := decided(t, "rename xyzzy.txt to kebab-case")
	log.record("one", "snap", req.AsOf, &req, &d)
	log.record("two", "snap", req.AsOf, &req, &d)
	log.close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "xyzzy") {
		t.Errorf("the text is in the log: %s", data)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 2 {
		t.Fatalf("got %d lines, want 2", len(lines))
	}
	var record decisionRecord
	if err := json.Unmarshal([]byte(lines[0]), &record); err != nil {
		t.Fatal(err)
	}
	if record.ID != "one" || record.Model != d.Model.Ref() || record.Savings != d.Savings.Amount.String() ||
		record.Labels["team"] != "billing" || record.Tenant != "acme" || len(record.TextHash) != 64 || len(record.Reasons) == 0 {
		t.Errorf("got %+v", record)
	}
}

// stuck is a writer that waits until it is let go.
type stuck struct {
	bytes.Buffer

	letGo chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.letGo
	return s.Buffer.Write(p)
}

func (s *stuck) Close() error { return nil }

func TestDecisionLogDropsAndCounts(t *testing.T) {
	to := &stuck{letGo: make(chan struct{})}
	log := newDecisionLog(to, nil)
	req, d := decided(t, "rename these files")
	const over = 100
	for range 2*decisionBacklog + over {
		log.record("id", "snap", req.AsOf, &req, &d) // never waits, or this test does not end
	}
	close(to.letGo)
	log.close()
	written := int64(bytes.Count(to.Bytes(), []byte("\n")))
	if total := written + log.dropped.Load(); total != 2*decisionBacklog+over || log.dropped.Load() == 0 {
		t.Errorf("%d written and %d dropped of %d", written, log.dropped.Load(), 2*decisionBacklog+over)
	}
	log.record("late", "snap", req.AsOf, &req, &d)
	log.close()
}

func TestDecisionLogRefusesShortKey(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openDecisionLog("-", key); err == nil || !strings.Contains(err.Error(), "16 or more") {
		t.Errorf("got %v", err)
	}
}

// TestServedDecisionsAreLogged routes over the wire and reads the log after the stop.
func TestServedDecisionsAreLogged(t *testing.T) {
	config := testConfig()
	config.DecisionLog.To = filepath.Join(t.TempDir(), "decisions.jsonl")
	r := startInMemory(t, config)
	answer, err := r.Route(t.Context(), &adjutantv1.RouteRequest{
		Task: &adjutantv1.Task{Input: &adjutantv1.Task_Prompt{Prompt: "rename xyzzy.txt to kebab-case"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(config.DecisionLog.To)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(data); strings.Count(text, "\n") != 1 || !strings.Contains(text, answer.GetDecision().GetId()) || strings.Contains(text, "xyzzy") {
		t.Errorf("got %q for decision %s", text, answer.GetDecision().GetId())
	}
}
