package encoder

import (
	"encoding/binary"
	"math"
)

// This file holds the loops over numbers. Each is here in plain Go and, with
// the same results to the last bit, in kernels_amd64.s for AVX2. Products of
// floats are converted explicitly before they are added: that forbids fused
// multiply-add, so that every machine gets the same bits.

// inVectors says whether AVX2 is to take n numbers, which it does by 16. All
// lengths in a network are such.
func inVectors(n int) bool { return hasAVX2 && n > 0 && n%16 == 0 }

// A tile is the unit of work of product: tileRows rows of activations times
// tileColumns output channels.
const (
	tileRows    = 4
	tileColumns = 16
)

// maxActivation bounds quantised activations. With weights down to -128 a sum
// of maxInputs products stays inside int32, so product is exact:
// 2048 × 8191 × 128 = 2,147,221,504 < 2³¹.
const (
	maxActivation = 8191
	maxInputs     = 2048
)

// activations are the rows that meet a matrix, in int16.
type activations struct {
	q      []int16 // row after row
	stride int     // numbers from one row to the next
	step   []float32
	cross  []int32
}

func newActivations(rows, stride int) activations {
	return activations{make([]int16, rows*stride), stride, make([]float32, rows), make([]int32, rows)}
}

// set makes x row r, in steps that make its largest magnitude maxActivation.
// Zeros get step 0.
func (a *activations) set(r int, x []float32) {
	q, m := a.q[r*a.stride:][:len(x)], largest(x)
	if m < tiny {
		clear(q)
		a.step[r], a.cross[r] = 0, 0
		return
	}
	round(q, x, maxActivation/m)
	a.step[r], a.cross[r] = m/maxActivation, cross(q)
}

// matrix is a linear layer: out channels, each a sum over in inputs, which is a
// multiple of 4. Weights are int8 in tiles of 16 channels, in the order [i/2][c][i%2]:
// 16 bytes for each input i.
type matrix struct {
	in, out     int
	weights     []byte
	scale, bias []float32 // of each channel
	cross       []int32   // of each channel
}

// product sets dst[i*width+j] to (row r+i of a) × (channel c+j of m) × step × scale
// + bias, for one tile. The product of integers before the two factors is exact.
//
// The assembly multiplies half as often as there are products. Winograd's
// identity (1968) takes two inputs with one multiplication,
//
//	a₀w₀ + a₂w₂ = (a₀ + w₂)(a₂ + w₀) - a₀a₂ - w₀w₂,
//
// and what it subtracts depends on the row alone or on the channel alone: their
// cross. Sums that leave int32 on the way come back, since it counts modulo 2³².
func product(dst []float32, width int, a *activations, r int, m *matrix, c int) {
	q, w := a.q[r*a.stride:], m.weights[c*m.in:][:tileColumns*m.in]
	step := (*[tileRows]float32)(a.step[r:])
	scale, bias := (*[tileColumns]float32)(m.scale[c:]), (*[tileColumns]float32)(m.bias[c:])
	if hasAVX2 && m.in >= 4 {
		_, _ = dst[(tileRows-1)*width+tileColumns-1], q[(tileRows-1)*a.stride+m.in-1] // the assembly checks no bounds
		productAVX2(&dst[0], 4*width, &q[0], 2*a.stride, &w[0], m.in/4, step, scale, bias,
			(*[tileRows]int32)(a.cross[r:]), (*[tileColumns]int32)(m.cross[c:]))
		return
	}
	var sums [tileRows * tileColumns]int32
	dot(&sums, q, a.stride, w)
	for i := range tileRows {
		out := (*[tileColumns]float32)(dst[i*width:])
		for j := range out {
			out[j] = float32(float32(sums[i*tileColumns+j])*float32(step[i]*scale[j])) + bias[j]
		}
	}
}

