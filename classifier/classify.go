package classifier

import (
	"context"
	"math"
	"sync"
)

// Classifier holds trained weights. It is immutable and safe for concurrent
// use.
type Classifier struct {
	version string
	scale   [Columns]float32 // of the hashed weights
	hashed  []uint64         // a row's weights, one a byte, each raised by 128
	dense   [denseCount][Columns]float32

	encoder Encoder // nil: the linear model answers alone

	tierScale             float32
	tierBias              [Tiers]float32
	splitScale, splitBias float32
	lengthEdges           [LengthBins - 1]float32
	lengths               [LengthBins][4]float32
}

// Version names the weights: the first twelve hexadecimal digits of the SHA-256
// of their bytes.
func (c *Classifier) Version() string { return c.version }

// scratch is the memory of one call, used again by the next.
type scratch struct {
	reading
	features
	credit []float32 // by word: its part in the answer
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Bounds of what Classify says about length, in tokens.
const (
	minOutputTokens = 1
	maxOutputTokens = 64_000
)

// Classify reads a task and says what it takes. Input may be any bytes of any
// length; time grows with it, memory doesn't. The error is ctx's, and comes only
// when ctx is done before the task is read, or before the encoder has answered.
func (c *Classifier) Classify(ctx context.Context, t Task) (Classification, error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if err := s.reading.read(ctx, t); err != nil {
		return Classification{}, err
	}
	s.features.extract(&s.reading, &t)
	z := c.score(&s.features)
	out := c.Calibrated(z)
	if t.Stage != 0 {
		out.Stage = t.Stage
	}
	out.Language = s.language()
	out.InputTokens = s.inputTokens(&t)
	if c.encoder != nil && s.users >= 0 && out.InDoubt() {
		return c.second(ctx, s, &t, z, out)
	}
	out.Signals = c.signals(s, int(out.Tier)-1, runnerUp(&out)-1, z, 1, 0)
	return out, nil
}

// Calibrated gives what scores alone say: tier, stage, split and length. Training
// uses it to measure calibration apart from the weights.
func (c *Classifier) Calibrated(z [Columns]float32) Classification {
	out := Classification{Version: c.version, Language: "und"}
	out.Take(c.tiers(z))
	stage := 0
	for k := range Stages {
		if z[ColumnStage+k] > z[ColumnStage+stage] {
			stage = k
		}
	}
	out.Stage = Stage(stage + 1)
	out.SplitProbability = 1 / (1 + math.Exp(-float64(c.splitScale*z[ColumnSplit]+c.splitBias)))
	out.OutputTokens = c.length(z[ColumnLength])
	return out
}

// Take makes p the probabilities, and the likeliest tier the answer.
func (c *Classification) Take(p [Tiers]float64) {
	top := 0
	for k := range p {
		if p[k] > p[top] {
			top = k
		}
	}
	c.Probabilities, c.Tier, c.Confidence = p, Tier(top+1), p[top]
}

// runnerUp is the most probable tier but for the answer's.
func runnerUp(c *Classification) int {
	best := 0
	for k, p := range c.Probabilities {
		if Tier(k+1) != c.Tier && (best == 0 || p > c.Probabilities[best-1]) {
			best = k + 1
		}
	}
	return best
}

const (
	lanes    = 0x00ff00ff00ff00ff
	laneRows = 256
)

// score is the product of the weights and the features.
func (c *Classifier) score(f *features) (z [Columns]float32) {
	// The rows lie all over a table that is larger than the near caches. They are kept
	// for the signals, which would fetch them again.
	if cap(f.rows) < len(f.index) {
		f.rows = make([]uint64, 2*len(f.index))
	}
	rows := f.rows[:len(f.index)]
	from := 0
	for ch, end := range f.ends {
		if from == end {
			continue
		}
		// Eight bytes are added at once, in two words of four 16-bit lanes, which
		// overflow no sooner than after 257 rows.
		var sum [Columns]int32
		for run := from; run < end; run += laneRows {
			var even, odd uint64
			for k := run; k < min(run+laneRows, end); k++ {
				w := c.hashed[f.index[k]]
				rows[k] = w
				even += w & lanes
				odd += w >> 8 & lanes
			}
			for k := 0; k < Columns; k += 2 {
				sum[k] += int32(even & 0xffff)
				sum[k+1] += int32(odd & 0xffff)
				even >>= 16
				odd >>= 16
			}
		}
		for k := range sum {
			sum[k] -= int32(128 * (end - from))
		}
		from = end
		for k := range z {
			z[k] += float32(float32(sum[k]) * f.scale[ch] * c.scale[k])
		}
	}
	for i, d := range f.dense {
		w := &c.dense[d]
		for k := range z {
			z[k] += float32(w[k] * f.denseVal[i])
		}
	}
	return z
}

// tiers turns scores into calibrated probabilities.
func (c *Classifier) tiers(z [Columns]float32) (p [Tiers]float64) {
	var x [Tiers]float64
	for k := range x {
		x[k] = float64(c.tierScale*z[ColumnTier+k] + c.tierBias[k])
	}
	return softmax(x)
}

func softmax(x [Tiers]float64) (p [Tiers]float64) {
	m := max(x[0], x[1], x[2])
	sum := 0.0
	for k := range x {
		p[k] = math.Exp(x[k] - m)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// LengthCentre is subtracted from the natural logarithm of a length in tokens
// before it is trained on; exp(5) is about 150 tokens.
const LengthCentre = 5

func (c *Classifier) length(z float32) TokenRange {
	bin := 0
	for bin < len(c.lengthEdges) && z > c.lengthEdges[bin] {
		bin++
	}
	var n [4]int64
	for i, d := range c.lengths[bin] {
		x := math.Exp(float64(z) + LengthCentre + float64(d))
		n[i] = int64(math.Round(min(max(x, minOutputTokens), maxOutputTokens)))
	}
	return TokenRange{Low: n[0], Median: max(n[1], n[0]), High: max(n[2], n[1], n[0]), Mean: n[3]}
}

func (s *scratch) inputTokens(t *Task) int64 {
	return int64(math.Ceil(s.tokens)) + max(t.Material.InputTokens, 0)
}

func (s *scratch) language() string {
	if s.wideLang != "" {
		return s.wideLang
	}
	if s.lang >= 0 {
		return languages[s.lang]
	}
	return "und"
}
