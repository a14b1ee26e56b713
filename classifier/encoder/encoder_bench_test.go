package encoder

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkLogits measures whole calls on a network of the published size with
// random weights: time depends on the shape and the number of tokens only.
// Run with -cpu 1,2 for the throughput of concurrent calls.
func BenchmarkLogits(b *testing.B) {
	e, err := Load(synthetic(shape{layers: 12, hidden: 384, heads: 12, ffn: 1536, tokens: 100, positions: maxTokens}, 1))
	if err != nil {
		b.Fatal(err)
	}
	for _, kernel := range kernels() {
		for _, tokens := range []int{16, 48, 93} {
			ask := strings.Repeat("a ", min(tokens-2, headTokens+tailTokens+1))
			before := []string{strings.Repeat("a ", turnTokens), strings.Repeat("a ", turnTokens), strings.Repeat("a ", turnTokens)}
			if tokens <= 98 {
				before = nil
			}
			b.Run(fmt.Sprintf("%s/tokens=%d", kernel, tokens), func(b *testing.B) {
				defer use(kernel)()
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := e.Logits(b.Context(), ask, before...); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

// BenchmarkProduct measures the kernel alone, in multiplications and additions a
// nanosecond, on a tile of 4 rows and 384 inputs.
func BenchmarkProduct(b *testing.B) {
	a, dst := newActivations(tileRows, 384), make([]float32, tileRows*tileColumns)
	m := &matrix{in: 384, out: tileColumns, weights: make([]byte, 384*tileColumns), scale: make([]float32, tileColumns), bias: make([]float32, tileColumns)}
	m.setCross()
	for _, kernel := range kernels() {
		b.Run(kernel, func(b *testing.B) {
			defer use(kernel)()
			b.ReportAllocs()
			for b.Loop() {
				product(dst, tileColumns, &a, 0, m, 0)
			}
			b.ReportMetric(float64(b.N)*tileRows*384*tileColumns/float64(b.Elapsed().Nanoseconds()), "MAC/ns")
		})
	}
}

// BenchmarkTokenise measures the tokenizer on English and on a script that
// needs decomposition.
func BenchmarkTokenise(b *testing.B) {
	e := tinyEncoder(b)
	s := newScratch(e.shape)
	for name, text := range map[string]string{
		"english": strings.Repeat("The quick brown fox, jumps over a lazy dog. ", 100),
		"korean":  strings.Repeat("다람쥐 헌 쳇바퀴에 타고파 ", 100),
		"oneword": strings.Repeat("a", 1<<20),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				e.tokenise(s, text, nil)
			}
		})
	}
}
