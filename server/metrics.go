package server

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// The metrics. Those of the semantic conventions keep their names; ours begin with
// "adjutant.". On the Prometheus page dots are underscores, units and _total follow.
const (
	// https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/#metric-rpcservercallduration
	metricCallDuration = "rpc.server.call.duration"

	metricStageDuration = "adjutant.stage.duration"
	metricDecisions     = "adjutant.decisions"
	metricRetired       = "adjutant.decisions.retired"
	metricConfidence    = "adjutant.classification.confidence"
	metricEstimated     = "adjutant.cost.estimated"
	metricBaseline      = "adjutant.cost.baseline"
	metricSavings       = "adjutant.cost.savings"
	metricInFlight      = "adjutant.calls.in_flight"
	metricShed          = "adjutant.calls.shed"
	metricQueueLength   = "adjutant.queue.length"
	metricQueueLimit    = "adjutant.queue.limit"
	metricBatchTasks    = "adjutant.batch.tasks"
	metricUnlogged      = "adjutant.decision_log.missing"
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
	*tally

	shed     metric.Int64Counter
	retired  metric.Int64Counter
	panics   metric.Int64Counter
	reloads  metric.Int64Counter
	reloaded metric.Float64Gauge
	reloadOK metric.Int64Gauge
}

var (
	shedForConcurrency = addOptions(attribute.String(attrReason, "concurrency"))
	shedForQueue       = addOptions(attribute.String(attrReason, "queue"))
	shedForRate        = addOptions(attribute.String(attrReason, "rate"))
	reloadLoaded       = addOptions(attribute.String(attrResult, "loaded"))
	reloadRefused      = addOptions(attribute.String(attrResult, "refused"))
)

// Calls take tens of microseconds to a few milliseconds: the conventions' buckets
// begin where ours end.
var durationBuckets = []float64{10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1, 5, 10}

func newMetrics(meter metric.Meter, t *tally) (*metrics, error) {
	var errs []error
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	m := &metrics{
		tally:   t,
		shed:    counter(metricShed, "{call}", "Calls that were refused for too much work, by reason."),
		retired: counter(metricRetired, "{decision}", "Decisions that left out a model because it is retired, by model."),
		panics:  counter(metricPanics, "{panic}", "Panics that ended a call."),
		reloads: counter(metricReloads, "{reload}", "Attempts to load a snapshot, by result."),
	}
	var err error
	m.reloadOK, err = meter.Int64Gauge(metricReloadOK, metric.WithDescription("1 if the newest files are in force, 0 if they were refused."))
	errs = append(errs, err)
	m.reloaded, err = meter.Float64Gauge(metricReloaded, metric.WithUnit("s"), metric.WithDescription("Unix time of the last snapshot that was loaded."))
	errs = append(errs, err)

	// A counter that is not there until it counts hides its first event from rates.
	none := context.Background()
	m.panics.Add(none, 0)
	m.shed.Add(none, 0, shedForConcurrency...)
	m.shed.Add(none, 0, shedForQueue...)
	m.shed.Add(none, 0, shedForRate...)
	m.reloads.Add(none, 0, reloadLoaded...)
	m.reloads.Add(none, 0, reloadRefused...)
	return m, errors.Join(errs...)
}

func (t *tally) staged(c *call) {
	if c.batch {
		return
	}
	for s, took := range c.stages {
		if took > 0 {
			t.stages[s].record(took.Nanoseconds())
		}
	}
}

// answered counts what an answer says.
func (m *metrics) answered(answer proto.Message) {
	switch a := answer.(type) {
	case *adjutantv1.ClassifyResponse:
		m.classified(a.GetClassification())
	case *adjutantv1.RouteResponse:
		m.decided(a.GetDecision())
	case *adjutantv1.BatchClassifyResponse:
		for _, r := range a.GetResults() {
			if answer := r.GetResponse(); answer != nil {
				m.classified(answer.GetClassification())
			}
		}
	case *adjutantv1.BatchRouteResponse:
		for _, r := range a.GetResults() {
			if answer := r.GetResponse(); answer != nil {
				m.decided(answer.GetDecision())
			}
		}
	}
}

