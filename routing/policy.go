package routing

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/internal/strictyaml"
	"github.com/adjutant-dev/adjutant/pricing"
)

// DefaultPolicy is the name of the policy that is used where nobody names one.
const DefaultPolicy = "default"

//go:embed policies/*.yaml
var embeddedPolicies embed.FS

// PolicyFile is the text of one policy file.
type PolicyFile struct {
	Name string // for messages
	Data []byte
}

// Policies is a set of named policies as they were written. [New] checks them
// against a catalogue and compiles them.
type Policies struct {
	written map[string]writtenPolicy
	files   []PolicyFile // for the digest, in the order read
}

// writtenPolicy is a policy with what it extends already filled in, and the place
// where it was written.
type writtenPolicy struct {
	policySpec
	doc   *strictyaml.Document
	path  string
	whole bool   // everything that compiling needs is there
	rules []rule // compiled but for the models that they deny, by position in Rules
}

// policySpec is the file format of one policy. A key that is left out is nil and
// keeps what the policy extends says. docs/policies.md explains every key.
type policySpec struct {
	Extends     string                `yaml:"extends"`
	Description string                `yaml:"description"`
	Tiers       *tierModels           `yaml:"tiers"`
	Failure     *failureTable         `yaml:"failure"`
	Penalty     *dollars              `yaml:"penalty"`
	ValueOfTime *dollars              `yaml:"value_of_time"`
	DesignTier  *tierName             `yaml:"design_tier"`
	Plan        *planSpec             `yaml:"plan"`
	Speed       map[string]modelSpeed `yaml:"speed"`
	Floor       *tierName             `yaml:"floor"`
	Ceiling     *tierName             `yaml:"ceiling"`
	Providers   []string              `yaml:"providers"`
	Deny        []string              `yaml:"deny"`
	Region      *string               `yaml:"region"`
	MaxCost     *dollars              `yaml:"max_cost"`
	Rules       []ruleSpec            `yaml:"rules"`
}

// tierModels are the models that serve each tier, in the policy's order.
type tierModels struct {
	Repetition []string `yaml:"repetition"`
	Making     []string `yaml:"making"`
	Judgment   []string `yaml:"judgment"`
}

func (m *tierModels) of(t classifier.Tier) []string {
	return [...][]string{m.Repetition, m.Making, m.Judgment}[t-1]
}

// failureTable is f: the row says what a task needs, the column which tier it is
// given to.
type failureTable struct {
	Repetition tierChances `yaml:"repetition"`
	Making     tierChances `yaml:"making"`
	Judgment   tierChances `yaml:"judgment"`
}

// tierChances is one probability a tier.
type tierChances struct {
	Repetition float64 `yaml:"repetition"`
	Making     float64 `yaml:"making"`
	Judgment   float64 `yaml:"judgment"`
}

func (c tierChances) array() chances {
	return chances{c.Repetition, c.Making, c.Judgment}
}

func (f failureTable) array() [classifier.Tiers]chances {
	return [...]chances{f.Repetition.array(), f.Making.array(), f.Judgment.array()}
}

// planSpec says what the two steps of a plan are reckoned with.
type planSpec struct {
	// Failure is q: the chance that a plan by a tier is no good.
	Failure planFailure `yaml:"failure"`
	// SampleTokens is how much of the material the design step reads.
	SampleTokens int64 `yaml:"sample_tokens"`
	// OutputTokens is how long a written plan is.
	OutputTokens int64 `yaml:"output_tokens"`
}

type planFailure struct {
	Making   float64 `yaml:"making"`
	Judgment float64 `yaml:"judgment"`
}

// modelSpeed is how fast a model answers.
type modelSpeed struct {
	FirstToken      time.Duration `yaml:"first_token"`
	TokensPerSecond float64       `yaml:"tokens_per_second"`
}

