package train

import (
	"cmp"
	"math"
	"slices"

	"github.com/adjutant-dev/adjutant/classifier"
)

// scored is a row with the scores of a model that was not trained on its source.
type scored struct {
	row    *Row
	scores [columns]float32
}

// calibrate fits what turns scores into probabilities and lengths.
func calibrate(rows []scored, w *classifier.Weights) {
	calibrateTier(rows, w)
	calibrateSplit(rows, w)
	calibrateLength(rows, w)
}

// calibrateTier fits one scale and a bias for each tier by gradient descent on
// the log loss. The little pull towards scale 1 and no bias matters only where
// there are few rows.
func calibrateTier(rows []scored, w *classifier.Weights) {
	scale, bias := 1.0, [3]float64{}
	const pull = 2.0
	for range 400 {
		gs, gb := pull*(scale-1), [3]float64{}
		hs, hb := pull, [3]float64{1, 1, 1}
		for k := range bias {
			gb[k] = 0.5 * bias[k]
		}
		for i := range rows {
			z := rows[i].scores[classifier.ColumnTier:classifier.ColumnStage]
			p := softmax([3]float64{scale*float64(z[0]) + bias[0], scale*float64(z[1]) + bias[1], scale*float64(z[2]) + bias[2]})
			mean, square := 0.0, 0.0
			for k := range p {
				mean += p[k] * float64(z[k])
				square += p[k] * float64(z[k]) * float64(z[k])
			}
			y := int(rows[i].row.Tier) - 1
			gs += mean - float64(z[y])
			hs += square - mean*mean
			for k := range p {
				gb[k] += p[k]
				hb[k] += p[k] * (1 - p[k])
			}
			gb[y]--
		}
		scale -= 0.5 * gs / hs
		scale = min(max(scale, 0.05), 20)
		for k := range bias {
			bias[k] -= 0.5 * gb[k] / hb[k]
		}
	}
	w.TierScale = float32(scale)
	mean := (bias[0] + bias[1] + bias[2]) / 3
	for k := range bias {
		w.TierBias[k] = float32(bias[k] - mean)
	}
}

// calibrateSplit fits a scale and a bias for the split.
func calibrateSplit(rows []scored, w *classifier.Weights) {
	scale, bias := 1.0, 0.0
	for range 400 {
		gs, gb, hs, hb := 2*(scale-1), 0.05*bias, 2.0, 1.0
		for i := range rows {
			z := float64(rows[i].scores[classifier.ColumnSplit])
			p := 1 / (1 + exp(-(scale*z + bias)))
			d := p
			if rows[i].row.Split {
				d--
			}
			gs += d * z
			gb += d
			hs += p * (1 - p) * z * z
			hb += p * (1 - p)
		}
		scale = min(max(scale-0.3*gs/hs, 0.05), 20)
		bias -= 0.3 * gb / hb
	}
	w.SplitScale, w.SplitBias = float32(scale), float32(bias)
}

// calibrateLength finds the residuals of each band of predicted length.
func calibrateLength(rows []scored, w *classifier.Weights) {
	type pair struct{ z, y float64 }
	var ps []pair
	for i := range rows {
		if n := rows[i].row.OutputTokens; n > 0 {
			ps = append(ps, pair{float64(rows[i].scores[classifier.ColumnLength]), math.Log(float64(n)) - classifier.LengthCentre})
		}
	}
	if len(ps) == 0 {
		ps = []pair{{0, -2}, {0, 0}, {0, 2}}
	}
	slices.SortStableFunc(ps, func(a, b pair) int { return cmp.Compare(a.z, b.z) })
	for b := range classifier.LengthBins {
		from, to := b*len(ps)/classifier.LengthBins, (b+1)*len(ps)/classifier.LengthBins
		if from == to {
			from, to = 0, len(ps)
		}
		if b > 0 {
			w.LengthEdges[b-1] = float32(ps[from].z)
		}
		res := make([]float64, 0, to-from)
		mean := 0.0
		for _, p := range ps[from:to] {
			res = append(res, p.y-p.z)
			mean += exp(p.y - p.z)
		}
		slices.Sort(res)
		w.Lengths[b] = [4]float32{
			float32(quantile(res, 0.1)), float32(quantile(res, 0.5)), float32(quantile(res, 0.9)),
			float32(math.Log(mean / float64(len(res)))),
		}
	}
}

func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
