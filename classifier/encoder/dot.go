package encoder

import (
	"encoding/binary"
	"math"
)

// A tile is the unit of work of the kernel: tileRows rows of activations times
// tileColumns output channels.
const (
	tileRows    = 4
	tileColumns = 16
)

// maxActivation bounds quantised activations. With weights down to -128 a sum
// of maxInputs products stays inside int32, so the kernel is exact:
// 2048 × 8191 × 128 = 2,147,221,504 < 2³¹.
const (
	maxActivation = 8191
	maxInputs     = 2048
)

// dot sets dst[r*16+c] to the sum over i of a[r*stride+i] × w(c, i), for 4
// rows and 16 channels. w holds int8 in the order [i/2][c][i%2], 16 bytes for
// each i, so a channel's two neighbours lie side by side as VPMADDWD wants
// them, and one pass reads w in order. The number of inputs is len(w)/16, an
// even number.
func dot(dst *[tileRows * tileColumns]int32, a []int16, stride int, w []byte) {
	pairs := len(w) / (2 * tileColumns)
	if pairs == 0 {
		clear(dst[:])
		return
	}
	_ = a[(tileRows-1)*stride+2*pairs-1] // the assembly checks no bounds
	if hasAVX2 {
		dotAVX2(dst, &a[0], 2*stride, &w[0], pairs)
		return
	}
	dotGeneric(dst, a, stride, w)
}

// dotGeneric is dot in plain Go, with the same results. It takes two channels
// with one multiplication: with p = w0 + 2³²·w1 the sum of a·p in 64 bits is
// (sum of a·w0) + 2³²·(sum of a·w1), and both sums fit in 32 bits.
func dotGeneric(dst *[tileRows * tileColumns]int32, a []int16, stride int, w []byte) {
	n := len(w) / tileColumns
	a0, a1, a2, a3 := a[:n], a[stride:][:n], a[2*stride:][:n], a[3*stride:][:n]
	for c := 0; c < tileColumns; c += 2 {
		var s0, s1, s2, s3 int64
		at := w[2*c:]
		for i := 0; i+1 < len(a0) && i+1 < len(a1) && i+1 < len(a2) && i+1 < len(a3); i += 2 {
			// Two inputs of two channels.
			four := binary.LittleEndian.Uint32(at[i*tileColumns:])
			p := int64(int8(four)) + int64(int8(four>>16))<<32
			q := int64(int8(four>>8)) + int64(int8(four>>24))<<32
			s0 += int64(a0[i])*p + int64(a0[i+1])*q
			s1 += int64(a1[i])*p + int64(a1[i+1])*q
			s2 += int64(a2[i])*p + int64(a2[i+1])*q
			s3 += int64(a3[i])*p + int64(a3[i+1])*q
		}
		for r, s := range [tileRows]int64{s0, s1, s2, s3} {
			low := int32(s)
			dst[r*tileColumns+c], dst[r*tileColumns+c+1] = low, int32((s-int64(low))>>32)
		}
	}
}

// tiny is a magnitude that counts as zero: its inverse is still finite.
const tiny = 1e-30

// largest returns the largest magnitude in x. The bits of positive floats are
// ordered like the floats, and integers compare faster.
func largest(x []float32) float32 {
	var m uint32
	for _, v := range x {
		m = max(m, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(m)
}

// quantise sets q to x in steps of the returned scale, which makes the largest
// magnitude maxActivation. Zeros give scale 0.
func quantise(q []int16, x []float32) (scale float32) {
	m := largest(x)
	if m < tiny {
		clear(q[:len(x)])
		return 0
	}
	inverse := maxActivation / m
	q = q[:len(x)]
	for i, v := range x {
		// The sum is positive, so that cutting off rounds to nearest.
		q[i] = int16(int32(float32(v*inverse)+(maxActivation+1.5)) - (maxActivation + 1))
	}
	return m / maxActivation
}

// quantise8 is one value in int8, given 127 over the largest magnitude.
func quantise8(v, inverse float32) byte {
	return byte(int32(float32(v*inverse)+128.5) - 128)
}
