package classifier

import (
	"context"
	"math"
	"slices"
)

// Encoder is a slower reader that is asked where the linear model is in doubt. It
// gives logits of the tiers for the ask, in the light of what came before: the
// first system prompt, then the last two other turns. Its error is ctx's.
type Encoder func(ctx context.Context, ask string, before ...string) ([Tiers]float32, error)

// WithEncoder gives a classifier that asks e where the linear model's confidence
// is below 0.6, about a fifth of real tasks. Its answers differ from those of c
// only there.
func (c *Classifier) WithEncoder(e Encoder) *Classifier {
	with := *c
	with.encoder = e
	with.version += "+encoder"
	return &with
}

// How the two are put together: the geometric mean of their calibrated
// probabilities, calibrated once more. The constants were fitted on the real rows,
// each scored by models that had not seen it;
// docs/decisions/0003-classifier.md has the figures.
const (
	doubt        = 0.60 // confidence of the linear model below which the encoder is asked
	encoderShare = 0.5
	encoderScale = 0.84
	mixScale     = 1.29
)

var (
	encoderBias = [Tiers]float64{0.20, 0.54, -0.75}
	mixBias     = [Tiers]float64{-0.13, -0.29, 0.42}
)

// second asks the encoder and puts its answer together with out.
func (c *Classifier) second(ctx context.Context, s *scratch, t *Task, z [Columns]float32, out Classification) (Classification, error) {
	logits, err := c.encoder(ctx, t.Messages[s.users].Content, before(t, s.users)...)
	if err != nil {
		return Classification{}, err
	}
	var x, theirs [Tiers]float64
	for k := range x {
		theirs[k] = encoderScale*float64(logits[k]) + encoderBias[k]
		x[k] = mixScale*((1-encoderShare)*math.Log(max(out.Probabilities[k], 1e-9))+encoderShare*theirs[k]) + mixBias[k]
	}
	out.take(softmax(x))
	top, next := int(out.Tier)-1, runnerUp(&out)-1
	gain := mixScale*encoderShare*(theirs[top]-theirs[next]) + mixBias[top] - mixBias[next]
	out.Signals = c.signals(s, top, next, z, mixScale*(1-encoderShare), float32(gain))
	return out, nil
}

// before gives what the encoder reads in front of the ask: the first system
// prompt, then the last two other messages.
func before(t *Task, ask int) []string {
	var turns []string
	for i := ask - 1; i >= 0 && len(turns) < 2; i-- {
		if t.Messages[i].Role != System {
			turns = append(turns, t.Messages[i].Content)
		}
	}
	for i := range ask {
		if t.Messages[i].Role == System {
			turns = append(turns, t.Messages[i].Content)
			break
		}
	}
	slices.Reverse(turns)
	return turns
}
