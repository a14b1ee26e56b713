package server

import (
	"io"
	"log/slog"
	"sync"
	"time"
)

// newLogger writes JSON lines through a buffer, which close must empty.
func newLogger(w io.Writer, config LogConfig) (*slog.Logger, *lineBuffer) {
	lines := &lineBuffer{w: w}
	return slog.New(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: config.Level})), lines
}

const (
	linesAtMost = 64 << 10               // bytes that wait
	linesAfter  = 100 * time.Millisecond // that they wait
)

// lineBuffer gathers lines for a moment: one write to the file a line would cost
// more than making the line. A crash of the process loses at most the last moment.
type lineBuffer struct {
	mu      sync.Mutex
	w       io.Writer
	waiting []byte
	timer   *time.Timer
}

// Write keeps a line for the next flush.
func (b *lineBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		if b.timer == nil {
			b.timer = time.AfterFunc(linesAfter, b.flush)
		} else {
			b.timer.Reset(linesAfter)
		}
	}
	b.waiting = append(b.waiting, line...)
	if len(b.waiting) >= linesAtMost {
		b.write()
	}
	return len(line), nil
}

// flush writes what waits.
func (b *lineBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.write()
}

func (b *lineBuffer) write() {
	if len(b.waiting) > 0 {
		_, _ = b.w.Write(b.waiting) // where the log can't be written there is no place to say so
		b.waiting = b.waiting[:0]
	}
}
