package server

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// The metrics. Those of the semantic conventions keep their names; ours begin with
// "adjutant.". On the Prometheus page dots are underscores, units and _total follow.
const (
	// https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/#metric-rpcservercallduration
	metricCallDuration = "rpc.server.call.duration"

	metricStageDuration = "adjutant.stage.duration"
	metricDecisions     = "adjutant.decisions"
	metricConfidence    = "adjutant.classification.confidence"
	metricEstimated     = "adjutant.cost.estimated"
	metricBaseline      = "adjutant.cost.baseline"
	metricSavings       = "adjutant.cost.savings"
	metricInFlight      = "adjutant.calls.in_flight"
	metricShed          = "adjutant.calls.shed"
	metricPanics        = "adjutant.panics"
	metricReloads       = "adjutant.reloads"
	metricReloaded      = "adjutant.reload.last_success"
	metricReloadOK      = "adjutant.reload.last_successful"
	metricSnapshot      = "adjutant.snapshot"
)

// The attributes of ours. Models and providers have the names of the GenAI
// conventions: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/.
// All have few values: those of enums, of the catalogue and of the policies that are
// loaded. A task's labels are never attributes.
const (
	attrProvider = "gen_ai.provider.name"
	attrModel    = "gen_ai.request.model"

	attrTier     = "adjutant.tier"
	attrPolicy   = "adjutant.policy"
	attrOutcome  = "adjutant.outcome"
	attrStage    = "adjutant.stage"
	attrReason   = "adjutant.reason"
	attrResult   = "adjutant.result"
	attrSnapshot = "adjutant.snapshot"
)

// The outcomes of a decision.
const (
	outcomeSingle = "single_step"
	outcomePlan   = "two_step"
)

// metrics are the instruments, and the attribute sets that are made once rather than
// once a call.
type metrics struct {
	callDuration  metric.Float64Histogram
	stageDuration metric.Float64Histogram
	decisions     metric.Int64Counter
	confidence    metric.Float64Histogram
	estimated     metric.Float64Counter
	baseline      metric.Float64Counter
	savings       metric.Float64UpDownCounter
	shed          metric.Int64Counter
	panics        metric.Int64Counter
	reloads       metric.Int64Counter
	reloaded      metric.Float64Gauge
	reloadOK      metric.Int64Gauge

	calls  map[string]*[codes.Unauthenticated + 1][]metric.RecordOption
	stages [numStages][]metric.RecordOption
	tiers  [4][]metric.RecordOption

	mu       sync.RWMutex
	attended map[decisionKey][]metric.AddOption
}

// decisionKey is what tells decisions apart in metrics.
type decisionKey struct {
	provider, model, policy, outcome string
	tier                             adjutantv1.Tier
}

var (
	shedForConcurrency = addOptions(attribute.String(attrReason, "concurrency"))
	shedForRate        = addOptions(attribute.String(attrReason, "rate"))
)

// Calls take tens of microseconds to a few milliseconds: the conventions' buckets
// begin where ours end.
var durationBuckets = []float64{10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1, 5, 10}

