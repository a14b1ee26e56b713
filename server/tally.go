package server

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// tally counts what every call counts. The SDK's instruments take a quarter of a
// microsecond each and a decision has nine; these are plain atomic numbers, which the
// SDK reads when metrics are read (it is a metric producer). Money is added up in
// nano-dollars, exactly.
type tally struct {
	since      time.Time
	calls      map[string]*[codes.Unauthenticated + 1]*histogram // of nanoseconds, by method and code
	stages     [numStages]*histogram                             // of nanoseconds
	confidence [numTiers]*histogram                              // of millionths, by tier

	mu        sync.RWMutex
	decisions map[decisionKey]*decisions
}

const numTiers = 4 // TIER_UNSPECIFIED included

// decisionKey is what tells decisions apart. Its values come from the catalogue and
// the policies, so that there are few.
type decisionKey struct {
	provider, model, policy, outcome string
	tier                             adjutantv1.Tier
}

// decisions are the sums of equal keys; amounts are in nano-dollars.
type decisions struct {
	attributes                             attribute.Set
	count, estimated, baseline, difference atomic.Int64
}

func newTally() *tally {
	t := &tally{since: time.Now(), decisions: map[decisionKey]*decisions{}}
	methods := []string{methodOther, "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}
	for _, method := range adjutantv1.RoutingService_ServiceDesc.Methods {
		methods = append(methods, "/"+serviceName+"/"+method.MethodName)
	}
	t.calls = map[string]*[codes.Unauthenticated + 1]*histogram{}
	for _, method := range methods {
		t.calls[method] = newCallHistograms(method)
	}
	for s, name := range stageNames {
		t.stages[s] = newHistogram(durationBuckets, 1e9, attribute.String(attrStage, name))
	}
	for tier := range t.confidence {
		t.confidence[tier] = newHistogram([]float64{0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99}, 1e6, attribute.String(attrTier, tierName(adjutantv1.Tier(tier))))
	}
	return t
}

// methodOther stands for methods that are not known, as the conventions want it.
const methodOther = "_OTHER"

// newCallHistograms makes those of a method, one a code.
func newCallHistograms(method string) *[codes.Unauthenticated + 1]*histogram {
	var byCode [codes.Unauthenticated + 1]*histogram
	for code := range byCode {
		name := statusName(codes.Code(code))
		attributes := []attribute.KeyValue{semconv.RPCSystemNameGRPC, semconv.RPCMethod(strings.TrimPrefix(method, "/")), semconv.RPCResponseStatusCode(name)}
		if codes.Code(code) != codes.OK {
			attributes = append(attributes, semconv.ErrorTypeKey.String(name))
		}
		byCode[code] = newHistogram(durationBuckets, 1e9, attributes...)
	}
	return &byCode
}

// called counts a call. A sampled span becomes an exemplar, which leads from a slow
// bucket to a trace.
func (t *tally) called(method string, code codes.Code, took time.Duration, span trace.Span) {
	byCode, ok := t.calls[method]
	if !ok {
		byCode = t.calls[methodOther]
	}
	if int(code) >= len(byCode) {
		code = codes.Unknown
	}
	bucket := byCode[code].record(took.Nanoseconds())
	if span != nil && span.SpanContext().IsSampled() {
		id := span.SpanContext()
		traceID, spanID := id.TraceID(), id.SpanID()
		byCode[code].exemplars[bucket].Store(&metricdata.Exemplar[float64]{Time: time.Now(), Value: took.Seconds(), TraceID: traceID[:], SpanID: spanID[:]})
	}
}

// of gives the sums of a key.
func (t *tally) of(key decisionKey) *decisions {
	t.mu.RLock()
	d := t.decisions[key]
	t.mu.RUnlock()
	if d != nil {
		return d
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if d = t.decisions[key]; d == nil {
		d = &decisions{attributes: attribute.NewSet(
			attribute.String(attrProvider, key.provider), attribute.String(attrModel, key.model),
			attribute.String(attrTier, tierName(key.tier)), attribute.String(attrPolicy, key.policy), attribute.String(attrOutcome, key.outcome))}
		t.decisions[key] = d
	}
	return d
}

// Produce gives everything to the SDK.
func (t *tally) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	now := time.Now()
	t.mu.RLock()
	all := make([]*decisions, 0, len(t.decisions))
	for _, d := range t.decisions {
		all = append(all, d)
	}
	t.mu.RUnlock()

	// sum gives one amount of all decisions.
	dollars := func(name, description string, monotonic bool, amount func(*decisions) int64) metricdata.Metrics {
		points := make([]metricdata.DataPoint[float64], len(all))
		for i, d := range all {
			points[i] = metricdata.DataPoint[float64]{Attributes: d.attributes, StartTime: t.since, Time: now, Value: float64(amount(d)) / 1e9}
		}
		return metricdata.Metrics{Name: name, Description: description, Unit: "{USD}", Data: metricdata.Sum[float64]{DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: monotonic}}
	}
	counts := make([]metricdata.DataPoint[int64], len(all))
	for i, d := range all {
		counts[i] = metricdata.DataPoint[int64]{Attributes: d.attributes, StartTime: t.since, Time: now, Value: d.count.Load()}
	}
	var calls []*histogram
	for _, byCode := range t.calls {
		calls = append(calls, byCode[:]...)
	}
	return []metricdata.ScopeMetrics{{
		Scope: instrumentation.Scope{Name: scope},
		Metrics: []metricdata.Metrics{
			{Name: metricDecisions, Description: "Decisions, by tier, model, policy and outcome.", Unit: "{decision}", Data: metricdata.Sum[int64]{DataPoints: counts, Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}},
			dollars(metricEstimated, "Expected cost of what was decided.", true, func(d *decisions) int64 { return d.estimated.Load() }),
			dollars(metricBaseline, "Expected cost of the same tasks on the judgment tier.", true, func(d *decisions) int64 { return d.baseline.Load() }),
			dollars(metricSavings, "Baseline less estimate; falls where a decision costs more than the baseline.", false, func(d *decisions) int64 { return d.difference.Load() }),
			{Name: metricCallDuration, Description: "Time from the headers of a call to its answer.", Unit: "s", Data: points(calls, t.since, now)},
			{Name: metricStageDuration, Description: "Time of each stage of a single call, by stage.", Unit: "s", Data: points(t.stages[:], t.since, now)},
			{Name: metricConfidence, Description: "Probability of the tier that was classified, by that tier.", Unit: "1", Data: points(t.confidence[:], t.since, now)},
		},
	}}, nil
}

// histogram counts whole numbers of a small unit.
type histogram struct {
	attributes attribute.Set
	bounds     []float64 // in the metric's unit
	limits     []int64   // the same in the small unit
	scale      float64   // small units in one of the metric's
	counts     []atomic.Uint64
	exemplars  []atomic.Pointer[metricdata.Exemplar[float64]] // the last one of each bucket
	sum        atomic.Int64
}

func newHistogram(bounds []float64, scale float64, attributes ...attribute.KeyValue) *histogram {
	h := &histogram{attributes: attribute.NewSet(attributes...), bounds: bounds, scale: scale,
		counts: make([]atomic.Uint64, len(bounds)+1), exemplars: make([]atomic.Pointer[metricdata.Exemplar[float64]], len(bounds)+1)}
	for _, bound := range bounds {
		h.limits = append(h.limits, int64(bound*scale))
	}
	return h
}

// record counts n, and says in which bucket.
func (h *histogram) record(n int64) (bucket int) {
	bucket, _ = slices.BinarySearch(h.limits, n)
	h.counts[bucket].Add(1)
	h.sum.Add(n)
	return bucket
}

// points gives the histograms that have counted something.
func points(histograms []*histogram, since, now time.Time) metricdata.Histogram[float64] {
	all := metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality}
	for _, h := range histograms {
		point := metricdata.HistogramDataPoint[float64]{Attributes: h.attributes, StartTime: since, Time: now, Bounds: h.bounds, Sum: float64(h.sum.Load()) / h.scale}
		for i := range h.counts {
			n := h.counts[i].Load()
			point.BucketCounts = append(point.BucketCounts, n)
			point.Count += n
			if e := h.exemplars[i].Load(); e != nil {
				point.Exemplars = append(point.Exemplars, *e)
			}
		}
		if point.Count > 0 {
			all.DataPoints = append(all.DataPoints, point)
		}
	}
	return all
}
