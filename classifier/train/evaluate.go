package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/adjutant-dev/adjutant/classifier"
)

// Report says how well a classifier does on labelled rows. It marshals as JSON.
type Report struct {
	// Version names the weights; empty for a cross-validation.
	Version string `json:"version,omitempty"`
	Rows    int    `json:"rows"`
	// Accuracy is the share of rows whose tier is right, MacroF1 the mean of the
	// three tiers' F1. Intervals are 95% ones: Wilson's.
	Accuracy         float64    `json:"accuracy"`
	AccuracyInterval [2]float64 `json:"accuracy_interval"`
	MacroF1          float64    `json:"macro_f1"`
	// F1 is by tier; absent tiers have no entry.
	F1 map[string]float64 `json:"f1"`
	// Confusion counts rows: Confusion[i][j] have tier i+1 and were given j+1.
	Confusion [classifier.Tiers][classifier.Tiers]int `json:"confusion"`
	// FarConfusion is the share of rows where repetition and judgment were taken
	// for each other.
	FarConfusion float64 `json:"repetition_judgment_confusion"`
	// CalibrationError is the expected calibration error of the confidence over ten
	// bins of equal width.
	CalibrationError float64          `json:"calibration_error"`
	Reliability      []ReliabilityBin `json:"reliability"`
	// LogLoss is the mean negative natural logarithm of the probability of the
	// right tier.
	LogLoss float64 `json:"log_loss"`
	// StageAccuracy and LengthCoverage are over the rows that have such labels:
	// coverage is the share whose length is within the 10th and 90th percentile
	// that were given.
	StageAccuracy  float64 `json:"stage_accuracy"`
	LengthCoverage float64 `json:"length_coverage"`
	// LengthMean is the mean given length over the mean labelled one.
	LengthMean float64 `json:"length_mean_ratio"`
	// Splits counts rows that are to be split; SplitsFound those of them whose
	// probability is 0.5 or more, SplitsWrong other rows for which it is.
	Splits      int `json:"splits"`
	SplitsFound int `json:"splits_found"`
	SplitsWrong int `json:"splits_wrong"`

	Slices   []Slice   `json:"slices"`
	Mistakes []Mistake `json:"worst_mistakes"`
}

// ReliabilityBin compares how sure the classifier was with how often it was right.
type ReliabilityBin struct {
	// From and To bound the confidence.
	From float64 `json:"from"`
	To   float64 `json:"to"`
	Rows int     `json:"rows"`
	// Confidence is the mean one, Accuracy the share that was right.
	Confidence float64    `json:"confidence"`
	Accuracy   float64    `json:"accuracy"`
	Interval   [2]float64 `json:"accuracy_interval"`
}

// Slice is a part of the rows.
type Slice struct {
	Name     string     `json:"name"`
	Rows     int        `json:"rows"`
	Accuracy float64    `json:"accuracy"`
	Interval [2]float64 `json:"accuracy_interval"`
}

// Mistake is a row whose tier was got wrong, named by its id, or where it has none
// by its number among all rows, never by its text.
type Mistake struct {
	Row         string  `json:"row"`
	Tier        string  `json:"tier"`
	Given       string  `json:"given"`
	Probability float64 `json:"probability_of_tier"`
}

// worstMistakes is how many mistakes a report names.
const worstMistakes = 20

// Evaluate scores a classifier on labelled rows. The error is ctx's, or says that
// there are none.
func Evaluate(ctx context.Context, c *classifier.Classifier, rows []Row) (*Report, error) {
	if len(rows) == 0 {
		return nil, errors.New("there are no rows to evaluate on")
	}
	got := make([]classifier.Classification, len(rows))
	for i := range rows {
		var err error
		if got[i], err = c.Classify(ctx, rows[i].Task); err != nil {
			return nil, err
		}
	}
	r := report(rows, got)
	r.Version = c.Version()
	return r, nil
}

