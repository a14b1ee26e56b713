package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"reflect"
	"testing"
	"time"
)

// The lines of calls are what slog would have written.
func TestLinesOfCallsAreSlogs(t *testing.T) {
	at := time.Date(2026, 11, 25, 17, 4, 5, 123456789, time.UTC)
	for _, text := range []string{"plain", `quo"te`, "back\\slash", "line\nbreak", "日本", "bad\xffbytes", ""} {
		var want bytes.Buffer
		record := slog.NewRecord(at, slog.LevelInfo, "call", 0)
		record.AddAttrs(slog.String("tenant", text), slog.Int64("bytes", 42))
		if err := slog.NewJSONHandler(&want, nil).Handle(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		got := beginLine(nil, at, slog.LevelInfo, "call").text("tenant", text).number("bytes", 42).end()
		var a, b map[string]any
		if err := json.Unmarshal(got, &a); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if err := json.Unmarshal(want.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("got %s, want %s", got, want.String())
		}
	}
}
