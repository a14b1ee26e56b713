package server

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/pricing"
	"github.com/adjutant-dev/adjutant/routing"
)

// The limits that the contract states, and three that it leaves to the server.
const (
	maxBatch        = 1_000
	maxMessages     = 10_000
	maxLabels       = 32
	maxLabelKey     = 63  // bytes
	maxLabelValue   = 128 // bytes
	maxCapabilities = 8
	maxOutputTokens = 10_000_000
	maxTokens       = 1_000_000_000     // of material, a cache, a context window
	maxUsageTokens  = 1_000_000_000_000 // of one count in usage
	maxCalls        = 1_000_000_000_000
	maxCacheWrites  = 8
	maxProviders    = 32
	maxDenied       = 100
	maxAttempts     = 32
	maxModels       = 100
	maxPageSize     = 1_000

	maxName      = 256 // bytes of the name of a model, policy, provider or region
	maxPageToken = 1 << 10
	maxFilter    = 100 // values of one list in a filter
)

// violations collects everything that is wrong with a request. The zero value is
// ready to use, and costs nothing until something is wrong. Messages never quote the
// request's text.
type violations struct {
	list []*errdetails.BadRequest_FieldViolation
	size int // bytes of list's text
	more int // violations that were found after list was full
}

// add notes one violation. Field is a path as the contract spells it.
func (v *violations) add(field, format string, args ...any) {
	description := fmt.Sprintf(format, args...)
	// The encoding of a violation adds up to ten bytes.
	size := len(field) + len(description) + 10
	if v.size+size > maxDetails {
		v.more++
		return
	}
	v.size += size
	v.list = append(v.list, &errdetails.BadRequest_FieldViolation{Field: field, Description: description})
}

// err gives an INVALID_ARGUMENT status with every violation, nil if there is none.
func (v *violations) err() error {
	if len(v.list) == 0 {
		return nil
	}
	message := v.list[0].GetField() + ": " + v.list[0].GetDescription()
	others := len(v.list) - 1 + v.more
	if others > 0 {
		message = fmt.Sprintf("%s (and %d more)", message, others)
	}
	if v.more > 0 {
		v.list = append(v.list, &errdetails.BadRequest_FieldViolation{Description: fmt.Sprintf("and %d more violations", v.more)})
	}
	return withDetails(status.New(codes.InvalidArgument, message),
		&errdetails.ErrorInfo{Domain: errorDomain, Reason: reasonName(adjutantv1.ErrorReason_ERROR_REASON_INVALID_REQUEST)},
		&errdetails.BadRequest{FieldViolations: v.list})
}

// fields adds the field errors of the rooms below, which may be joined.
func (v *violations) fields(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			v.fields(e)
		}
		return
	}
	var field *routing.FieldError
	var usage *pricing.UsageError
	switch {
	case errors.As(err, &field):
		v.add(field.Field, "%s", field.Msg)
	case errors.As(err, &usage):
		v.add("usage."+usage.Field, "%s", usage.Msg)
	}
}

func (v *violations) task(t *adjutantv1.Task) {
	if t == nil {
		v.add("task", "is required")
		return
	}
	switch input := t.GetInput().(type) {
	case *adjutantv1.Task_Prompt:
		if blank(input.Prompt) {
			v.add("task.prompt", "must hold at least one character that is not white space")
		}
	case *adjutantv1.Task_Conversation:
		v.conversation(input.Conversation.GetMessages())
	default:
		v.add("task", "exactly one of prompt and conversation must be set")
	}
	if m := t.GetMaterial(); m != nil {
		v.between("task.material.input_tokens", m.GetInputTokens(), maxTokens)
		v.between("task.material.item_count", m.GetItemCount(), maxTokens)
	}
	optional(v, "task.stage", t.GetStage())
	v.capabilities("task.required_capabilities", t.GetRequiredCapabilities())
	v.between("task.expected_output_tokens", t.GetExpectedOutputTokens(), maxOutputTokens)
	v.labels(t.GetLabels())
}

func (v *violations) conversation(messages []*adjutantv1.Message) {
	v.count("task.conversation.messages", len(messages), 1, maxMessages)
	asked := false
	for i, m := range messages {
		role := m.GetRole()
		if role <= adjutantv1.Role_ROLE_UNSPECIFIED || role > adjutantv1.Role_ROLE_TOOL {
			required(v, fmt.Sprintf("task.conversation.messages[%d].role", i), role)
		}
		asked = asked || role == adjutantv1.Role_ROLE_USER && !blank(m.GetContent())
	}
	if !asked && len(messages) > 0 {
		v.add("task.conversation.messages", "at least one message of ROLE_USER must hold text")
	}
}

// labels says nothing of the keys themselves, which are the caller's text.
func (v *violations) labels(labels map[string]string) {
	v.count("task.labels", len(labels), 0, maxLabels)
	keys, values := 0, 0
	for key, value := range labels {
		if len(key) == 0 || len(key) > maxLabelKey {
			keys++
		}
		if len(value) > maxLabelValue {
			values++
		}
	}
	if keys > 0 {
		v.add("task.labels", "a key has 1 to %d bytes, but %d of the keys don't", maxLabelKey, keys)
	}
	if values > 0 {
		v.add("task.labels", "a value has at most %d bytes, but %d of the values have more", maxLabelValue, values)
	}
}

