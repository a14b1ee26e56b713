package encoder

import "golang.org/x/sys/cpu"

// hasAVX2 is a variable so that tests can run both ways.
var hasAVX2 = cpu.X86.HasAVX2

// The functions below are those of kernels.go without AVX2 in their name. n
// counts numbers and is a multiple of 16, at least 16; width and stride are in
// bytes; fours is a quarter of the inputs, at least 1.

//go:noescape
func productAVX2(dst *float32, width int, a *int16, stride int, w *byte, fours int, step *[tileRows]float32, scale, bias *[tileColumns]float32, aCross *[tileRows]int32, wCross *[tileColumns]int32)

//go:noescape
func crossAVX2(q *int16, n int) int32

//go:noescape
func largestAVX2(x *float32, n int) float32

//go:noescape
func widenAVX2(most, x *float32, n int)

//go:noescape
func roundAVX2(q *int16, x *float32, n int, factor float32)

//go:noescape
func roundFourAVX2(w *byte, cross *[tileColumns]int32, x *float32, width int, factor *[tileColumns]float32)

//go:noescape
func addAVX2(x, y, gain, bias *float32, n int)

//go:noescape
func softmaxAVX2(weights *int16, scores *float32, n int) (sum int32)

//go:noescape
func geluAVX2(x *float32, n int)
