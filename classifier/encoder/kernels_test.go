package encoder

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestProductIsExact holds every kernel to sums in int64, with random numbers and
// with the largest ones that may occur.
func TestProductIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(limit int) func() int { return func() int { return r.IntN(2*limit+1) - limit } }
	constant := func(v int) func() int { return func() int { return v } }
	tests := []struct {
		name       string
		inputs     int
		activation func() int
		weight     func() int
	}{
		{"four inputs", 4, random(maxActivation), random(127)},
		{"an odd number of fours", 36, random(maxActivation), random(127)},
		{"a layer", 384, random(maxActivation), random(127)},
		{"softmax weights", maxTokens, constant(oneWeight), constant(-128)},
		{"the largest sum", maxInputs, constant(maxActivation), constant(127)},
		{"the lowest sum", maxInputs, constant(maxActivation), constant(-128)},
		{"the largest of two negatives", maxInputs, constant(-maxActivation), constant(-128)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The second of two tiles each way, so that offsets count.
			a := newActivations(2*tileRows, tt.inputs+6)
			for i := range a.q {
				a.q[i] = int16(tt.activation())
			}
			for row := range a.step {
				a.step[row] = 1
				a.cross[row] = cross(a.q[row*a.stride:][:tt.inputs])
			}
			m := &matrix{in: tt.inputs, out: 2 * tileColumns, weights: make([]byte, tt.inputs*2*tileColumns)}
			m.scale, m.bias = slices.Repeat([]float32{1}, m.out), make([]float32, m.out)
			for i := range m.weights {
				m.weights[i] = byte(tt.weight())
			}
			m.setCross()
			for _, kernel := range kernels() {
				got := slices.Repeat([]float32{5}, tileRows*tileColumns) // old results must not count
				restore := use(kernel)
				product(got, tileColumns, &a, tileRows, m, tileColumns)
				restore()
				for row := range tileRows {
					for c := range tileColumns {
						var want int64
						for i := range tt.inputs {
							w := m.weights[(tt.inputs+i/2*2)*tileColumns+2*c+i%2]
							want += int64(a.q[(tileRows+row)*a.stride+i]) * int64(int8(w))
						}
						if want != int64(int32(want)) {
							t.Fatalf("%d is not an int32", want)
						}
						if got := got[row*tileColumns+c]; got != float32(want) {
							t.Fatalf("%s: row %d channel %d: got %v, want %d", kernel, row, c, got, want)
						}
					}
				}
			}
		})
	}
}

// FuzzKernels: the assembly gives what plain Go does, bit by bit, whatever the
// numbers. NaN counts as one number, and none goes in: processors choose among
// several, and only damaged weights give one.
func FuzzKernels(f *testing.F) {
	if !hasAVX2 {
		f.Skip("this processor has no AVX2: there is one kernel only")
	}
	r := rand.New(rand.NewPCG(7, 8))
	for _, size := range []float64{0, 1e-38, 1e-30, 1e-3, 1, 10, 1e20, 3e38} {
		var b []byte
		for range 200 {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(size*r.NormFloat64())))
		}
		f.Add(b)
	}
	f.Add([]byte("\x00\x00\x80\x7f\x00\x00\x80\xff\x00\x00\x00\x80\xcd\xcc\xcc\x3e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// x holds whole vectors, at least four rows of 16.
		x := make([]float32, max(64, min(len(b)/4, 4096)/16*16))
		for i := range min(len(x), len(b)/4) {
			if v := math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])); !math.IsNaN(float64(v)) {
				x[i] = v
			}
		}
		factor := 127 / max(largest(x), tiny)
		reversed := slices.Clone(x)
		slices.Reverse(reversed)
		// Everything that kernels return or write, as numbers that can be compared.
		run := func(kernel string) (results map[string][]float32) {
			defer use(kernel)()
			results = map[string][]float32{"largest": {largest(x)}}

			most := make([]float32, len(x))
			widen(most, x)
			widen(most, reversed)
			results["widen"] = most

			q := make([]int16, len(x))
			round(q, x, factor)
			results["round"] = numbers(q)
			results["cross"] = numbers([]int32{cross(q)})

			m := &matrix{in: 4, out: 16, weights: make([]byte, 64), cross: make([]int32, 16)}
			m.roundFour(0, 0, x, len(x)/4, (*[tileColumns]float32)(slices.Repeat([]float32{factor}, tileColumns)))
			results["roundFour"] = append(numbers(m.weights), numbers(m.cross)...)

			results["softmax"] = append(numbers(q), softmax(q, x))
			results["softmax weights"] = numbers(q)

			results["gelu"] = slices.Clone(x)
			gelu(results["gelu"])

			results["add"] = slices.Clone(x)
			n := normalisation{gain: reversed, bias: most}
			n.add(results["add"], reversed)
			return results
		}
		want := run("go")
		for name, got := range run("avx2") {
			for i, v := range got {
				w := want[name][i]
				if math.Float32bits(v) != math.Float32bits(w) && !(math.IsNaN(float64(v)) && math.IsNaN(float64(w))) {
					t.Errorf("%s: result %d of %d is %v, plain Go has %v", name, i, len(got), v, w)
				}
			}
		}
	})
}

