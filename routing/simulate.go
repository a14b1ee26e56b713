package routing

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// OutcomeRow is one task with what each model made of it.
type OutcomeRow struct {
	Task classifier.Task
	// Tier is what the task needs, where someone has labelled it; else 0.
	Tier classifier.Tier
	// Outcomes are by model name. None means that quality is modelled by the policy's
	// failure table and cost is estimated.
	Outcomes map[string]ModelOutcome
}

// ModelOutcome is what a model scored on a task and what that cost.
type ModelOutcome struct {
	Score float64 // 0 (failed) to 1 (as good as can be)
	Cost  pricing.Money
}

// maxOutcomeLine bounds a line of an outcomes file, in bytes.
const maxOutcomeLine = 8 << 20

// ReadOutcomes reads JSON Lines: {"prompt": "..."} or {"messages": [{"role": "user",
// "content": "..."}]}, with "outcomes": {"model": {"score": 0.9, "cost_usd": "0.012"}}
// and, where known, "tier". "text" may stand for "prompt", so that labelled rows are
// read as they are; other keys are passed over. The error names the file, which is
// called name, and the line.
func ReadOutcomes(name string, r io.Reader) ([]OutcomeRow, error) {
	var rows []OutcomeRow
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxOutcomeLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		row, err := parseOutcome(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no rows", name)
	}
	return rows, nil
}

func parseOutcome(line []byte) (OutcomeRow, error) {
	var written struct {
		Prompt   string `json:"prompt"`
		Text     string `json:"text"`
		Messages []struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		} `json:"messages"`
		Tier     string `json:"tier"`
		Outcomes map[string]struct {
			Score float64     `json:"score"`
			Cost  json.Number `json:"cost_usd"`
		} `json:"outcomes"`
	}
	if err := json.Unmarshal(line, &written); err != nil {
		return OutcomeRow{}, errors.New("this is not a row: " + withoutText(err))
	}
	row := OutcomeRow{Task: classifier.Prompt(written.Prompt + written.Text)}
	if len(written.Messages) > 0 {
		row.Task.Messages = nil
		for _, m := range written.Messages {
			role, err := classifier.ParseRole(m.Role)
			if err != nil {
				return OutcomeRow{}, err
			}
			row.Task.Messages = append(row.Task.Messages, classifier.Message{Role: role, Content: m.Content})
		}
	} else if written.Prompt+written.Text == "" {
		return OutcomeRow{}, errors.New("the row has neither a prompt nor messages")
	}
	if written.Tier != "" {
		var err error
		if row.Tier, err = classifier.ParseTier(written.Tier); err != nil {
			return OutcomeRow{}, err
		}
	}
	for model, o := range written.Outcomes {
		if !(o.Score >= 0 && o.Score <= 1) {
			return OutcomeRow{}, fmt.Errorf("the score %v of %q is not within 0 and 1", o.Score, model)
		}
		cost, err := pricing.ParseMoney(o.Cost.String())
		if err != nil || cost < 0 {
			return OutcomeRow{}, fmt.Errorf("cost_usd %q of %q is not an amount in dollars with at most nine decimals", o.Cost, model)
		}
		if row.Outcomes == nil {
			row.Outcomes = make(map[string]ModelOutcome, len(written.Outcomes))
		}
		row.Outcomes[model] = ModelOutcome{Score: o.Score, Cost: cost}
	}
	return row, nil
}

// withoutText words a JSON error without the text that it may quote.
func withoutText(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("no valid JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%q holds a %s", kind.Field, kind.Value)
	}
	return "no valid JSON"
}

// Measure is a mean with its standard error.
type Measure struct {
	Mean  float64 `json:"mean"`
	Error float64 `json:"standard_error"`
}

// Way is what one way of choosing models comes to, over all rows.
type Way struct {
	Name string `json:"name"`
	// Shares are the parts of rows that went to each tier, lowest first.
	Shares [classifier.Tiers]float64 `json:"shares"`
	// Score is 0 to 1; Cost is in dollars a task.
	Score Measure `json:"score"`
	Cost  Measure `json:"cost_usd"`
	// Kept and Left compare Score and Cost with those of always-top.
	Kept float64 `json:"quality_kept"`
	Left float64 `json:"cost_left"`
}