func (t *tally) classified(c *adjutantv1.Classification) {
	if tier := c.GetTier(); int(tier) < len(t.confidence) {
		t.confidence[tier].record(int64(c.GetConfidence() * 1e6))
	}
}

func (m *metrics) decided(d *adjutantv1.Decision) {
	for _, reason := range d.GetReasons() {
		if reason.GetCode() == adjutantv1.ReasonCode_REASON_CODE_EXCLUDED_RETIRED {
			m.retired.Add(context.Background(), 1, metric.WithAttributes(
				attribute.String(attrProvider, reason.GetModel().GetProvider()), attribute.String(attrModel, reason.GetModel().GetId())))
		}
	}
	m.classified(d.GetClassification())
	key := decisionKey{
		provider: d.GetModel().GetProvider(), model: d.GetModel().GetId(), policy: d.GetPolicy(),
		outcome: outcomeSingle, tier: d.GetTier(),
	}
	cost := d.GetEstimate().GetExpected()
	if d.GetPlan().GetRecommended() {
		key.outcome = outcomePlan
		cost = d.GetPlan().GetEstimate()
	}
	sums := m.of(key)
	sums.count.Add(1)
	sums.estimated.Add(nanos(cost))
	sums.baseline.Add(nanos(d.GetBaseline().GetExpected()))
	sums.difference.Add(nanos(d.GetSavings().GetAmount()))
}

func nanos(m *money.Money) int64 { return m.GetUnits()*1e9 + int64(m.GetNanos()) }

// tierName gives a tier's name in lower case; the contract's names are constants here,
// since a call asks for several.
func tierName(t adjutantv1.Tier) string {
	switch t {
	case adjutantv1.Tier_TIER_REPETITION:
		return "repetition"
	case adjutantv1.Tier_TIER_MAKING:
		return "making"
	case adjutantv1.Tier_TIER_JUDGMENT:
		return "judgment"
	default:
		return "unspecified"
	}
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

// observe adds what is read when metrics are: the calls that are open, the queue that
// they wait in, and the snapshot.
func (m *metrics) observe(meter metric.Meter, calls *limiter, snapshot func() string) error {
	var errs []error
	gauge := func(name, unit, description string, value func() int64) {
		_, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description),
			metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
				o.Observe(value())
				return nil
			}))
		errs = append(errs, err)
	}
	gauge(metricInFlight, "{call}", "Calls that are open: received, waiting or worked on.", calls.inFlight.Load)
	gauge(metricQueueLength, "{task}", "Tasks that wait for a core.", calls.queue.length)
	gauge(metricQueueLimit, "{task}", "Tasks that may wait for a core now.", calls.queue.present)
	gauge(metricBatchTasks, "{task}", "Tasks of batches that were let in and are not answered.", calls.queue.inBatches)
	_, name := meter.Int64ObservableGauge(metricSnapshot, metric.WithDescription("1, with the digest of the snapshot in force."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			if digest := snapshot(); digest != "" {
				o.Observe(1, metric.WithAttributes(attribute.String(attrSnapshot, digest)))
			}
			return nil
		}))
	return errors.Join(append(errs, name)...)
}

// observeDecisionLog reports what the decision log could not note.
func (m *metrics) observeDecisionLog(meter metric.Meter, l *decisionLog) error {
	_, err := meter.Int64ObservableCounter(metricUnlogged, metric.WithUnit("{decision}"), metric.WithDescription("Decisions that are missing in the decision log, by reason."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(l.dropped.Load(), metric.WithAttributes(attribute.String(attrReason, "behind")))
			o.Observe(l.failed.Load(), metric.WithAttributes(attribute.String(attrReason, "write_failed")))
			return nil
		}))
	return err
}

// loaded tells that a snapshot is in force.
func (m *metrics) loaded(ctx context.Context) {
	m.reloads.Add(ctx, 1, reloadLoaded...)
	m.reloadOK.Record(ctx, 1)
	m.reloaded.Record(ctx, float64(time.Now().Unix()))
}

// refused tells that files were not put in force.
func (m *metrics) refused(ctx context.Context) {
	m.reloads.Add(ctx, 1, reloadRefused...)
	m.reloadOK.Record(ctx, 0)
}