func (v *violations) capabilities(field string, capabilities []adjutantv1.Capability) {
	v.count(field, len(capabilities), 0, maxCapabilities)
	var seen uint32
	for i, c := range capabilities {
		if c <= 0 || c > adjutantv1.Capability_CAPABILITY_PROMPT_CACHING {
			required(v, fmt.Sprintf("%s[%d]", field, i), c)
			continue
		}
		if seen&(1<<c) != 0 {
			v.add(fmt.Sprintf("%s[%d]", field, i), "%s is there twice", c)
		}
		seen |= 1 << c
	}
}

func (v *violations) route(req *adjutantv1.RouteRequest) {
	v.task(req.GetTask())
	v.name("policy", req.GetPolicy())
	if c := req.GetConstraints(); c != nil {
		v.constraints(c)
	}
	if s := req.GetSession(); s != nil {
		v.session(s)
	}
	optional(v, "plan_mode", req.GetPlanMode())
	optional(v, "service_tier", req.GetServiceTier())
	v.name("region", req.GetRegion())
	v.time("as_of", req.GetAsOf())
}

func (v *violations) constraints(c *adjutantv1.Constraints) {
	if m := c.GetMaxCost(); m != nil {
		v.money("constraints.max_cost", m)
	}
	optional(v, "constraints.min_tier", c.GetMinTier())
	optional(v, "constraints.max_tier", c.GetMaxTier())
	if c.GetMinTier() != 0 && c.GetMaxTier() != 0 && c.GetMaxTier() < c.GetMinTier() {
		v.add("constraints.max_tier", "%s is below min_tier, %s", c.GetMaxTier(), c.GetMinTier())
	}
	v.names("constraints.allowed_providers", c.GetAllowedProviders(), 0, maxProviders)
	v.names("constraints.denied_models", c.GetDeniedModels(), 0, maxDenied)
	v.between("constraints.min_context_tokens", c.GetMinContextTokens(), maxTokens)
	if d := c.GetMaxLatency(); d != nil && v.duration("constraints.max_latency", d) && d.AsDuration() == 0 {
		v.add("constraints.max_latency", "must be above 0s: leave it unset for no limit")
	}
}

func (v *violations) session(s *adjutantv1.Session) {
	v.name("session.current_model", s.GetCurrentModel())
	v.between("session.cached_input_tokens", s.GetCachedInputTokens(), maxTokens)
	v.duration("session.cache_age", s.GetCacheAge())
	v.count("session.attempts", len(s.GetAttempts()), 0, maxAttempts)
	for i, a := range s.GetAttempts() {
		field := fmt.Sprintf("session.attempts[%d]", i)
		if a.GetModel() == "" {
			v.add(field+".model", `is required: "id" or "provider/id"`)
		}
		v.name(field+".model", a.GetModel())
		required(v, field+".outcome", a.GetOutcome())
		v.duration(field+".elapsed", a.GetElapsed())
	}
}

func (v *violations) estimateCost(req *adjutantv1.EstimateCostRequest) {
	v.names("models", req.GetModels(), 1, maxModels)
	switch input := req.GetInput().(type) {
	case *adjutantv1.EstimateCostRequest_Task:
		v.task(input.Task)
	case *adjutantv1.EstimateCostRequest_Usage:
		v.usage(input.Usage)
	default:
		v.add("", "exactly one of task and usage must be set")
	}
	optional(v, "service_tier", req.GetServiceTier())
	v.name("region", req.GetRegion())
	v.time("as_of", req.GetAsOf())
	v.between("calls", req.GetCalls(), maxCalls)
	v.between("shared_input_tokens", req.GetSharedInputTokens(), maxUsageTokens)
}

func (v *violations) usage(u *adjutantv1.Usage) {
	for _, c := range [...]struct {
		field  string
		tokens int64
	}{
		{"usage.input_tokens", u.GetInputTokens()},
		{"usage.output_tokens", u.GetOutputTokens()},
		{"usage.cache_read_tokens", u.GetCacheReadTokens()},
		{"usage.cache_write_tokens", u.GetCacheWriteTokens()},
		{"usage.reasoning_tokens", u.GetReasoningTokens()},
		{"usage.input_audio_tokens", u.GetInputAudioTokens()},
		{"usage.output_audio_tokens", u.GetOutputAudioTokens()},
		{"usage.cache_read_audio_tokens", u.GetCacheReadAudioTokens()},
		{"usage.input_image_tokens", u.GetInputImageTokens()},
		{"usage.output_image_tokens", u.GetOutputImageTokens()},
	} {
		if c.tokens > maxUsageTokens {
			v.add(c.field, "must be 0 to %s tokens", grouped(maxUsageTokens))
		}
	}
	v.count("usage.cache_writes", len(u.GetCacheWrites()), 0, maxCacheWrites)
	for i, w := range u.GetCacheWrites() {
		if w.GetTtl() != nil {
			v.duration(fmt.Sprintf("usage.cache_writes[%d].ttl", i), w.GetTtl())
		}
	}
	// The counts against each other are the pricing room's to judge.
	usage := usageOf(u)
	if err := usage.Validate(); err != nil {
		v.fields(err)
	}
}

