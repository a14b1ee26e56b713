package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/pricing"
)

// flags are those of one subcommand. Unlike the standard library's they may also
// stand after arguments, and messages spell them with two dashes. Their usage texts
// are empty: help.go is written by hand, and a test holds the two together.
type flags struct {
	*flag.FlagSet
	// request names the flags that fill in a request.
	request []string
}

func newFlags() *flags {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	return &flags{FlagSet: set}
}

// parse reads args and gives what is not a flag. What follows "--" is never one.
func (f *flags) parse(args []string) ([]string, error) {
	var positional []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, f.reword(err)
		}
		rest := f.Args()
		if len(rest) == 0 {
			return positional, nil
		}
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return append(positional, rest...), nil
		}
		positional, args = append(positional, rest[0]), rest[1:]
	}
}

// reword turns the standard library's messages into ours.
func (f *flags) reword(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	msg := err.Error()
	if name, ok := strings.CutPrefix(msg, "flag provided but not defined: -"); ok {
		var names []string
		f.VisitAll(func(known *flag.Flag) { names = append(names, "--"+known.Name) })
		return usagef("no flag --%s%s", name, didYouMean("--"+name, names))
	}
	if name, ok := strings.CutPrefix(msg, "flag needs an argument: -"); ok {
		return usagef("--%s needs a value", name)
	}
	if m := badValue.FindStringSubmatch(msg); m != nil {
		return usagef("--%s %s: %s", m[2], m[1], strings.Replace(m[3], "parse error", "write true or false", 1))
	}
	return usagef("%s", msg)
}

// badValue is how the standard library words a value that a flag can't read.
var badValue = regexp.MustCompile(`(?s)^invalid (?:boolean )?value (".*") for (?:flag )?-([a-z-]+): (.*)$`)

// given says which flags of a kind stand on the command line.
func (f *flags) given(names []string) []string {
	var given []string
	f.Visit(func(set *flag.Flag) {
		if slices.Contains(names, set.Name) {
			given = append(given, set.Name)
		}
	})
	return given
}

// field defines a flag that fills in a part of a request.
func (f *flags) field(name string, set func(value string) error) {
	f.request = append(f.request, name)
	f.Func(name, "", set)
}

// group gives the names of the request's flags that define defines.
func (f *flags) group(define func()) []string {
	before := len(f.request)
	define()
	return slices.Clone(f.request[before:])
}

// taskFlags define what can be said of a task beside its text.
func taskFlags(f *flags, t *adjutantv1.Task) {
	material := func() *adjutantv1.Material {
		if t.Material == nil {
			t.Material = &adjutantv1.Material{}
		}
		return t.Material
	}
	f.field("material-tokens", func(s string) (err error) { material().InputTokens, err = parseCount(s); return })
	f.field("items", func(s string) (err error) { material().ItemCount, err = parseCount(s); return })
	f.field("expected-output", func(s string) (err error) { t.ExpectedOutputTokens, err = parseCount(s); return })
	f.field("stage", enum(&t.Stage, "STAGE_", adjutantv1.Stage_value))
	f.field("capability", each(&t.RequiredCapabilities, "CAPABILITY_", adjutantv1.Capability_value))
	f.field("label", func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("write it as KEY=VALUE")
		}
		if t.Labels == nil {
			t.Labels = map[string]string{}
		}
		if _, twice := t.Labels[key]; twice {
			return errors.New("this label is already set")
		}
		t.Labels[key] = value
		return nil
	})
}

// routeFlags define what a RouteRequest holds beside its task.
func routeFlags(f *flags, r *adjutantv1.RouteRequest) {
	constraints := func() *adjutantv1.Constraints {
		if r.Constraints == nil {
			r.Constraints = &adjutantv1.Constraints{}
		}
		return r.Constraints
	}
	session := func() *adjutantv1.Session {
		if r.Session == nil {
			r.Session = &adjutantv1.Session{}
		}
		return r.Session
	}
	f.field("policy", func(s string) error { r.Policy = s; return nil })
	f.field("plan", enum(&r.PlanMode, "PLAN_MODE_", adjutantv1.PlanMode_value))
	f.field("service-tier", enum(&r.ServiceTier, "SERVICE_TIER_", adjutantv1.ServiceTier_value))
	f.field("region", func(s string) error { r.Region = s; return nil })
	f.field("as-of", parseTime(&r.AsOf))

	f.field("max-cost", func(s string) (err error) { constraints().MaxCost, err = parseMoney(s); return })
	f.field("min-tier", func(s string) error {
		return enum(&constraints().MinTier, "TIER_", adjutantv1.Tier_value)(s)
	})
	f.field("max-tier", func(s string) error {
		return enum(&constraints().MaxTier, "TIER_", adjutantv1.Tier_value)(s)
	})
	f.field("provider", func(s string) error {
		constraints().AllowedProviders = append(constraints().AllowedProviders, strings.Split(s, ",")...)
		return nil
	})
	f.field("deny", func(s string) error {
		constraints().DeniedModels = append(constraints().DeniedModels, strings.Split(s, ",")...)
		return nil
	})
	f.field("min-context", func(s string) (err error) { constraints().MinContextTokens, err = parseCount(s); return })
	f.field("max-latency", func(s string) (err error) { constraints().MaxLatency, err = parseDuration(s); return })

	f.field("current-model", func(s string) error { session().CurrentModel = s; return nil })
	f.field("cached-tokens", func(s string) (err error) { session().CachedInputTokens, err = parseCount(s); return })
	f.field("cache-age", func(s string) (err error) { session().CacheAge, err = parseDuration(s); return })
	f.field("attempt", func(s string) error {
		a, err := parseAttempt(s)
		session().Attempts = append(session().Attempts, a)
		return err
	})
}

