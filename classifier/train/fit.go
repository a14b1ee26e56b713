package train

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/adjutant-dev/adjutant/classifier"
)

// example is a row as the optimiser sees it.
type example struct {
	features []classifier.Feature
	tier     int     // tier - 1
	stage    int     // stage - 1; -1 where there is no label
	split    float32 // 1 or 0
	length   float32 // natural logarithm of tokens, less LengthCentre; NaN where there is no label
	weight   float32
}

// The constants of the optimiser, chosen on the real rows by leaving sources out;
// docs/decisions/0003-classifier.md has the tries.
const (
	epochs      = 8
	averaged    = 4 // the last epochs, whose weights are averaged
	rate        = 0.2
	decayHashed = 1e-2
	decayNamed  = 3e-3
	smoothing   = 0.1 // share of a label that is spread over the other tiers
	minRows     = 2   // a feature of fewer rows is left out
	splitWeight = 4   // of a row that is to be split: they are rare and dear to miss
	dropout     = 0.3 // share of a row's hashed features that an epoch doesn't show
)

const columns = classifier.Columns

// fit trains all columns at once by stochastic gradient descent in a fixed order,
// with a step for each feature that shrinks with how much of it there is. The
// result has classifier.FeatureCount rows of columns weights.
//
// Each product is converted before it is added, which keeps the compiler from
// fusing the two: the same bytes come out on every processor. Dropping features at
// random makes the rest carry the label too, which transfers better to words never
// seen. The result is the mean of the last epochs' weights, so that it depends less on
// the order of the rows.
func fit(ctx context.Context, examples []example) ([]float32, error) {
	w := make([]float32, classifier.FeatureCount*columns)
	steps := featureSteps(examples)
	order := make([]int, len(examples))
	for i := range order {
		order[i] = i
	}
	var kept []classifier.Feature
	rnd := rand.New(rand.NewPCG(1, 2))
	mean := make([]float32, len(w))
	for epoch := range epochs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		fade := 1 - float32(epoch)/epochs
		for _, n := range order {
			e := &examples[n]
			kept = kept[:0]
			for _, f := range e.features {
				if f.Index >= classifier.Buckets || rnd.Float32() >= dropout {
					kept = append(kept, f)
				}
			}
			d := gradient(w, kept, e, fade*e.weight)
			for _, f := range kept {
				step := steps[f.Index]
				if step == 0 {
					continue
				}
				decay := float32(decayHashed)
				if f.Index >= classifier.Buckets {
					decay = decayNamed
				}
				x, keep := float32(step*f.Value), 1-float32(step*float32(decay*fade))
				at := int(f.Index) * columns
				ws := (*[columns]float32)(w[at:])
				ws[0] = float32(ws[0]*keep) - float32(x*d[0])
				ws[1] = float32(ws[1]*keep) - float32(x*d[1])
				ws[2] = float32(ws[2]*keep) - float32(x*d[2])
				ws[3] = float32(ws[3]*keep) - float32(x*d[3])
				ws[4] = float32(ws[4]*keep) - float32(x*d[4])
				ws[5] = float32(ws[5]*keep) - float32(x*d[5])
				ws[6] = float32(ws[6]*keep) - float32(x*d[6])
				ws[7] = float32(ws[7]*keep) - float32(x*d[7])
			}
		}
		if epoch >= epochs-averaged {
			for i, x := range w {
				mean[i] += float32(x / averaged)
			}
		}
	}
	return mean, nil
}

func featureSteps(examples []example) []float32 {
	mass := make([]float32, classifier.FeatureCount)
	rows := make([]int32, classifier.FeatureCount)
	for i := range examples {
		for _, f := range examples[i].features {
			mass[f.Index] += float32(f.Value * f.Value)
			rows[f.Index]++
		}
	}
	for i, m := range mass {
		mass[i] = 0
		if rows[i] >= minRows {
			mass[i] = rate / float32(math.Sqrt(float64(m)+1))
		}
	}
	return mass
}

// gradient is that of the losses of all heads with respect to the scores.
func gradient(w []float32, features []classifier.Feature, e *example, weight float32) (d [columns]float32) {
	s := score(w, features)
	softmaxGradient(s[classifier.ColumnTier:classifier.ColumnStage], d[classifier.ColumnTier:], e.tier)
	if e.stage >= 0 {
		softmaxGradient(s[classifier.ColumnStage:classifier.ColumnSplit], d[classifier.ColumnStage:], e.stage)
	}
	d[classifier.ColumnSplit] = float32(1/(1+exp(-float64(s[classifier.ColumnSplit])))) - e.split
	if e.split > 0 {
		d[classifier.ColumnSplit] *= splitWeight
	}
	if e.length == e.length {
		d[classifier.ColumnLength] = max(-1, min(1, s[classifier.ColumnLength]-e.length))
	}
	for c := range d {
		d[c] *= weight
	}
	return d
}

// score is the product of the weights and a row's features.
func score(w []float32, fs []classifier.Feature) (s [columns]float32) {
	for _, f := range fs {
		ws := (*[columns]float32)(w[int(f.Index)*columns:])
		v := f.Value
		s[0] += float32(ws[0] * v)
		s[1] += float32(ws[1] * v)
		s[2] += float32(ws[2] * v)
		s[3] += float32(ws[3] * v)
		s[4] += float32(ws[4] * v)
		s[5] += float32(ws[5] * v)
		s[6] += float32(ws[6] * v)
		s[7] += float32(ws[7] * v)
	}
	return s
}

func softmaxGradient(s, d []float32, y int) {
	p := softmax([3]float64{float64(s[0]), float64(s[1]), float64(s[2])})
	for c := range p {
		t := float32(smoothing) / 3
		if c == y {
			t += 1 - smoothing
		}
		d[c] = float32(p[c]) - t
	}
}

func softmax(x [3]float64) [3]float64 {
	m := max(x[0], x[1], x[2])
	a, b, c := exp(x[0]-m), exp(x[1]-m), exp(x[2]-m)
	sum := a + b + c
	return [3]float64{a / sum, b / sum, c / sum}
}

// exp is e to the power of x. The standard library's has assembly for some
// processors, whose last digits differ; this one gives every processor the same.
func exp(x float64) float64 {
	if x > 700 {
		x = 700
	}
	if x < -700 {
		return 0
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := x - float64(k*math.Ln2)
	// The Taylor series of e^r for |r| <= ln(2)/2; the first term left out is
	// below 1e-15.
	sum, term := 1.0, 1.0
	for i := 1.0; i <= 13; i++ {
		term = term * r / i
		sum += term
	}
	return math.Ldexp(sum, int(k))
}
