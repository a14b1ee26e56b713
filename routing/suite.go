package routing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/internal/strictyaml"
	"github.com/adjutant-dev/adjutant/pricing"
)

// Suite is a file of decision cases: what a policy must decide. Users keep theirs
// beside their policies; `adjutant policy test` runs them, and this package's own
// tests are kept in the same form.
type Suite struct {
	file  string
	doc   *strictyaml.Document
	cases []suiteCase
}

// suiteFile is the file format. docs/policies.md explains every key.
type suiteFile struct {
	AsOf   string      `yaml:"as_of"`
	Policy string      `yaml:"policy"`
	Cases  []suiteCase `yaml:"cases"`
}

// suiteCase is a request and what its decision must be.
type suiteCase struct {
	Name   string       `yaml:"name"`
	Policy string       `yaml:"policy"`
	AsOf   string       `yaml:"as_of"`
	Task   suiteTask    `yaml:"task"`
	Given  *suiteGiven  `yaml:"given"`
	Limits suiteLimits  `yaml:"constraints"`
	Before suiteSession `yaml:"session"`
	Plan   string       `yaml:"plan_mode"`
	Tier   string       `yaml:"service_tier"`
	Region string       `yaml:"region"`
	Want   suiteWant    `yaml:"want"`
}

type suiteTask struct {
	Prompt       string               `yaml:"prompt"`
	Messages     []suiteMessage       `yaml:"messages"`
	Material     suiteMaterial        `yaml:"material"`
	Stage        string               `yaml:"stage"`
	Capabilities []pricing.Capability `yaml:"required_capabilities"`
	OutputTokens int64                `yaml:"expected_output_tokens"`
	Labels       map[string]string    `yaml:"labels"`
}

type suiteMessage struct {
	Role    string `yaml:"role"`
	Content string `yaml:"content"`
}

type suiteMaterial struct {
	InputTokens int64 `yaml:"input_tokens"`
	ItemCount   int64 `yaml:"item_count"`
}

// suiteGiven replaces the classifier's word, so that a case tests the policy alone.
type suiteGiven struct {
	Repetition float64 `yaml:"repetition"`
	Making     float64 `yaml:"making"`
	Judgment   float64 `yaml:"judgment"`
	Split      float64 `yaml:"split"`
	Output     int64   `yaml:"output_tokens"`
}

type suiteLimits struct {
	MaxCost          *dollars      `yaml:"max_cost"`
	MinTier          *tierName     `yaml:"min_tier"`
	MaxTier          *tierName     `yaml:"max_tier"`
	Providers        []string      `yaml:"allowed_providers"`
	DeniedModels     []string      `yaml:"denied_models"`
	MinContextTokens int64         `yaml:"min_context_tokens"`
	MaxLatency       time.Duration `yaml:"max_latency"`
}

type suiteSession struct {
	CurrentModel      string         `yaml:"current_model"`
	CachedInputTokens int64          `yaml:"cached_input_tokens"`
	CacheAge          time.Duration  `yaml:"cache_age"`
	Attempts          []suiteAttempt `yaml:"attempts"`
}

type suiteAttempt struct {
	Model   string `yaml:"model"`
	Outcome string `yaml:"outcome"`
}

// suiteWant is what must hold; what is left out is not looked at.
type suiteWant struct {
	Tier       *tierName `yaml:"tier"`
	Model      string    `yaml:"model"`
	Fallback   string    `yaml:"fallback"` // the first
	Plan       *bool     `yaml:"plan"`     // whether one is recommended
	Design     string    `yaml:"design"`
	Execution  string    `yaml:"execution"`
	Reasons    []string  `yaml:"reasons"`
	MaxCost    *dollars  `yaml:"max_cost"`
	MinSavings *float64  `yaml:"min_savings"` // a part of the baseline
	Error      string    `yaml:"error"`       // part of its text
}

// ParseSuite reads a suite. The error joins every mistake with its line.
func ParseSuite(file string, data []byte) (*Suite, error) {
	var body suiteFile
	doc, err := strictyaml.Decode(file, data, &body)
	if err != nil {
		return nil, err
	}
	s := &Suite{file: file, doc: doc, cases: body.Cases}
	if len(s.cases) == 0 {
		return nil, doc.Errorf("", "the file has no cases: begin with \"cases:\" and a list under it")
	}
	var errs []error
	for i := range s.cases {
		c := &s.cases[i]
		if c.Policy == "" {
			c.Policy = body.Policy
		}
		if c.AsOf == "" {
			c.AsOf = body.AsOf
		}
		if c.Name == "" {
			errs = append(errs, doc.Errorf(strictyaml.Index("cases", i), "the case has no name"))
		}
		if _, _, err := c.request(); err != nil {
			errs = append(errs, doc.Errorf(strictyaml.Index("cases", i), "%v", err))
		}
		for j, name := range c.Want.Reasons {
			if _, ok := reasonNamed(name); !ok {
				errs = append(errs, doc.Errorf(strictyaml.Index(strictyaml.Index("cases", i)+".want.reasons", j), "there is no reason %q%s", name, didYouMean(name, reasonNames[1:])))
			}
		}
	}
	return s, errors.Join(errs...)
}

