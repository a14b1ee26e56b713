package server

import (
	"io"
	"log/slog"
)

// newLogger writes JSON lines.
func newLogger(w io.Writer, config LogConfig) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: config.Level}))
}