// ruleSpec changes what applies to the tasks that a condition matches.
type ruleSpec struct {
	Name      string    `yaml:"name"`
	When      string    `yaml:"when"`
	Floor     *tierName `yaml:"floor"`
	Ceiling   *tierName `yaml:"ceiling"`
	Penalty   *dollars  `yaml:"penalty"`
	MaxCost   *dollars  `yaml:"max_cost"`
	Providers []string  `yaml:"providers"`
	Deny      []string  `yaml:"deny"`
}

// dollars is an exact amount in a file.
type dollars pricing.Money

// UnmarshalText reads a decimal number of dollars that is not negative.
func (d *dollars) UnmarshalText(text []byte) error {
	m, err := pricing.ParseMoney(string(text))
	if err != nil {
		return err
	}
	if m < 0 {
		return fmt.Errorf("%s is negative: an amount is 0 or more dollars", m)
	}
	*d = dollars(m)
	return nil
}

// tierName is a tier in a file.
type tierName classifier.Tier

// UnmarshalText reads repetition, making or judgment.
func (t *tierName) UnmarshalText(text []byte) error {
	tier, err := classifier.ParseTier(string(text))
	*t = tierName(tier)
	return err
}

// policyDocument is one file: policies by name.
type policyDocument struct {
	Policies map[string]policySpec `yaml:"policies"`
}

// DefaultPolicies gives the embedded policies.
func DefaultPolicies() *Policies {
	p, err := ParsePolicies()
	if err != nil {
		panic(fmt.Sprintf("routing: the embedded policies are wrong: %v", err)) // a test reads them
	}
	return p
}

// LoadPolicies reads policy files and adds them to the embedded policies. A policy
// that has the name of an embedded one replaces it, and may extend it. The error
// joins every mistake, each a [*strictyaml.Error] with file and line.
func LoadPolicies(paths ...string) (*Policies, error) {
	files, err := readPolicies(paths)
	if err != nil {
		return nil, err
	}
	return ParsePolicies(files...)
}

// ParsePolicies is [LoadPolicies] for texts that are in memory.
func ParsePolicies(files ...PolicyFile) (*Policies, error) {
	set, err := parsePolicies(files)
	if err != nil {
		return nil, err
	}
	return set, nil
}

// CheckPolicies reports every mistake in policy files: those that loading finds and
// those that show against a catalogue, together.
func CheckPolicies(catalogue *pricing.Catalogue, paths ...string) error {
	files, err := readPolicies(paths)
	if err != nil {
		return err
	}
	set, err := parsePolicies(files)
	errs := []error{err}
	for _, name := range slices.Sorted(maps.Keys(set.written)) {
		if written := set.written[name]; written.whole {
			_, err := written.compile(name, catalogue)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func readPolicies(paths []string) ([]PolicyFile, error) {
	files := make([]PolicyFile, 0, len(paths))
	var errs []error
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("read policy file: %w", err))
			continue
		}
		files = append(files, PolicyFile{Name: path, Data: data})
	}
	return files, errors.Join(errs...)
}

// parsePolicies gives what could be read beside the mistakes in the rest.
func parsePolicies(files []PolicyFile) (*Policies, error) {
	set := &Policies{written: map[string]writtenPolicy{}}
	entries, err := embeddedPolicies.ReadDir("policies")
	if err != nil {
		return set, fmt.Errorf("read embedded policies: %w", err)
	}
	for _, entry := range entries {
		data, err := embeddedPolicies.ReadFile("policies/" + entry.Name())
		if err != nil {
			return set, fmt.Errorf("read embedded policies: %w", err)
		}
		if err := set.add(PolicyFile{Name: entry.Name(), Data: data}, nil); err != nil {
			return set, err
		}
	}
	embedded := maps.Clone(set.written)
	var errs []error
	for _, file := range files {
		errs = append(errs, set.add(file, embedded))
	}
	return set, errors.Join(errs...)
}