// CaseResult is how one case of a suite went.
type CaseResult struct {
	Name string
	// Failures say what was wanted and what came, with file and line; none means that
	// the case passed.
	Failures []error
}

// Run decides every case and compares.
func (s *Suite) Run(ctx context.Context, r *Router) []CaseResult {
	results := make([]CaseResult, len(s.cases))
	for i := range s.cases {
		results[i] = CaseResult{Name: s.cases[i].Name, Failures: s.run(ctx, r, i)}
	}
	return results
}

func (s *Suite) run(ctx context.Context, r *Router, i int) []error {
	c := &s.cases[i]
	path := strictyaml.Index("cases", i) + ".want"
	var failures []error
	fail := func(key, format string, args ...any) {
		failures = append(failures, s.doc.Errorf(path+key, format, args...))
	}
	req, class, err := c.request()
	if err != nil {
		return []error{err} // ParseSuite has refused it
	}
	var d Decision
	if class == nil {
		d, err = r.Route(ctx, req)
	} else {
		d, err = r.Decide(ctx, req, *class)
	}
	want := &c.Want
	switch {
	case err != nil && want.Error == "":
		fail("", "the request failed: %v", err)
		return failures
	case err != nil:
		if !strings.Contains(err.Error(), want.Error) {
			fail(".error", "want an error with %q, got: %v", want.Error, err)
		}
		return failures
	case want.Error != "":
		fail(".error", "want an error with %q, got %s", want.Error, d.Model.Ref())
		return failures
	}
	if want.Tier != nil && classifier.Tier(*want.Tier) != d.Tier {
		fail(".tier", "want %s, got %s", classifier.Tier(*want.Tier), d.Tier)
	}
	same := func(key, want string, got *pricing.Model) {
		if want != "" && (got == nil || want != got.Ref()) {
			fail(key, "want %s, got %s", want, refOrNone(got))
		}
	}
	same(".model", want.Model, d.Model)
	if want.Fallback != "" {
		var first *pricing.Model
		if len(d.Fallbacks) > 0 {
			first = d.Fallbacks[0]
		}
		same(".fallback", want.Fallback, first)
	}
	planned := d.Plan != nil && d.Plan.Recommended
	if want.Plan != nil && *want.Plan != planned {
		fail(".plan", "want a recommended plan: %t, got %t", *want.Plan, planned)
	}
	cost := d.Estimate.Expected
	if d.Plan != nil {
		same(".design", want.Design, d.Plan.Steps[0].Model)
		same(".execution", want.Execution, d.Plan.Steps[1].Model)
		if planned {
			cost = d.Plan.Cost
		}
	} else if want.Design+want.Execution != "" {
		fail("", "want a plan, got none")
	}
	for j, name := range want.Reasons {
		code, _ := reasonNamed(name)
		if !slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Code == code }) {
			fail(strictyaml.Index(".reasons", j), "the reason %s was not given", name)
		}
	}
	if want.MaxCost != nil && cost > pricing.Money(*want.MaxCost) {
		fail(".max_cost", "want at most %s, got %s", pricing.Money(*want.MaxCost), cost)
	}
	if want.MinSavings != nil && d.Savings.Fraction < *want.MinSavings {
		fail(".min_savings", "want at least %v of the baseline, got %.3f", *want.MinSavings, d.Savings.Fraction)
	}
	return failures
}

func refOrNone(m *pricing.Model) string {
	if m == nil {
		return "none"
	}
	return m.Ref()
}

// request makes the request of a case; the classification is nil where the case
// leaves it to the classifier.
func (c *suiteCase) request() (Request, *classifier.Classification, error) {
	req := Request{
		Policy: c.Policy, Region: c.Region,
		Task: Task{
			Task:                 classifier.Task{Material: classifier.Material(c.Task.Material)},
			Capabilities:         c.Task.Capabilities,
			ExpectedOutputTokens: c.Task.OutputTokens,
			Labels:               c.Task.Labels,
		},
		Constraints: Constraints{
			MaxCost: (*pricing.Money)(c.Limits.MaxCost), Providers: c.Limits.Providers, DeniedModels: c.Limits.DeniedModels,
			MinContextTokens: c.Limits.MinContextTokens, MaxLatency: c.Limits.MaxLatency,
		},
		Session: Session{
			CurrentModel: c.Before.CurrentModel, CachedInputTokens: c.Before.CachedInputTokens, CacheAge: c.Before.CacheAge,
		},
	}
	setTier(&req.Constraints.MinTier, c.Limits.MinTier)
	setTier(&req.Constraints.MaxTier, c.Limits.MaxTier)
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	req.Task.Messages = classifier.Prompt(c.Task.Prompt).Messages
	if len(c.Task.Messages) > 0 {
		if c.Task.Prompt != "" {
			note(errors.New("the task has both a prompt and messages: give one"))
		}
		req.Task.Messages = nil
		for _, m := range c.Task.Messages {
			role, err := classifier.ParseRole(m.Role)
			note(err)
			req.Task.Messages = append(req.Task.Messages, classifier.Message{Role: role, Content: m.Content})
		}
	} else if c.Task.Prompt == "" {
		note(errors.New("the task has no text: give \"prompt\" or \"messages\""))
	}
	if c.Task.Stage != "" {
		stage, err := classifier.ParseStage(c.Task.Stage)
		note(err)
		req.Task.Stage = stage
	}
	for _, a := range c.Before.Attempts {
		outcome, err := parseName[Outcome]("outcome", outcomeNames, a.Outcome)
		note(err)
		req.Session.Attempts = append(req.Session.Attempts, Attempt{Model: a.Model, Outcome: outcome})
	}
	if c.Plan != "" {
		mode, err := parseName[PlanMode]("plan_mode", planModeNames, c.Plan)
		note(err)
		req.Plan = mode
	}
	if c.Tier != "" {
		note(req.ServiceTier.UnmarshalText([]byte(c.Tier)))
	}
	asOf, err := parseAsOf(c.AsOf)
	note(err)
	req.AsOf = asOf
	if c.Given == nil {
		return req, nil, errors.Join(errs...)
	}
	class, err := c.Given.classification(req.Task)
	note(err)
	return req, &class, errors.Join(errs...)
}