// Simulation is what a policy would have done with past tasks.
type Simulation struct {
	Policy string `json:"policy"`
	Rows   int    `json:"rows"`
	// Dropped rows lack a model for some tier, so that ways can't be compared on them.
	Dropped int `json:"dropped"`
	// Modelled rows have no outcomes: their score is the policy's own failure table
	// read backwards, their cost an estimate.
	Modelled int `json:"modelled"`
	// Ways begins with the policy.
	Ways []Way `json:"ways"`
	// Curve is the policy under other penalties, in dollars.
	Curve []CurvePoint `json:"curve"`
	// Failure is f as fitted from the outcomes, by need and then by tier; nil where
	// every row is modelled.
	Failure *[classifier.Tiers][classifier.Tiers]float64 `json:"failure,omitempty"`
}

// CurvePoint is the policy under one penalty.
type CurvePoint struct {
	Penalty pricing.Money `json:"penalty_nano_usd"`
	Way
}

// penalties are those of the curve, in nano-dollars: from a program that checks its
// answers to an hour of an engineer.
var penalties = []pricing.Money{
	0, pricing.Dollar / 1000, pricing.Dollar / 200, pricing.Dollar / 50, pricing.Dollar / 10,
	pricing.Dollar / 2, 2 * pricing.Dollar, 10 * pricing.Dollar, 100 * pricing.Dollar,
}

// trial is a row made ready: what each tier would score and cost.
type trial struct {
	request Request
	class   classifier.Classification
	score   [classifier.Tiers]float64
	cost    [classifier.Tiers]float64 // dollars
	byModel map[*pricing.Model]ModelOutcome
	label   classifier.Tier // 0 for none
}

// Simulate routes past tasks by a policy and compares the outcome with always-top,
// always-middle, always-cheapest, a random split of the policy's shares, and the
// oracle: for each task the cheapest tier among those that score best.
func (r *Router) Simulate(ctx context.Context, policyName string, asOf time.Time, rows []OutcomeRow) (Simulation, error) {
	p, err := r.policyFor(policyName, Identity{})
	if err != nil {
		return Simulation{}, err
	}
	sim := Simulation{Policy: p.name}
	trials := make([]trial, 0, len(rows))
	for i, row := range rows {
		t, ok, err := r.trial(ctx, p, asOf, row)
		if err != nil {
			return Simulation{}, fmt.Errorf("row %d: %w", i+1, err)
		}
		if !ok {
			sim.Dropped++
			continue
		}
		if row.Outcomes == nil {
			sim.Modelled++
		}
		trials = append(trials, t)
	}
	sim.Rows = len(trials)
	if len(trials) == 0 {
		return Simulation{}, errors.New("no row has an outcome for a model of each tier of the policy: add rows, or a policy whose models they name")
	}
	own, err := r.follow(ctx, p, "policy", trials)
	if err != nil {
		return Simulation{}, err
	}
	top := always("always-top", classifier.Judgment, trials)
	sim.Ways = []Way{own, top, always("always-middle", classifier.Making, trials), always("always-cheapest", classifier.Repetition, trials),
		randomSplit(own.Shares, trials), oracle(trials)}
	for _, penalty := range penalties {
		varied := *p
		varied.penalty = float64(penalty)
		way, err := r.follow(ctx, &varied, "policy", trials)
		if err != nil {
			return Simulation{}, err
		}
		way.against(&top)
		sim.Curve = append(sim.Curve, CurvePoint{Penalty: penalty, Way: way})
	}
	for i := range sim.Ways {
		sim.Ways[i].against(&top)
	}
	if sim.Modelled < sim.Rows {
		f := fitFailure(p, trials)
		sim.Failure = &f
	}
	return sim, nil
}

