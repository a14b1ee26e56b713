package encoder

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestDotIsExact holds every kernel to sums in int64, with random numbers and
// with the largest ones that may occur.
func TestDotIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(limit int) func() int { return func() int { return r.IntN(2*limit+1) - limit } }
	constant := func(v int) func() int { return func() int { return v } }
	tests := []struct {
		name       string
		inputs     int
		activation func() int
		weight     func() int
	}{
		{"none", 0, constant(0), constant(0)},
		{"one pair", 2, random(maxActivation), random(127)},
		{"odd pairs", 34, random(maxActivation), random(127)},
		{"a layer", 384, random(maxActivation), random(127)},
		{"softmax weights", maxTokens, constant(oneWeight), constant(-128)},
		{"the largest sum", maxInputs, constant(maxActivation), constant(127)},
		{"the lowest sum", maxInputs, constant(maxActivation), constant(-128)},
		{"the largest of two negatives", maxInputs, constant(-maxActivation), constant(-128)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stride := tt.inputs + 6
			a, w := make([]int16, tileRows*stride), make([]byte, tt.inputs*tileColumns)
			for i := range a {
				a[i] = int16(tt.activation())
			}
			for i := range w {
				w[i] = byte(tt.weight())
			}
			for _, kernel := range kernels() {
				var got [tileRows * tileColumns]int32
				got[5] = 1 // old results must not count
				restore := use(kernel)
				dot(&got, a, stride, w)
				restore()
				for row := range tileRows {
					for c := range tileColumns {
						var want int64
						for i := range tt.inputs {
							want += int64(a[row*stride+i]) * int64(int8(w[i/2*2*tileColumns+2*c+i%2]))
						}
						if int64(got[row*tileColumns+c]) != want {
							t.Fatalf("%s: row %d channel %d: got %d, want %d", kernel, row, c, got[row*tileColumns+c], want)
						}
					}
				}
			}
		})
	}
}

func TestQuantise(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range []float64{0, 1e-38, 1e-20, 1, 1e20, 3e38} {
		x, q := make([]float32, 64), make([]int16, 64)
		for i := range x {
			x[i] = float32(size * (2*r.Float64() - 1))
		}
		scale := quantise(q, x)
		for i := range x {
			if q[i] > maxActivation || q[i] < -maxActivation {
				t.Errorf("size %g: %d is out of range", size, q[i])
			}
			if d := math.Abs(float64(x[i]) - float64(q[i])*float64(scale)); d > 0.51*float64(scale) && d > tiny {
				t.Errorf("size %g: %g became %d of %g", size, x[i], q[i], scale)
			}
		}
	}
}

func TestGELU(t *testing.T) {
	for x := -8.0; x < 8; x += 0.0007 {
		got := []float32{float32(x)}
		gelu(got)
		if want := x / 2 * math.Erfc(-x/math.Sqrt2); math.Abs(float64(got[0])-want) > 2e-6 {
			t.Fatalf("gelu(%v) = %v, want %v", x, got[0], want)
		}
	}
	odd := []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	gelu(odd) // must not panic
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