func (g *suiteGiven) classification(t Task) (classifier.Classification, error) {
	p := [classifier.Tiers]float64{g.Repetition, g.Making, g.Judgment}
	if sum := p[0] + p[1] + p[2]; !(sum > 0.999 && sum < 1.001) || slices.Min(p[:]) < 0 {
		return classifier.Classification{}, fmt.Errorf("the given probabilities sum to %v: they must be 0 or more and sum to 1", sum)
	}
	if !(g.Split >= 0 && g.Split <= 1) {
		return classifier.Classification{}, fmt.Errorf("the given split %v is not a probability: use 0 to 1", g.Split)
	}
	length := g.Output
	if t.ExpectedOutputTokens > 0 {
		length = t.ExpectedOutputTokens
	} else if length <= 0 {
		return classifier.Classification{}, errors.New("given.output_tokens is missing: say how long the answer is")
	}
	best := 0
	for k := range p {
		if p[k] > p[best] {
			best = k
		}
	}
	return classifier.Classification{
		Tier: classifier.Tier(best + 1), Confidence: p[best], Probabilities: p, SplitProbability: g.Split,
		OutputTokens: classifier.TokenRange{Low: length, Median: length, High: length, Mean: length},
		Language:     "und", Version: "given",
	}, nil
}

// parseAsOf reads a day or a moment; a suite must say which, so that its cases stay
// true when prices change.
func parseAsOf(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, errors.New("as_of is missing: give the file or the case a day such as 2026-11-25, so that later prices don't change the result")
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("as_of %q is neither a day (2026-11-25) nor a moment (2026-11-25T12:00:00Z)", s)
	}
	return t, nil
}

var (
	outcomeNames  = []string{"", "succeeded", "failed", "stalled", "refused", "unavailable"}
	planModeNames = []string{"allow", "single_step", "two_step"}
	reasonNames   = []string{
		"", "LOWEST_EXPECTED_TOTAL", "COUNTERFACTUAL", "PLAN_PAYS", "PLAN_NOT_WORTH_IT", "PLAN_NOT_CONSIDERED", "ESCALATED",
		"FAILED_OVER", "REFUSED_ELSEWHERE", "CACHE_KEPT", "CACHE_LEFT", "STAGE_DECLARED", "TIER_FLOOR", "TIER_CEILING",
		"POLICY_RULE", "LITTLE_EVIDENCE", "EXCLUDED_RETIRED", "EXCLUDED_CONTEXT", "EXCLUDED_CAPABILITY", "EXCLUDED_COST",
		"EXCLUDED_LATENCY", "EXCLUDED_PROVIDER", "EXCLUDED_DENIED", "EXCLUDED_TIER", "EXCLUDED_REGION", "EXCLUDED_SERVICE_TIER",
		"EXCLUDED_ATTEMPTED", "EXCLUDED_NO_PRICE", "OUTPUT_LIMIT",
	}
)

// String gives the code's name as the contract spells it, without its prefix.
func (c ReasonCode) String() string {
	if int(c) < len(reasonNames) {
		return reasonNames[c]
	}
	return fmt.Sprintf("REASON_%d", uint8(c))
}

func reasonNamed(name string) (ReasonCode, bool) {
	i := slices.Index(reasonNames, name)
	return ReasonCode(max(i, 0)), i > 0
}

func parseName[T ~uint8](kind string, names []string, s string) (T, error) {
	i := slices.Index(names, s)
	if i < 0 || s == "" {
		return 0, fmt.Errorf("unknown %s %q: use one of %s", kind, s, strings.TrimPrefix(strings.Join(names, ", "), ", "))
	}
	return T(i), nil
}