// add decodes one file and puts its policies into the set. A policy may extend one
// of the same file or, where it has the same name or the file has none such, an
// embedded one.
func (p *Policies) add(file PolicyFile, embedded map[string]writtenPolicy) error {
	var body policyDocument
	doc, decodeErr := strictyaml.Decode(file.Name, file.Data, &body)
	if len(body.Policies) == 0 {
		if decodeErr != nil {
			return decodeErr
		}
		return doc.Errorf("", "the file has no policies: begin with \"policies:\" and a policy's name under it")
	}
	p.files = append(p.files, file)
	errs := []error{decodeErr}
	for _, name := range slices.Sorted(maps.Keys(body.Policies)) {
		path := strictyaml.Key("policies", name)
		if earlier, ok := p.written[name]; ok && earlier.doc != embedded[name].doc {
			errs = append(errs, doc.Errorf(path, "another file has a policy %q already: give one of them another name", name))
			continue
		}
		written := writtenPolicy{policySpec: body.Policies[name], doc: doc, path: path}
		if base := written.Extends; base != "" {
			spec, inFile := body.Policies[base]
			switch outer, known := embedded[base]; {
			case inFile && base != name && spec.Extends != "" && spec.Extends != base:
				errs = append(errs, doc.Errorf(path+".extends", "%q extends %q itself: inheritance has one level", base, spec.Extends))
				continue
			case inFile && base != name && spec.Extends == "":
				written.policySpec = written.over(spec)
			case inFile && base != name: // it extends the embedded policy of its own name
				written.policySpec = written.over(spec.over(outer.policySpec))
			case known:
				written.policySpec = written.over(outer.policySpec)
			default:
				names := slices.Concat(slices.Collect(maps.Keys(body.Policies)), slices.Collect(maps.Keys(embedded)))
				errs = append(errs, doc.Errorf(path+".extends", "there is no policy %q%s", base, didYouMean(base, names)))
				continue
			}
		}
		errs = append(errs, written.validate(decodeErr == nil))
		p.written[name] = written
	}
	return errors.Join(errs...)
}

// over fills what s leaves out from base.
func (s policySpec) over(base policySpec) policySpec {
	if s.Description == "" {
		s.Description = base.Description
	}
	s.Tiers = or(s.Tiers, base.Tiers)
	s.Failure = or(s.Failure, base.Failure)
	s.Penalty = or(s.Penalty, base.Penalty)
	s.ValueOfTime = or(s.ValueOfTime, base.ValueOfTime)
	s.DesignTier = or(s.DesignTier, base.DesignTier)
	s.Plan = or(s.Plan, base.Plan)
	s.Floor = or(s.Floor, base.Floor)
	s.Ceiling = or(s.Ceiling, base.Ceiling)
	s.Region = or(s.Region, base.Region)
	s.MaxCost = or(s.MaxCost, base.MaxCost)
	if s.Providers == nil {
		s.Providers = base.Providers
	}
	if s.Deny == nil {
		s.Deny = base.Deny
	}
	if s.Rules == nil {
		s.Rules = base.Rules
	}
	speed := maps.Clone(base.Speed)
	if speed == nil {
		speed = s.Speed
	} else {
		maps.Copy(speed, s.Speed)
	}
	s.Speed = speed
	return s
}

func or[T any](p, base *T) *T {
	if p != nil {
		return p
	}
	return base
}

