package server

import (
	"encoding/json"
	"io"
	"log/slog"
	"strconv"
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
	b.add(line)
	return len(line), nil
}

func (b *lineBuffer) add(line []byte) {
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

// logLine is a line of slog's JSON handler, made without it: every call has one, and
// so it takes a tenth of the time and no allocation.
type logLine []byte

func beginLine(space []byte, at time.Time, level slog.Level, message string) logLine {
	space = append(space, `{"time":"`...)
	space = at.AppendFormat(space, time.RFC3339Nano)
	return append(logLine(space), '"').text("level", level.String()).text("msg", message)
}

func (l logLine) text(key, value string) logLine {
	l = l.key(key)
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(value)
			if err != nil {
				return append(l, `""`...) // can't be: any string can be quoted
			}
			return append(l, quoted...)
		}
	}
	l = append(l, '"')
	l = append(l, value...)
	return append(l, '"')
}

func (l logLine) number(key string, n int64) logLine { return strconv.AppendInt(l.key(key), n, 10) }

func (l logLine) key(key string) logLine {
	l = append(l, `,"`...)
	l = append(l, key...)
	return append(l, `":`...)
}

func (l logLine) end() []byte { return append(l, "}\n"...) }
