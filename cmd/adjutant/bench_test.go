package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkLines measures --jsonl from reading to writing, with tasks of about 400
// characters. Compare lines/s; it grows with the cores.
func BenchmarkLines(b *testing.B) {
	var lines strings.Builder
	const batch = 1000
	for i := range batch {
		prompt := fmt.Sprintf("Record %d. %s", i, strings.Repeat("Write a function that reads a list of orders and gives the total by customer. ", 5))
		line, err := json.Marshal(map[string]any{"task": map[string]any{"prompt": prompt}})
		if err != nil {
			b.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	for _, command := range []string{"classify", "route"} {
		b.Run(command, func(b *testing.B) {
			b.ReportAllocs()
			answered := 0
			for b.Loop() {
				if code := Main(b.Context(), []string{command, "--jsonl"}, strings.NewReader(lines.String()), io.Discard, io.Discard); code != exitOK {
					b.Fatalf("exit code %d", code)
				}
				answered += batch
			}
			b.ReportMetric(float64(answered)/b.Elapsed().Seconds(), "lines/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