// dot sets dst[r*16+c] to the sum over i of a[r*stride+i] × w(c, i), for 4 rows
// and the 16 channels of w. It takes two channels with one multiplication:
// with p = w0 + 2³²·w1 the sum of a·p in 64 bits is
// (sum of a·w0) + 2³²·(sum of a·w1), and both sums fit in 32 bits.
func dot(dst *[tileRows * tileColumns]int32, a []int16, stride int, w []byte) {
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

// cross returns the sum of q[i]·q[i+2] + q[i+1]·q[i+3] over all i that 4 divides,
// modulo 2³². Only the assembly needs it.
func cross(q []int16) (sum int32) {
	if inVectors(len(q)) {
		return crossAVX2(&q[0], len(q))
	}
	for ; len(q) >= 4; q = q[4:] {
		sum += int32(q[0])*int32(q[2]) + int32(q[1])*int32(q[3])
	}
	return sum
}

// setCross sets m.cross to the cross of each channel's weights.
func (m *matrix) setCross() {
	m.cross = make([]int32, m.out)
	for c := range m.cross {
		w := m.weights[c/tileColumns*tileColumns*m.in+c%tileColumns*2:]
		for i := 0; i < m.in; i += 4 {
			four := w[i*tileColumns:][:2*tileColumns+2]
			m.cross[c] += int32(int8(four[0]))*int32(int8(four[2*tileColumns])) +
				int32(int8(four[1]))*int32(int8(four[2*tileColumns+1]))
		}
	}
}

// tiny is a magnitude that counts as zero: its inverse is still finite.
const tiny = 1e-30

// magnitude returns the bits of |v|. Those of positive floats are ordered like
// the floats, and integers compare faster.
func magnitude(v float32) uint32 { return math.Float32bits(v) &^ (1 << 31) }

// largest returns the largest magnitude in x.
func largest(x []float32) float32 {
	if inVectors(len(x)) {
		return largestAVX2(&x[0], len(x))
	}
	var m uint32
	for _, v := range x {
		m = max(m, magnitude(v))
	}
	return math.Float32frombits(m)
}

// widen sets most[i], which is not negative, to the magnitude of x[i] where that
// is larger.
func widen(most, x []float32) {
	x = x[:len(most)]
	if inVectors(len(x)) {
		widenAVX2(&most[0], &x[0], len(x))
		return
	}
	for i, v := range x {
		most[i] = math.Float32frombits(max(magnitude(most[i]), magnitude(v)))
	}
}

// toInteger is 1.5 × 2²³: the last bit of the floats around it is worth 1. Adding
// it rounds to the nearest integer, half to even, and leaves that integer in the
// low bits.
const toInteger = 3 << 22

// round sets q to x times factor, rounded.
func round(q []int16, x []float32, factor float32) {
	q = q[:len(x)]
	if inVectors(len(x)) {
		roundAVX2(&q[0], &x[0], len(x), factor)
		return
	}
	for i, v := range x {
		q[i] = int16(math.Float32bits(float32(v*factor) + toInteger))
	}
}

// roundFour makes inputs i to i+3 of channels c to c+15 from the four rows of x,
// each width after the one before, times factor, rounded. It adds to the channels'
// cross what the four inputs contribute. Results must fit in int8.
func (m *matrix) roundFour(c, i int, x []float32, width int, factor *[tileColumns]float32) {
	w, sums := m.weights[c*m.in+i*tileColumns:][:4*tileColumns], (*[tileColumns]int32)(m.cross[c:])
	if hasAVX2 {
		_ = x[3*width+tileColumns-1] // the assembly checks no bounds
		roundFourAVX2(&w[0], sums, &x[0], 4*width, factor)
		return
	}
	for j, f := range factor {
		var q [4]int8
		for k := range q {
			q[k] = int8(math.Float32bits(float32(x[k*width+j]*f) + toInteger))
		}
		sums[j] += int32(q[0])*int32(q[2]) + int32(q[1])*int32(q[3])
		w[2*j], w[2*j+1], w[2*tileColumns+2*j], w[2*tileColumns+2*j+1] = byte(q[0]), byte(q[1]), byte(q[2]), byte(q[3])
	}
}

// normalisation is a layer norm.
type normalisation struct {
	gain, bias []float32
}

// add adds y to x and normalises the sum to mean 0 and variance 1, which it then
// scales and shifts.
func (n *normalisation) add(x, y []float32) {
	y, gain, bias := y[:len(x)], n.gain[:len(x)], n.bias[:len(x)]
	if inVectors(len(x)) {
		addAVX2(&x[0], &y[0], &gain[0], &bias[0], len(x))
		return
	}
	// Eight sums each, as a register has.
	var a, b [8]float32
	for i, v := range y {
		x[i] += v
		a[i%8] += x[i]
	}
	mean := sum8(&a) / float32(len(x))
	for i, v := range x {
		v -= mean
		b[i%8] += float32(v * v)
	}
	variance := sum8(&b) / float32(len(x))
	scale := float32(1 / math.Sqrt(float64(variance)+1e-12))
	for i, v := range x {
		x[i] = float32(float32((v-mean)*scale)*gain[i]) + bias[i]
	}
}

// sum8 adds the halves of a register, then the halves of the half.
func sum8(a *[8]float32) float32 {
	return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
}

// Softmax reads a table, made at start from math.Exp. The step is a power of two,
// so that an index is exact.
const (
	oneWeight  = 1 << 14 // quantised softmax: the weight of the largest score
	expSteps   = 1 << 10 // entries per unit; half a step is 0.05% of a weight
	expEntries = 10 * expSteps
)

// expTable[i] is exp(-i/expSteps) in 1/oneWeight; it rounds to 0 at 10.4. The
// last entry is there because the assembly reads two at a time.
var expTable = func() (exp [expEntries + 1]int16) {
	for i := range exp {
		exp[i] = int16(math.Round(oneWeight * math.Exp(-float64(i)/expSteps)))
	}
	return exp
}()

// softmax sets weights to exp(score - largest score) in 1/oneWeight, and
// returns the inverse of their sum, which makes a weighted sum a mean.
func softmax(weights []int16, scores []float32) float32 {
	weights = weights[:len(scores)]
	if inVectors(len(scores)) {
		return 1 / float32(softmaxAVX2(&weights[0], &scores[0], len(scores)))
	}
	most := float32(math.Inf(-1))
	for _, v := range scores {
		if v > most {
			most = v
		}
	}
	var sum int32
	for i, v := range scores {
		var w int16
		// Written so that NaN, which only strange weights give, is left out.
		if below := float32((most-v)*expSteps) + 0.5; below < expEntries {
			w = expTable[int(below)]
		}
		weights[i] = w
		sum += int32(w)
	}
	return 1 / float32(sum)
}

// geluFit approximates the normal distribution function Φ: for |x| up to a bound,
// Φ(x) is ½ + x·p(x²)/q(x²), p = a₀ + a₁t + a₂t² + a₃t³, q = 1 + b₁t + b₂t² + b₃t³.
// It lists a₀ to a₃, b₁ to b₃ and the bound. The figures are a least-squares fit
// whose weights were moved until the largest error of x·Φ(x) was smallest.
var geluFit = [8]float32{
	0.398932546377182, 0.027697274461388588, 0.0038014508318156004, 3.2405070669483393e-05,
	0.23604832589626312, 0.023883191868662834, 0.0011459995293989778, 4.7,
}

// gelu replaces each x by x·Φ(x), within 6e-6.
func gelu(x []float32) {
	if inVectors(len(x)) {
		geluAVX2(&x[0], len(x))
		return
	}
	a, b, bound := geluFit[:4], geluFit[4:7], geluFit[7]
	for i, v := range x {
		v = max(v, -bound)
		u := min(v, bound)
		t := float32(u * u)
		p := float32(float32(float32(float32(float32(a[3]*t)+a[2])*t)+a[1])*t) + a[0]
		q := float32(float32(float32(float32(float32(b[2]*t)+b[1])*t)+b[0])*t) + 1
		x[i] = v * (float32(u*p)/q + 0.5)
	}
}