// numbers turns integers into floats whose bits differ when the integers do.
func numbers[T ~uint8 | ~int16 | ~int32](x []T) (f []float32) {
	for _, v := range x {
		f = append(f, float32(int32(v)>>16), float32(int32(v)&0xffff))
	}
	return f
}

func TestActivationsAreRounded(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range []float64{0, 1e-38, 1e-20, 1, 1e20, 3e38} {
		x, a := make([]float32, 64), newActivations(1, 64)
		for i := range x {
			x[i] = float32(size * (2*r.Float64() - 1))
		}
		a.set(0, x)
		for i, q := range a.q {
			if q > maxActivation || q < -maxActivation {
				t.Errorf("size %g: %d is out of range", size, q)
			}
			step := float64(a.step[0])
			if d := math.Abs(float64(x[i]) - float64(q)*step); d > 0.501*step && d > tiny {
				t.Errorf("size %g: %g became %d of %g", size, x[i], q, step)
			}
		}
	}
}

func TestNormalisation(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	x, y := make([]float32, 384), make([]float32, 384)
	n := normalisation{gain: make([]float32, 384), bias: make([]float32, 384)}
	var mean, variance float64
	for i := range x {
		x[i], y[i] = float32(1+r.NormFloat64()), float32(3*r.NormFloat64())
		n.gain[i], n.bias[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
		mean += float64(x[i]+y[i]) / 384
	}
	for i := range x {
		variance += (float64(x[i]+y[i]) - mean) * (float64(x[i]+y[i]) - mean) / 384
	}
	got := slices.Clone(x)
	n.add(got, y)
	for i := range x {
		want := (float64(x[i]+y[i])-mean)/math.Sqrt(variance)*float64(n.gain[i]) + float64(n.bias[i])
		if math.Abs(float64(got[i])-want) > 1e-5 {
			t.Errorf("number %d is %v, want %v", i, got[i], want)
		}
	}
}

func TestGELU(t *testing.T) {
	for x := -8.0; x < 8; x += 0.0007 {
		got := []float32{float32(x)}
		gelu(got)
		if want := x / 2 * math.Erfc(-x/math.Sqrt2); math.Abs(float64(got[0])-want) > 6e-6 {
			t.Fatalf("gelu(%v) = %v, want %v", x, got[0], want)
		}
	}
	far := []float32{1e30, -1e30}
	gelu(far)
	if far[0] < 0.99999e30 || far[0] > 1.00001e30 || math.Abs(float64(far[1])) > 6e-6 {
		t.Errorf("gelu(±1e30) = %v", far)
	}
}

func TestSoftmax(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		scores, weights := make([]float32, 1+r.IntN(maxTokens)), make([]int16, maxTokens)
		var sum float64
		for i := range scores {
			scores[i] = float32(4 * r.NormFloat64())
			sum += math.Exp(float64(scores[i]))
		}
		inverse := softmax(weights, scores)
		for i, v := range scores {
			if got, want := float64(inverse)*float64(weights[i]), math.Exp(float64(v))/sum; math.Abs(got-want) > 1e-3 {
				t.Fatalf("weight %d of %d is %v, want %v", i, len(scores), got, want)
			}
		}
	}
}