// costFlags define what an EstimateCostRequest holds beside its task and usage.
func costFlags(f *flags, r *adjutantv1.EstimateCostRequest) {
	f.field("model", func(s string) error {
		r.Models = append(r.Models, strings.Split(s, ",")...)
		return nil
	})
	f.field("service-tier", enum(&r.ServiceTier, "SERVICE_TIER_", adjutantv1.ServiceTier_value))
	f.field("region", func(s string) error { r.Region = s; return nil })
	f.field("as-of", parseTime(&r.AsOf))
	f.field("calls", func(s string) (err error) { r.Calls, err = parseCount(s); return })
	f.field("shared-input-tokens", func(s string) (err error) { r.SharedInputTokens, err = parseCount(s); return })
}

// usageFlags define the counts of a Usage, each named as its field.
func usageFlags(f *flags, u *adjutantv1.Usage) {
	for name, count := range map[string]*int64{
		"input-tokens":            &u.InputTokens,
		"output-tokens":           &u.OutputTokens,
		"cache-read-tokens":       &u.CacheReadTokens,
		"cache-write-tokens":      &u.CacheWriteTokens,
		"reasoning-tokens":        &u.ReasoningTokens,
		"input-audio-tokens":      &u.InputAudioTokens,
		"output-audio-tokens":     &u.OutputAudioTokens,
		"cache-read-audio-tokens": &u.CacheReadAudioTokens,
		"input-image-tokens":      &u.InputImageTokens,
		"output-image-tokens":     &u.OutputImageTokens,
	} {
		f.field(name, func(s string) (err error) { *count, err = parseCount(s); return })
	}
	f.field("cache-write", func(s string) error {
		lifetime, tokens, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("write it as LIFETIME=TOKENS, such as 1h=20000")
		}
		ttl, err := parseDuration(lifetime)
		if err != nil {
			return err
		}
		n, err := parseCount(tokens)
		u.CacheWrites = append(u.CacheWrites, &adjutantv1.CacheWrite{Ttl: ttl, Tokens: n})
		return err
	})
}

// enum reads a value of a proto enum as people write it: without its prefix, in
// lower case, with dashes; the full name does as well.
func enum[E ~int32](target *E, prefix string, values map[string]int32) func(string) error {
	return func(s string) error {
		name := strings.ToUpper(strings.ReplaceAll(s, "-", "_"))
		n, ok := values[prefix+strings.TrimPrefix(name, prefix)]
		if !ok || n == 0 {
			return fmt.Errorf("use one of %s", strings.Join(enumNames(prefix, values), ", "))
		}
		*target = E(n)
		return nil
	}
}

// each reads one or more values of an enum, with commas between, and adds them.
func each[E ~int32](target *[]E, prefix string, values map[string]int32) func(string) error {
	return func(s string) error {
		for name := range strings.SplitSeq(s, ",") {
			var value E
			if err := enum(&value, prefix, values)(name); err != nil {
				return err
			}
			*target = append(*target, value)
		}
		return nil
	}
}

// enumNames are the values that enum reads, in the contract's order.
func enumNames(prefix string, values map[string]int32) []string {
	var names []string
	for name, n := range values {
		if n != 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return int(values[a] - values[b]) })
	for i, name := range names {
		names[i] = short(prefix, name)
	}
	return names
}

// short gives an enum value's name as people write it.
func short(prefix, name string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", "-")
}

// parseCount reads a whole number, 13333 or 13_333.
func parseCount(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil {
		return 0, errors.New("not a whole number")
	}
	return n, nil
}

// parseMoney reads dollars, 0.05 or $0.05.
func parseMoney(s string) (*money.Money, error) {
	m, err := pricing.ParseMoney(strings.TrimPrefix(s, "$"))
	if err != nil {
		return nil, errors.New("not an amount in dollars, such as 0.05")
	}
	dollars, nanos := m.Units()
	return &money.Money{CurrencyCode: "USD", Units: dollars, Nanos: nanos}, nil
}

// parseTime reads a day, which stands for its first instant in UTC, or RFC 3339.
func parseTime(target **timestamppb.Timestamp) func(string) error {
	return func(s string) error {
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t, err = time.Parse(time.RFC3339, s)
		}
		if err != nil {
			return errors.New("not a time: write 2026-01-31 or 2026-01-31T12:00:00Z")
		}
		*target = timestamppb.New(t)
		return nil
	}
}

func parseDuration(s string) (*durationpb.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil, errors.New("not a duration, such as 800ms, 30s or 1h")
	}
	return durationpb.New(d), nil
}

// parseAttempt reads MODEL=OUTCOME or MODEL=OUTCOME:ELAPSED.
func parseAttempt(s string) (*adjutantv1.Attempt, error) {
	cut := strings.LastIndex(s, "=")
	if cut < 0 {
		return nil, errors.New("write it as MODEL=OUTCOME or MODEL=OUTCOME:ELAPSED, such as claude-haiku-5-5=stalled:90s")
	}
	a := &adjutantv1.Attempt{Model: s[:cut]}
	outcome, elapsed, timed := strings.Cut(s[cut+1:], ":")
	err := enum(&a.Outcome, "OUTCOME_", adjutantv1.Outcome_value)(outcome)
	if timed && err == nil {
		a.Elapsed, err = parseDuration(elapsed)
	}
	return a, err
}

// didYouMean names the nearest of known, if one is near.
func didYouMean(name string, known []string) string {
	best, distance := "", 1+len(name)/3
	for _, k := range known {
		if d := editDistance(name, k); d < distance || d == distance && best == "" {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// editDistance counts the bytes to insert, remove or replace to turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
