package server

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/routing"
)

// decisionBacklog is how many records may wait to be written. At a thousand bytes a
// record that bounds the memory at a few megabytes.
const decisionBacklog = 4096

// decisionLog writes one JSON line a decision, without text of the task. It never
// makes a call wait: what its writer can't keep up with is dropped and counted.
type decisionLog struct {
	records chan decisionRecord
	key     []byte // of the hash of the text; empty for no hash
	dropped atomic.Int64
	failed  atomic.Int64 // records that could not be written
	done    chan struct{}

	closing sync.RWMutex
	closed  bool
}

// decisionRecord is one line. Amounts are decimal dollars; docs/operations.md
// explains the fields.
type decisionRecord struct {
	ID            string                    `json:"id"`
	Time          time.Time                 `json:"time"`
	AsOf          time.Time                 `json:"as_of"`
	Snapshot      string                    `json:"snapshot"`
	Policy        string                    `json:"policy"`
	Tenant        string                    `json:"tenant,omitempty"`
	Tier          string                    `json:"tier"`
	Probabilities [classifier.Tiers]float64 `json:"probabilities"`
	Split         float64                   `json:"split_probability"`
	Model         string                    `json:"model"`
	Estimate      string                    `json:"estimate_usd"`
	Baseline      string                    `json:"baseline_usd"`
	Savings       string                    `json:"savings_usd"`
	ExpectedTotal string                    `json:"expected_total_usd"`
	Plan          *planRecord               `json:"plan,omitempty"`
	Reasons       []string                  `json:"reasons"`
	Labels        map[string]string         `json:"labels,omitempty"`
	TextHash      string                    `json:"text_hmac_sha256,omitempty"`
}

// planRecord is what a decision says of a plan.
type planRecord struct {
	Design      string `json:"design"`
	Execution   string `json:"execution"`
	Cost        string `json:"cost_usd"`
	Recommended bool   `json:"recommended"`
}

// openDecisionLog appends to a file, or writes to standard output for "-". With a key
// file, records carry a keyed hash of the task's text, so that equal tasks can be told
// without the text being guessable by those who lack the key.
func openDecisionLog(path, keyFile string) (*decisionLog, error) {
	var key []byte
	if keyFile != "" {
		var err error
		if key, err = os.ReadFile(keyFile); err != nil {
			return nil, fmt.Errorf("read the decision log's key: %w", err)
		}
		if len(key) < 16 {
			return nil, fmt.Errorf("the decision log's key in %s has %d bytes: use 16 or more, such as from openssl rand 32", keyFile, len(key))
		}
	}
	if path == "-" {
		return newDecisionLog(keepOpen{os.Stdout}, key), nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the decision log: %w", err)
	}
	return newDecisionLog(file, key), nil
}

// keepOpen is standard output, which is not ours to close.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

func newDecisionLog(to io.WriteCloser, key []byte) *decisionLog {
	l := &decisionLog{records: make(chan decisionRecord, decisionBacklog), key: key, done: make(chan struct{})}
	go l.write(to)
	return l
}

// write is the log's one writer. It flushes when nothing is waiting, so that a quiet
// server's log is up to date.
func (l *decisionLog) write(to io.WriteCloser) {
	defer close(l.done)
	buffered := bufio.NewWriterSize(to, 64<<10)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	for record := range l.records {
		err := lines.Encode(record)
		if err == nil && len(l.records) == 0 {
			err = buffered.Flush()
		}
		if err != nil {
			l.failed.Add(1)
			buffered.Reset(to) // a failed writer stays failed; the next record tries anew
		}
	}
	if buffered.Flush() != nil || to.Close() != nil {
		l.failed.Add(1)
	}
}

// record notes a decision, or drops it where the writer is behind. A nil log notes
// nothing.
func (l *decisionLog) record(id, snapshot string, at time.Time, req *routing.Request, d *routing.Decision) {
	if l == nil {
		return
	}
	r := decisionRecord{
		ID: id, Time: at, AsOf: req.AsOf, Snapshot: snapshot, Policy: d.Policy, Tenant: req.Identity.Tenant,
		Tier: d.Tier.String(), Probabilities: d.Classification.Probabilities, Split: d.Classification.SplitProbability,
		Model: d.Model.Ref(), Estimate: d.Estimate.Expected.String(), Baseline: d.Baseline.Expected.String(),
		Savings: d.Savings.Amount.String(), ExpectedTotal: d.ExpectedTotal.String(),
		Reasons: make([]string, len(d.Reasons)), Labels: req.Task.Labels, TextHash: l.hash(req.Task.Messages),
	}
	for i, reason := range d.Reasons {
		r.Reasons[i] = reason.Code.String()
	}
	if p := d.Plan; p != nil {
		r.Plan = &planRecord{Design: p.Steps[0].Model.Ref(), Execution: p.Steps[1].Model.Ref(), Cost: p.Cost.String(), Recommended: p.Recommended}
	}
	l.closing.RLock()
	defer l.closing.RUnlock()
	if l.closed {
		l.dropped.Add(1)
		return
	}
	select {
	case l.records <- r:
	default:
		l.dropped.Add(1)
	}
}

// hash is the keyed hash of roles and contents; empty without a key.
func (l *decisionLog) hash(messages []classifier.Message) string {
	if len(l.key) == 0 {
		return ""
	}
	h := hmac.New(sha256.New, l.key)
	for _, m := range messages {
		fmt.Fprintf(h, "%d:%d:", m.Role, len(m.Content)) // lengths keep messages apart
		_, _ = io.WriteString(h, m.Content)              // a hash does not fail
	}
	return hex.EncodeToString(h.Sum(nil))
}

// close writes what is waiting and closes the file.
func (l *decisionLog) close() {
	if l == nil {
		return
	}
	l.closing.Lock()
	first := !l.closed
	l.closed = true
	if first {
		close(l.records)
	}
	l.closing.Unlock()
	<-l.done
}
