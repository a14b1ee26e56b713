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
	linesAfter  = 100 * time.Millisecond // that lines wait
	linesSoon   = 64 << 10               // bytes after which they wait no longer
	linesAtMost = 4 << 20                // bytes after which calls wait for the file
)

// lineBuffer gathers lines for a moment: one write to the file a line would cost
// more than making the line, and would make calls wait for the file. A crash of the
// process loses at most the last moment.
type lineBuffer struct {
	w io.Writer

	mu      sync.Mutex
	waiting []byte
	timer   *time.Timer

	writing sync.Mutex // held while w is written, when mu is not
	spare   []byte     // what was written last, to be filled again
}

// Write keeps a line for the next flush.
func (b *lineBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	before := len(b.waiting)
	b.waiting = append(b.waiting, line...)
	after := len(b.waiting)
	switch {
	case b.timer == nil:
		b.timer = time.AfterFunc(linesAfter, b.flush)
	case before == 0:
		b.timer.Reset(linesAfter)
	case before < linesSoon && after >= linesSoon:
		b.timer.Reset(0)
	}
	b.mu.Unlock()
	if after >= linesAtMost {
		b.flush()
	}
	return len(line), nil
}

// flush writes what waits.
func (b *lineBuffer) flush() {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	lines := b.waiting
	b.waiting = b.spare[:0]
	b.mu.Unlock()
	if len(lines) > 0 {
		_, _ = b.w.Write(lines) // where the log can't be written there is no place to say so
	}
	b.spare = lines
}