// trial classifies a row and looks its outcomes up, or models them. It is not ok
// where a tier has none.
func (r *Router) trial(ctx context.Context, p *policy, asOf time.Time, row OutcomeRow) (trial, bool, error) {
	t := trial{label: row.Tier, request: Request{Task: Task{Task: row.Task}, AsOf: asOf, Plan: PlanNever}}
	var err error
	if t.class, err = r.Classify(ctx, t.request.Task); err != nil {
		return trial{}, false, err
	}
	d, err := r.deciding(ctx, p, &t.request, &t.class)
	if err != nil {
		return trial{}, false, err
	}
	if row.Outcomes == nil {
		needs := chances(t.class.Probabilities)
		if row.Tier != 0 {
			needs = chances{}
			needs[row.Tier-1] = 1
		}
		var seen [classifier.Tiers]bool
		for i := range d.candidates {
			c := &d.candidates[i]
			if k := c.tier - 1; c.possible && !seen[k] { // the policy's first stands for its tier
				seen[k] = true
				t.score[k], t.cost[k] = 1-d.failure(c.tier, needs), c.cost/float64(pricing.Dollar)
			}
		}
		return t, seen == [classifier.Tiers]bool{true, true, true}, nil
	}
	t.byModel = make(map[*pricing.Model]ModelOutcome, len(row.Outcomes))
	for name, outcome := range row.Outcomes {
		offer, err := r.catalogue.Resolve(name)
		if err != nil {
			return trial{}, false, err
		}
		t.byModel[offer.Model] = outcome
	}
	var seen [classifier.Tiers]bool
	for i := range p.models {
		m := &p.models[i]
		outcome, ok := t.byModel[m.offer.Model]
		switch {
		case !ok:
			t.request.Constraints.DeniedModels = append(t.request.Constraints.DeniedModels, m.offer.Model.Ref())
		case !seen[m.tier-1]: // the policy's first stands for its tier
			seen[m.tier-1] = true
			t.score[m.tier-1], t.cost[m.tier-1] = outcome.Score, dollarsOf(outcome.Cost)
		}
	}
	return t, seen == [classifier.Tiers]bool{true, true, true}, nil
}

func dollarsOf(m pricing.Money) float64 { return float64(m) / float64(pricing.Dollar) }

// follow routes every trial by the policy.
func (r *Router) follow(ctx context.Context, p *policy, name string, trials []trial) (Way, error) {
	var tally tally
	for i := range trials {
		t := &trials[i]
		d, err := r.deciding(ctx, p, &t.request, &t.class)
		if err != nil {
			return Way{}, err
		}
		best, err := d.choose()
		if err != nil {
			return Way{}, err
		}
		if outcome, ok := t.byModel[best.offer.Model]; ok {
			tally.add(best.tier, outcome.Score, dollarsOf(outcome.Cost))
		} else {
			tally.add(best.tier, t.score[best.tier-1], best.cost/float64(pricing.Dollar))
		}
	}
	return tally.way(name), nil
}

func always(name string, tier classifier.Tier, trials []trial) Way {
	var tally tally
	for i := range trials {
		tally.add(tier, trials[i].score[tier-1], trials[i].cost[tier-1])
	}
	return tally.way(name)
}

// randomSplit is the mean over all ways of dealing the trials out by the shares.
func randomSplit(shares [classifier.Tiers]float64, trials []trial) Way {
	var tally tally
	for i := range trials {
		var score, cost float64
		for k, share := range shares {
			score += share * trials[i].score[k]
			cost += share * trials[i].cost[k]
		}
		tally.add(0, score, cost)
	}
	way := tally.way("random-split")
	way.Shares = shares
	return way
}

// oracle knows the outcomes: the cheapest tier among those that score best. Where
// they are modelled, it knows the label.
func oracle(trials []trial) Way {
	var tally tally
	for i := range trials {
		t := &trials[i]
		if t.byModel == nil && t.label != 0 {
			tally.add(t.label, t.score[t.label-1], t.cost[t.label-1])
			continue
		}
		best := 0
		for k := range t.score {
			if t.score[k] > t.score[best] || t.score[k] == t.score[best] && t.cost[k] < t.cost[best] {
				best = k
			}
		}
		tally.add(classifier.Tier(best+1), t.score[best], t.cost[best])
	}
	return tally.way("oracle")
}

