package routing

import (
	"fmt"
	"slices"
	"sync"

	"cel.dev/cel-go/cel"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// rule is a compiled exception of a policy. What it sets can narrow the policy's
// tiers and models, never widen them: its condition may look at the
// classification, and with it at the text, and text buys nothing.
type rule struct {
	name           string
	when           cel.Program
	floor, ceiling classifier.Tier // 0: not set
	penalty        *pricing.Money
	maxCost        *pricing.Money
	providers      []string
	deny           []*pricing.Model
}

// ruleCost bounds what one condition may cost to evaluate, in CEL's own units: a
// few microseconds. A condition that is dearer fails to match.
const ruleCost = 10_000

// ruleEnvironment declares what a condition may read. Labels that are not set read
// as an error, which counts as no match; has(labels.team) and "team" in labels
// test for one.
var ruleEnvironment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("labels", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("tier", cel.StringType),
		cel.Variable("confidence", cel.DoubleType),
		cel.Variable("probability", cel.MapType(cel.StringType, cel.DoubleType)),
		cel.Variable("stage", cel.StringType),
		cel.Variable("split", cel.DoubleType),
		cel.Variable("language", cel.StringType),
		cel.Variable("input_tokens", cel.IntType),
		cel.Variable("output_tokens", cel.IntType),
		cel.Variable("current_model", cel.StringType),
		cel.Variable("attempts", cel.IntType),
		cel.Variable("tenant", cel.StringType),
	)
})

func compileRule(spec ruleSpec) (rule, error) {
	env, err := ruleEnvironment()
	if err != nil {
		return rule{}, fmt.Errorf("prepare conditions: %w", err)
	}
	ast, issues := env.Compile(spec.When)
	if err := issues.Err(); err != nil {
		return rule{}, fmt.Errorf("the condition does not compile: %w", err)
	}
	if ast.OutputType() != cel.BoolType {
		return rule{}, fmt.Errorf("the condition gives %s: it must give true or false", ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(ruleCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return rule{}, fmt.Errorf("the condition does not compile: %w", err)
	}
	r := rule{
		name: spec.Name, when: program,
		penalty: (*pricing.Money)(spec.Penalty), maxCost: (*pricing.Money)(spec.MaxCost), providers: spec.Providers,
	}
	setTier(&r.floor, spec.Floor)
	setTier(&r.ceiling, spec.Ceiling)
	return r, nil
}

// matches evaluates the condition. One that fails (a label that is not set, a cost
// limit that is reached) does not match.
func (r *rule) matches(facts map[string]any) bool {
	got, _, err := r.when.Eval(facts)
	return err == nil && got.Value() == true
}

// apply narrows the settings by the rules that match, in the policy's order, and
// names them.
func (p *policy) apply(req *Request, c *classifier.Classification) (settings, []string) {
	set := p.settings
	if len(p.rules) == 0 {
		return set, nil
	}
	facts := ruleFacts(req, c)
	var matched []string
	for i := range p.rules {
		r := &p.rules[i]
		if !r.matches(facts) {
			continue
		}
		matched = append(matched, r.name)
		set.floor = max(set.floor, r.floor)
		if r.ceiling != 0 {
			set.ceiling = min(set.ceiling, r.ceiling)
		}
		if r.penalty != nil {
			set.penalty = float64(*r.penalty)
		}
		set.maxCost = lower(set.maxCost, r.maxCost)
		set.providers = intersect(set.providers, r.providers)
		if len(r.deny) > 0 {
			set.deny = slices.Concat(set.deny, r.deny)
		}
	}
	return set, matched
}

func ruleFacts(req *Request, c *classifier.Classification) map[string]any {
	labels := req.Task.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	return map[string]any{
		"labels":     labels,
		"tier":       c.Tier.String(),
		"confidence": c.Confidence,
		"probability": map[string]float64{
			"repetition": c.Probabilities[0], "making": c.Probabilities[1], "judgment": c.Probabilities[2],
		},
		"stage":         c.Stage.String(),
		"split":         c.SplitProbability,
		"language":      c.Language,
		"input_tokens":  c.InputTokens,
		"output_tokens": c.OutputTokens.Mean,
		"current_model": req.Session.CurrentModel,
		"attempts":      int64(len(req.Session.Attempts)),
		"tenant":        req.Identity.Tenant,
	}
}

// lower gives the lower of two limits; nil is none.
func lower(a, b *pricing.Money) *pricing.Money {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

// noProvider keeps an empty intersection from meaning "all".
var noProvider = []string{""}

// intersect gives the providers that both allow; empty means all.
func intersect(a, b []string) []string {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	var both []string
	for _, provider := range a {
		if slices.Contains(b, provider) {
			both = append(both, provider)
		}
	}
	if both == nil {
		return noProvider
	}
	return both
}
