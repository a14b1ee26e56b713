package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/adjutant-dev/adjutant/classifier"
)

// logits are what the encoder says of a row, by the row's id.
type logits map[string][classifier.Tiers]float32

// readLogits reads a file of {"id": "...", "logits": [3]}, one a line, as train.py of
// package encoder writes it.
func readLogits(path string) (logits, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	got := logits{}
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var row struct {
			ID     string                    `json:"id"`
			Logits [classifier.Tiers]float32 `json:"logits"`
		}
		switch err := d.Decode(&row); {
		case err == io.EOF:
			return got, nil
		case err != nil:
			return nil, fmt.Errorf("%s: row %d: %w", path, len(got)+1, err)
		}
		got[row.ID] = row.Logits
	}
}

// FitMixture finds the mixture of the linear model and the encoder that gives the
// labelled real rows in doubt the least log loss. Of each row the linear model has
// not seen the source, and the encoder, whose logits o.Blind holds, no real row at
// all.
func FitMixture(ctx context.Context, o Options) (classifier.Mixture, error) {
	d, err := read(o)
	if err != nil {
		return classifier.Mixture{}, err
	}
	if len(d.blind) == 0 {
		return classifier.Mixture{}, errors.New("the mixture is fitted to what the encoder says of rows: give its logits in Options.Blind")
	}
	held, err := d.crossScore(ctx, calibrationFolds)
	if err != nil {
		return classifier.Mixture{}, err
	}
	c, err := calibrated(held)
	if err != nil {
		return classifier.Mixture{}, err
	}
	return fitMixture(c, held, d.blind), nil
}

// fitMixture descends along the gradient of the log loss. The rows that count are
// those that c is in doubt about.
func fitMixture(c *classifier.Classifier, rows []scored, blind logits) classifier.Mixture {
	type doubtful struct {
		linear  [classifier.Tiers]float64
		encoder [classifier.Tiers]float32
		tier    int
	}
	var in []doubtful
	for _, r := range rows {
		got := of(c, r)
		if z, ok := blind[r.row.ID]; ok && got.InDoubt() {
			in = append(in, doubtful{got.Probabilities, z, int(r.row.Tier) - 1})
		}
	}
	m := classifier.Mixture{Linear: 0.5, Encoder: 0.5}
	if len(in) == 0 {
		return m
	}
	const turns, step = 4000, 0.3
	for range turns {
		var linear, encoder float64
		var bias [classifier.Tiers]float64
		for i := range in {
			p := m.Mix(in[i].linear, in[i].encoder)
			p[in[i].tier]--
			for k, d := range p {
				linear += d * math.Log(in[i].linear[k])
				encoder += d * float64(in[i].encoder[k])
				bias[k] += d
			}
		}
		size := step / float64(len(in))
		m.Linear -= size * linear
		m.Encoder -= size * encoder
		for k := range bias {
			m.Bias[k] -= size * bias[k]
		}
	}
	return m
}

// of is what c says of a row from its scores alone.
func of(c *classifier.Classifier, r scored) classifier.Classification {
	got := c.Calibrated(r.scores)
	got.Language = r.row.Lang
	return got
}