// tally sums scores and costs, and their squares.
type tally struct {
	n                              float64
	tiers                          [classifier.Tiers + 1]float64
	score, score2, dollar, dollar2 float64
}

func (t *tally) add(tier classifier.Tier, score, cost float64) {
	t.n++
	t.tiers[tier]++
	t.score += score
	t.score2 += score * score
	t.dollar += cost
	t.dollar2 += cost * cost
}

func (t *tally) way(name string) Way {
	w := Way{Name: name, Score: measure(t.n, t.score, t.score2), Cost: measure(t.n, t.dollar, t.dollar2)}
	for k := range w.Shares {
		w.Shares[k] = t.tiers[k+1] / t.n
	}
	return w
}

func measure(n, sum, squares float64) Measure {
	m := Measure{Mean: sum / n}
	if n > 1 {
		m.Error = math.Sqrt(max(squares/n-m.Mean*m.Mean, 0) / (n - 1))
	}
	return m
}

func (w *Way) against(top *Way) {
	if top.Score.Mean > 0 {
		w.Kept = w.Score.Mean / top.Score.Mean
	}
	if top.Cost.Mean > 0 {
		w.Left = w.Cost.Mean / top.Cost.Mean
	}
}

const (
	// fitRounds is more than EM needs: the table has nine figures.
	fitRounds = 200
	// fitPrior is how many rows the policy's own table counts for, so that a need that
	// few rows have keeps a sensible figure.
	fitPrior = 4
)

// fitFailure fits f by expectation maximisation. What a task needs is not seen: the
// classifier's probabilities are the prior, and a model of tier t fails a task of
// need k with chance f[k][t], each tier on its own.
func fitFailure(p *policy, trials []trial) [classifier.Tiers][classifier.Tiers]float64 {
	f := p.f
	for range fitRounds {
		var failed, weight [classifier.Tiers][classifier.Tiers]float64
		for i := range trials {
			t := &trials[i]
			if t.byModel == nil {
				continue
			}
			need := t.class.Probabilities
			var sum float64
			for k := range need {
				for tier, score := range t.score {
					fails := min(max(f[k][tier], 1e-6), 1-1e-6)
					need[k] *= math.Pow(fails, 1-score) * math.Pow(1-fails, score)
				}
				sum += need[k]
			}
			if sum == 0 {
				continue
			}
			for k := range need {
				for tier, score := range t.score {
					failed[k][tier] += need[k] / sum * (1 - score)
					weight[k][tier] += need[k] / sum
				}
			}
		}
		for k := range f {
			for tier := range f[k] {
				f[k][tier] = (failed[k][tier] + fitPrior*p.f[k][tier]) / (weight[k][tier] + fitPrior)
			}
		}
	}
	return monotone(f)
}

// monotone is the nearest table that a policy may have: a higher tier fails no more
// often, a higher need no less. It averages neighbours that are out of order until
// none is.
func monotone(f [classifier.Tiers]chances) [classifier.Tiers][classifier.Tiers]float64 {
	for range 1000 {
		tidy := true
		settle := func(high, low *float64) {
			if *high < *low {
				if *low-*high > 1e-12 {
					tidy = false
				}
				mean := (*high + *low) / 2
				*high, *low = mean, mean
			}
		}
		for k := range f {
			for t := range f[k] {
				if t+1 < len(f[k]) {
					settle(&f[k][t], &f[k][t+1])
				}
				if k+1 < len(f) {
					settle(&f[k+1][t], &f[k][t])
				}
			}
		}
		if tidy {
			break
		}
	}
	var out [classifier.Tiers][classifier.Tiers]float64
	for k := range f {
		out[k] = f[k]
	}
	return out
}
