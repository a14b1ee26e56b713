package classifier

import (
	"context"
	"math"
	"slices"
	"strings"
)

// Encoder is a slower reader that is asked where the linear model is in doubt. It
// gives logits of the tiers for the ask, in the light of what came before: the
// first system prompt, then the last two other turns. Its error is ctx's.
type Encoder func(ctx context.Context, ask string, before ...string) ([Tiers]float32, error)

// WithEncoder gives a classifier that asks e where the linear model's confidence
// is below [Doubt], about two real tasks in ten, unless the task is in a language
// other than English, which is all that the built-in encoder has read. Its answers
// differ from those of c only there.
func (c *Classifier) WithEncoder(e Encoder) *Classifier {
	with := *c
	with.encoder = e
	with.version += "+encoder"
	return &with
}

// Mixture is how the linear model and the encoder are put together: a weighted
// product of what both say, whose logarithm for each tier is
//
//	Linear × log(probability, linear model) + Encoder × logit(encoder) + Bias
//
// scaled so that the three add up to 1.
type Mixture struct {
	Linear, Encoder float64
	Bias            [Tiers]float64
}

// Doubt is the confidence of the linear model below which the encoder is asked. Above
// it the encoder still helps a little (asked below 0.80, both are right in one more
// task of a hundred), for twice the processor time.
const Doubt = 0.65

// BuiltInMixture belongs to the built-in weights of both. It is fitted to what
// each says of labelled real rows from sources that it has not seen; a test of
// package train holds it to them, where those rows are present.
// docs/decisions/0003-classifier.md has the figures.
var BuiltInMixture = Mixture{
	Linear:  0.75,
	Encoder: 0.56,
	Bias:    [Tiers]float64{0.07, 0.00, -0.08},
}

// Mix gives the probabilities of the tiers from those of the linear model and the
// encoder's logits.
func (m *Mixture) Mix(linear [Tiers]float64, encoder [Tiers]float32) [Tiers]float64 {
	var x [Tiers]float64
	for k := range x {
		x[k] = m.Linear*logOf(linear[k]) + m.Encoder*float64(encoder[k]) + m.Bias[k]
	}
	return softmax(x)
}

// logOf is the natural logarithm of a probability, bounded where that is 0.
func logOf(p float64) float64 { return math.Log(max(p, 1e-9)) }

// InDoubt says whether the encoder is to be asked about what the linear model says.
func (c *Classification) InDoubt() bool {
	return c.Confidence < Doubt && (c.Language == "en" || c.Language == "und")
}

// second asks the encoder and puts its answer together with out.
func (c *Classifier) second(ctx context.Context, s *scratch, t *Task, z [Columns]float32, out Classification) (Classification, error) {
	logits, err := c.encoder(ctx, s.asked(t.Messages[s.users].Content), before(t, s.users)...)
	if err != nil {
		return Classification{}, err
	}
	m := &BuiltInMixture
	out.Take(m.Mix(out.Probabilities, logits))
	top, next := int(out.Tier)-1, runnerUp(&out)-1
	gain := m.Encoder*float64(logits[top]-logits[next]) + m.Bias[top] - m.Bias[next]
	out.Signals = c.signals(s, top, next, z, float32(m.Linear), float32(gain))
	return out, nil
}

// asked is the ask as the linear model reads it too: without the greetings and pleas
// that are set aside, and without an agent's harness around it.
func (r *reading) asked(ask string) string {
	var parts []string
	pos := 0
	for i := range r.words {
		w := &r.words[i]
		if int(w.message) != r.users || w.zone != zoneAside {
			continue
		}
		if int(w.start) > pos {
			parts = append(parts, ask[pos:w.start])
		}
		pos = int(w.end)
	}
	if pos > 0 {
		ask = strings.TrimSpace(strings.Join(append(parts, ask[pos:]), ""))
	}
	if r.harness == 0 {
		return ask
	}
	var other reading
	parts = nil
	for _, k := range other.setAside(ask) {
		parts = append(parts, ask[k.start:k.end])
	}
	return strings.Join(parts, "\n")
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