func (v *violations) listModels(req *adjutantv1.ListModelsRequest) {
	f := req.GetFilter()
	v.names("filter.providers", f.GetProviders(), 0, maxFilter)
	v.count("filter.tiers", len(f.GetTiers()), 0, maxFilter)
	for i, t := range f.GetTiers() {
		required(v, fmt.Sprintf("filter.tiers[%d]", i), t)
	}
	v.capabilities("filter.capabilities", f.GetCapabilities())
	v.between("filter.min_context_tokens", f.GetMinContextTokens(), math.MaxInt64)
	v.time("as_of", req.GetAsOf())
	if n := req.GetPageSize(); n < 0 || n > maxPageSize {
		v.add("page_size", "must be 0 to %s models, not %d; 0 means %d", grouped(maxPageSize), n, defaultPageSize)
	}
	v.name("policy", req.GetPolicy())
}

// between refuses a count below 0 or above most.
func (v *violations) between(field string, n, most int64) {
	switch {
	case n >= 0 && n <= most:
	case most == math.MaxInt64:
		v.add(field, "must not be below 0, but is %d", n)
	default:
		v.add(field, "must be 0 to %s, not %d", grouped(most), n)
	}
}

// count refuses a list that is too short or too long.
func (v *violations) count(field string, n, least, most int) {
	if n < least || n > most {
		v.add(field, "must hold %d to %s, not %d", least, grouped(int64(most)), n)
	}
}

// name refuses a name that is longer than any real one. Empty is the caller's to judge.
func (v *violations) name(field, name string) {
	if len(name) > maxName {
		v.add(field, "must have at most %d bytes, not %d", maxName, len(name))
	}
}

func (v *violations) names(field string, names []string, least, most int) {
	v.count(field, len(names), least, most)
	for i, name := range names {
		switch {
		case name == "":
			v.add(fmt.Sprintf("%s[%d]", field, i), "must not be empty")
		case len(name) > maxName:
			v.name(fmt.Sprintf("%s[%d]", field, i), name)
		}
	}
}

func (v *violations) money(field string, m *money.Money) {
	if m.GetCurrencyCode() != "USD" {
		v.add(field+".currency_code", "must be USD")
	}
	amount, err := pricing.MoneyOf(m.GetUnits(), m.GetNanos())
	switch {
	case err != nil:
		v.add(field, "%s", err)
	case amount < 0:
		v.add(field, "must not be below 0 USD")
	}
}

// duration refuses what is malformed or below zero, and reports whether it was right.
func (v *violations) duration(field string, d *durationpb.Duration) bool {
	switch {
	case d == nil:
		return true
	case d.CheckValid() != nil:
		v.add(field, "is not a duration: seconds and nanos must have the same sign, and nanos be within ±999,999,999")
		return false
	case d.AsDuration() < 0:
		v.add(field, "must not be below 0s, but is %s", d.AsDuration())
		return false
	}
	return true
}

func (v *violations) time(field string, t *timestamppb.Timestamp) {
	if t != nil && t.CheckValid() != nil {
		v.add(field, "is not a time: it must be from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, nanos 0 to 999,999,999")
	}
}

// asOf gives the time that a request decides as of.
func (s *Service) asOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return s.now()
	}
	return t.AsTime()
}

// optional refuses a number that the enum doesn't have; unspecified is fine.
func optional[E protoreflect.Enum](v *violations, field string, e E) {
	if e.Number() != 0 && !known(e) {
		v.add(field, "%d is not one of %s; leave it unset to say nothing", e.Number(), valueNames(e))
	}
}

// required refuses a number that the enum doesn't have, and unspecified.
func required[E protoreflect.Enum](v *violations, field string, e E) {
	switch {
	case e.Number() == 0:
		v.add(field, "is required: one of %s", valueNames(e))
	case !known(e):
		v.add(field, "%d is not one of %s", e.Number(), valueNames(e))
	}
}

func known(e protoreflect.Enum) bool {
	return e.Descriptor().Values().ByNumber(e.Number()) != nil
}

// valueNames lists the names that a caller may give.
func valueNames(e protoreflect.Enum) string {
	values := e.Descriptor().Values()
	names := make([]string, 0, values.Len())
	for i := range values.Len() {
		if value := values.Get(i); value.Number() != 0 {
			names = append(names, string(value.Name()))
		}
	}
	return strings.Join(names, ", ")
}

// blank reports whether text holds white space only.
func blank(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsSpace(r) }) < 0
}

// grouped writes n ≥ 0 with commas between thousands, as the contract does.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