func report(rows []Row, got []classifier.Classification) *Report {
	r := &Report{Rows: len(rows), F1: map[string]float64{}, Slices: []Slice{}, Mistakes: []Mistake{}}
	type count struct{ rows, right int }
	slicesOf := map[string]*count{}
	bins := make([]ReliabilityBin, 10)
	var stages, stagesRight, lengths, inside int
	var givenSum, labelSum float64
	for i := range rows {
		row, g := &rows[i], &got[i]
		r.Confusion[row.Tier-1][g.Tier-1]++
		right := row.Tier == g.Tier
		p := g.Probabilities[row.Tier-1]
		r.LogLoss -= math.Log(max(p, 1e-9)) / float64(len(rows))
		b := &bins[min(int(g.Confidence*10), 9)]
		b.Rows++
		b.Confidence += g.Confidence
		if right {
			b.Accuracy++
		} else {
			name := row.ID
			if name == "" {
				name = fmt.Sprintf("row %d", i+1)
			}
			r.Mistakes = append(r.Mistakes, Mistake{name, row.Tier.String(), g.Tier.String(), p})
		}
		for _, s := range slicesFor(row) {
			if slicesOf[s] == nil {
				slicesOf[s] = &count{}
			}
			slicesOf[s].rows++
			if right {
				slicesOf[s].right++
			}
		}
		if row.Stage != 0 {
			stages++
			if row.Stage == g.Stage {
				stagesRight++
			}
		}
		if n := row.OutputTokens; n > 0 {
			lengths++
			if g.OutputTokens.Low <= n && n <= g.OutputTokens.High {
				inside++
			}
			givenSum += float64(g.OutputTokens.Mean)
			labelSum += float64(n)
		}
		switch {
		case row.Split:
			r.Splits++
			if g.SplitProbability >= 0.5 {
				r.SplitsFound++
			}
		case g.SplitProbability >= 0.5:
			r.SplitsWrong++
		}
	}
	right := 0
	present := 0
	for k := range classifier.Tiers {
		right += r.Confusion[k][k]
		labelled, given := 0, 0
		for j := range classifier.Tiers {
			labelled += r.Confusion[k][j]
			given += r.Confusion[j][k]
		}
		if labelled+given == 0 {
			continue
		}
		present++
		f1 := 2 * float64(r.Confusion[k][k]) / float64(labelled+given)
		r.F1[classifier.Tier(k+1).String()] = f1
		r.MacroF1 += f1
	}
	r.MacroF1 /= float64(present)
	n := float64(len(rows))
	r.Accuracy = float64(right) / n
	r.AccuracyInterval = wilson(right, len(rows))
	r.FarConfusion = float64(r.Confusion[0][2]+r.Confusion[2][0]) / n
	for i := range bins {
		b := &bins[i]
		if b.Rows == 0 {
			continue
		}
		b.From, b.To = float64(i)/10, float64(i+1)/10
		b.Interval = wilson(int(b.Accuracy), b.Rows)
		r.CalibrationError += math.Abs(b.Confidence-b.Accuracy) / n
		b.Confidence /= float64(b.Rows)
		b.Accuracy /= float64(b.Rows)
		r.Reliability = append(r.Reliability, *b)
	}
	r.StageAccuracy = ratio(stagesRight, stages)
	r.LengthCoverage = ratio(inside, lengths)
	if labelSum > 0 {
		r.LengthMean = givenSum / labelSum
	}
	for name, c := range slicesOf {
		r.Slices = append(r.Slices, Slice{name, c.rows, ratio(c.right, c.rows), wilson(c.right, c.rows)})
	}
	slices.SortFunc(r.Slices, func(a, b Slice) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(r.Mistakes, func(a, b Mistake) int { return cmp.Compare(a.Probability, b.Probability) })
	r.Mistakes = r.Mistakes[:min(len(r.Mistakes), worstMistakes)]
	return r
}

func slicesFor(r *Row) []string {
	out := make([]string, 0, 4)
	if r.Kind != "" {
		out = append(out, "kind "+r.Kind)
	}
	switch r.Lang {
	case "":
	case "en":
		out = append(out, "language en")
	default:
		out = append(out, "language other")
	}
	if len(r.Task.Messages) > 1 {
		return append(out, "form conversation")
	}
	return append(out, "form single")
}

func ratio(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// wilson is the 95% score interval of a share.
func wilson(n, of int) [2]float64 {
	if of == 0 {
		return [2]float64{0, 1}
	}
	const z = 1.959964
	p, m := float64(n)/float64(of), float64(of)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return [2]float64{max(mid-half, 0), min(mid+half, 1)}
}

// WriteTable prints the report for eyes.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	p := func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }
	if r.Version != "" {
		p("weights\t%s", r.Version)
	}
	p("rows\t%d", r.Rows)
	p("accuracy\t%.3f\t95%% interval %.3f to %.3f", r.Accuracy, r.AccuracyInterval[0], r.AccuracyInterval[1])
	p("macro F1\t%.3f", r.MacroF1)
	p("repetition and judgment confused\t%.3f", r.FarConfusion)
	p("calibration error\t%.3f", r.CalibrationError)
	p("log loss\t%.3f", r.LogLoss)
	p("stage accuracy\t%.3f", r.StageAccuracy)
	p("length inside 10th to 90th percentile\t%.3f\tmean given over mean labelled %.2f", r.LengthCoverage, r.LengthMean)
	p("splits found\t%d of %d\twrongly given %d", r.SplitsFound, r.Splits, r.SplitsWrong)
	p("\nlabelled / given\trepetition\tmaking\tjudgment\tF1")
	for k, row := range r.Confusion {
		name := classifier.Tier(k + 1).String()
		p("%s\t%d\t%d\t%d\t%.3f", name, row[0], row[1], row[2], r.F1[name])
	}
	p("\nconfidence\trows\tmean\tright\t95%% interval")
	for _, b := range r.Reliability {
		p("%.1f to %.1f\t%d\t%.3f\t%.3f\t%.3f to %.3f", b.From, b.To, b.Rows, b.Confidence, b.Accuracy, b.Interval[0], b.Interval[1])
	}
	p("\nslice\trows\taccuracy\t95%% interval")
	for _, s := range r.Slices {
		p("%s\t%d\t%.3f\t%.3f to %.3f", s.Name, s.Rows, s.Accuracy, s.Interval[0], s.Interval[1])
	}
	if len(r.Mistakes) > 0 {
		p("\nworst mistakes\tlabelled\tgiven\tprobability of the label")
		for _, m := range r.Mistakes {
			p("%s\t%s\t%s\t%.3f", m.Row, m.Tier, m.Given, m.Probability)
		}
	}
	return t.Flush()
}