func newMetrics(meter metric.Meter) (*metrics, error) {
	var errs []error
	histogram := func(name, unit, description string, buckets []float64) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(buckets...))
		errs = append(errs, err)
		return h
	}
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	dollars := func(name, description string) metric.Float64Counter {
		c, err := meter.Float64Counter(name, metric.WithUnit("{USD}"), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	gauge := func(name, description string) metric.Int64Gauge {
		g, err := meter.Int64Gauge(name, metric.WithDescription(description))
		errs = append(errs, err)
		return g
	}
	m := &metrics{
		callDuration:  histogram(metricCallDuration, "s", "Time from the headers of a call to its answer.", durationBuckets),
		stageDuration: histogram(metricStageDuration, "s", "Time of each stage of a single call, by stage.", durationBuckets),
		decisions:     counter(metricDecisions, "{decision}", "Decisions, by tier, model, policy and outcome."),
		confidence:    histogram(metricConfidence, "1", "Probability of the tier that was classified, by that tier.", []float64{0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99}),
		estimated:     dollars(metricEstimated, "Expected cost of what was decided, by tier, model, policy and outcome."),
		baseline:      dollars(metricBaseline, "Expected cost of the same tasks on the judgment tier."),
		shed:          counter(metricShed, "{call}", "Calls that were refused for too much work, by reason."),
		panics:        counter(metricPanics, "{panic}", "Panics that ended a call."),
		reloads:       counter(metricReloads, "{reload}", "Attempts to load a snapshot, by result."),
		reloadOK:      gauge(metricReloadOK, "1 if the newest files are in force, 0 if they were refused."),
		attended:      map[decisionKey][]metric.AddOption{},
	}
	var err error
	m.savings, err = meter.Float64UpDownCounter(metricSavings, metric.WithUnit("{USD}"), metric.WithDescription("Baseline less estimate; falls where a decision costs more than the baseline."))
	errs = append(errs, err)
	m.reloaded, err = meter.Float64Gauge(metricReloaded, metric.WithUnit("s"), metric.WithDescription("Unix time of the last snapshot that was loaded."))
	errs = append(errs, err)
	for s, name := range stageNames {
		m.stages[s] = recordOptions(attribute.String(attrStage, name))
	}
	for tier := range m.tiers {
		m.tiers[tier] = recordOptions(attribute.String(attrTier, tierName(adjutantv1.Tier(tier))))
	}
	m.calls = map[string]*[codes.Unauthenticated + 1][]metric.RecordOption{}
	methods := []string{methodOther, "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}
	for _, method := range adjutantv1.RoutingService_ServiceDesc.Methods {
		methods = append(methods, "/"+adjutantv1.RoutingService_ServiceDesc.ServiceName+"/"+method.MethodName)
	}
	for _, method := range methods {
		m.calls[method] = callOptions(method)
	}
	return m, errors.Join(errs...)
}

// methodOther stands for methods that are not known, as the conventions want it.
const methodOther = "_OTHER"

// callOptions makes the attributes of a method's calls, one set a code.
func callOptions(method string) *[codes.Unauthenticated + 1][]metric.RecordOption {
	var options [codes.Unauthenticated + 1][]metric.RecordOption
	for code := range options {
		name := statusName(codes.Code(code))
		attributes := []attribute.KeyValue{semconv.RPCSystemNameGRPC, semconv.RPCMethod(strings.TrimPrefix(method, "/")), semconv.RPCResponseStatusCode(name)}
		if codes.Code(code) != codes.OK {
			attributes = append(attributes, semconv.ErrorTypeKey.String(name))
		}
		options[code] = recordOptions(attributes...)
	}
	return &options
}

func (m *metrics) called(ctx context.Context, method string, code codes.Code, took time.Duration) {
	options, ok := m.calls[method]
	if !ok {
		options = m.calls[methodOther]
	}
	if int(code) >= len(options) {
		code = codes.Unknown
	}
	m.callDuration.Record(ctx, took.Seconds(), options[code]...)
}

func (m *metrics) staged(ctx context.Context, c *call) {
	if c.batch {
		return
	}
	for s, took := range c.stages {
		if took > 0 {
			m.stageDuration.Record(ctx, took.Seconds(), m.stages[s]...)
		}
	}
}

// answered counts what an answer says.
func (m *metrics) answered(ctx context.Context, answer any) {
	switch a := answer.(type) {
	case *adjutantv1.ClassifyResponse:
		m.classified(ctx, a.GetClassification())
	case *adjutantv1.RouteResponse:
		m.decided(ctx, a.GetDecision())
	case *adjutantv1.BatchClassifyResponse:
		for _, r := range a.GetResults() {
			if answer := r.GetResponse(); answer != nil {
				m.classified(ctx, answer.GetClassification())
			}
		}
	case *adjutantv1.BatchRouteResponse:
		for _, r := range a.GetResults() {
			if answer := r.GetResponse(); answer != nil {
				m.decided(ctx, answer.GetDecision())
			}
		}
	}
}

func (m *metrics) classified(ctx context.Context, c *adjutantv1.Classification) {
	if tier := c.GetTier(); int(tier) < len(m.tiers) {
		m.confidence.Record(ctx, c.GetConfidence(), m.tiers[tier]...)
	}
}

func (m *metrics) decided(ctx context.Context, d *adjutantv1.Decision) {
	m.classified(ctx, d.GetClassification())
	key := decisionKey{
		provider: d.GetModel().GetProvider(), model: d.GetModel().GetId(), policy: d.GetPolicy(),
		outcome: outcomeSingle, tier: d.GetTier(),
	}
	cost, savings := d.GetEstimate().GetExpected(), d.GetSavings().GetAmount()
	if d.GetPlan().GetRecommended() {
		key.outcome = outcomePlan
		cost = d.GetPlan().GetEstimate()
	}
	options := m.options(key)
	m.decisions.Add(ctx, 1, options...)
	m.estimated.Add(ctx, usd(cost), options...)
	m.baseline.Add(ctx, usd(d.GetBaseline().GetExpected()), options...)
	m.savings.Add(ctx, usd(savings), options...)
}

// options gives the attributes of a decision. Its values come from the catalogue and
// the policies, so that the map stays small.
func (m *metrics) options(key decisionKey) []metric.AddOption {
	m.mu.RLock()
	options, ok := m.attended[key]
	m.mu.RUnlock()
	if ok {
		return options
	}
	options = addOptions(
		attribute.String(attrProvider, key.provider), attribute.String(attrModel, key.model),
		attribute.String(attrTier, tierName(key.tier)), attribute.String(attrPolicy, key.policy), attribute.String(attrOutcome, key.outcome))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attended[key] = options
	return options
}

// usd gives dollars for a metric, which is a sum of floating point numbers; amounts
// in answers are exact.
func usd(m *money.Money) float64 {
	return float64(m.GetUnits()) + float64(m.GetNanos())/1e9
}

func tierName(t adjutantv1.Tier) string {
	return strings.ToLower(strings.TrimPrefix(t.String(), "TIER_"))
}

func recordOptions(attributes ...attribute.KeyValue) []metric.RecordOption {
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
}

func addOptions(attributes ...attribute.KeyValue) []metric.AddOption {
	return []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
}

// statusName gives a code's name as the specification of gRPC spells it.
func statusName(c codes.Code) string {
	if int(c) < len(statusNames) {
		return statusNames[c]
	}
	return "UNKNOWN"
}

var statusNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// observe adds what is read when metrics are: the calls at work, and the snapshot.
func (m *metrics) observe(meter metric.Meter, inFlight func() int64, snapshot func() string) error {
	_, calls := meter.Int64ObservableGauge(metricInFlight, metric.WithUnit("{call}"), metric.WithDescription("Calls that are being worked on."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(inFlight())
			return nil
		}))
	_, name := meter.Int64ObservableGauge(metricSnapshot, metric.WithDescription("1, with the digest of the snapshot in force."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			if digest := snapshot(); digest != "" {
				o.Observe(1, metric.WithAttributes(attribute.String(attrSnapshot, digest)))
			}
			return nil
		}))
	return errors.Join(calls, name)
}

// loaded tells that a snapshot is in force.
func (m *metrics) loaded(ctx context.Context) {
	m.reloads.Add(ctx, 1, metric.WithAttributes(attribute.String(attrResult, "loaded")))
	m.reloadOK.Record(ctx, 1)
	m.reloaded.Record(ctx, float64(time.Now().Unix()))
}

// refused tells that files were not put in force.
func (m *metrics) refused(ctx context.Context) {
	m.reloads.Add(ctx, 1, metric.WithAttributes(attribute.String(attrResult, "refused")))
	m.reloadOK.Record(ctx, 0)
}