// validate reports every mistake that needs no catalogue. What is missing is one only
// where the file could be decoded: else it may be there, misspelt.
func (w *writtenPolicy) validate(decoded bool) error {
	var errs []error
	wrong := func(path, format string, args ...any) {
		errs = append(errs, w.doc.Errorf(w.path+path, format, args...))
	}
	w.whole = w.Tiers != nil && w.Failure != nil && w.Penalty != nil && w.Plan != nil
	missing := func(is bool, key, want string) {
		if is && decoded {
			wrong("", "%s is missing: give %s, or extend a policy that has it (\"extends: default\")", key, want)
		}
	}
	missing(w.Tiers == nil, "tiers", "the models that serve each tier")
	missing(w.Failure == nil, "failure", "the chance that each tier fails")
	missing(w.Penalty == nil, "penalty", "what a failed answer costs, in dollars")
	missing(w.Plan == nil, "plan", "what plans are reckoned with")
	if t := w.Tiers; t != nil && len(t.Repetition)+len(t.Making)+len(t.Judgment) == 0 {
		wrong(".tiers", "no tier has a model: name at least one")
	}
	if w.Failure != nil {
		w.validateFailure(wrong)
	}
	if w.Plan != nil {
		chance := func(key string, v float64) {
			if !(v >= 0 && v <= 1) {
				wrong(".plan.failure."+key, "%v is not a probability: use 0 to 1", v)
			}
		}
		chance("making", w.Plan.Failure.Making)
		chance("judgment", w.Plan.Failure.Judgment)
		if w.Plan.SampleTokens < 0 {
			wrong(".plan.sample_tokens", "%d is negative: use 0 or more tokens", w.Plan.SampleTokens)
		}
		if w.Plan.OutputTokens <= 0 {
			wrong(".plan.output_tokens", "%d is not a length: a plan has 1 token or more", w.Plan.OutputTokens)
		}
	}
	if w.Floor != nil && w.Ceiling != nil && *w.Floor > *w.Ceiling {
		wrong(".floor", "the floor %s is above the ceiling %s", classifier.Tier(*w.Floor), classifier.Tier(*w.Ceiling))
	}
	if w.DesignTier != nil && classifier.Tier(*w.DesignTier) == classifier.Repetition {
		wrong(".design_tier", "repetition can't design: use making or judgment")
	}
	for _, model := range slices.Sorted(maps.Keys(w.Speed)) {
		speed, path := w.Speed[model], strictyaml.Key(".speed", model)
		if speed.FirstToken < 0 {
			wrong(path+".first_token", "%s is negative", speed.FirstToken)
		}
		if !(speed.TokensPerSecond > 0) {
			wrong(path+".tokens_per_second", "%v is not a speed: use more than 0", speed.TokensPerSecond)
		}
	}
	w.rules = make([]rule, len(w.Rules))
	for i, rule := range w.Rules {
		path := strictyaml.Index(".rules", i)
		if rule.Name == "" {
			wrong(path, "the rule has no name: reasons name the rule that matched")
		}
		if rule.When == "" {
			wrong(path, "the rule has no condition: \"when\" is a CEL expression such as labels.team == \"billing\"")
		} else if compiled, err := compileRule(rule); err != nil {
			wrong(path+".when", "%v", err)
		} else {
			w.rules[i] = compiled
		}
		if rule.Floor != nil && rule.Ceiling != nil && *rule.Floor > *rule.Ceiling {
			wrong(path+".floor", "the floor %s is above the ceiling %s", classifier.Tier(*rule.Floor), classifier.Tier(*rule.Ceiling))
		}
	}
	return errors.Join(errs...)
}

// validateFailure holds what the decision rule relies on: chances are
// probabilities, a higher tier never fails more often, and a task that needs more
// never fails less often. From it follows that raising the penalty never lowers
// the tier.
func (w *writtenPolicy) validateFailure(wrong func(path, format string, args ...any)) {
	f := w.Failure.array()
	for need := classifier.Repetition; need <= classifier.Judgment; need++ {
		for given := classifier.Repetition; given <= classifier.Judgment; given++ {
			path := fmt.Sprintf(".failure.%s.%s", need, given)
			v := f[need-1][given-1]
			switch {
			case !(v >= 0 && v <= 1):
				wrong(path, "%v is not a probability: use 0 to 1", v)
			case given > classifier.Repetition && v > f[need-1][given-2]:
				wrong(path, "%v is more than %v for %s: a higher tier does not fail more often", v, f[need-1][given-2], given-1)
			case need > classifier.Repetition && v < f[need-2][given-1]:
				wrong(path, "%v is less than %v where the task needs %s: a task that needs more does not fail less often", v, f[need-2][given-1], need-1)
			}
		}
	}
}

func didYouMean(name string, candidates []string) string {
	if nearest := strictyaml.Nearest(name, candidates); nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	return ""
}
