package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

const scope = "github.com/adjutant-dev/adjutant/server"

// telemetry tells what happened: metrics, a span and a log line a call.
type telemetry struct {
	*metrics

	log      *slog.Logger
	lines    *lineBuffer // what log writes to
	meter    metric.Meter
	tracer   trace.Tracer         // nil where nobody wants traces
	registry *prometheus.Registry // what the admin port shows
	shutdown func(context.Context) error
}

// newTelemetry sets up metrics for Prometheus, and what the standard environment
// variables of OpenTelemetry ask for beyond it. Unlike the specification it sends
// nothing to localhost by default: an exporter is used where OTEL_TRACES_EXPORTER or
// OTEL_METRICS_EXPORTER says otlp, or an endpoint is set and they say nothing. The
// exporters and the SDK read all other OTEL_* variables themselves.
func newTelemetry(ctx context.Context, log *slog.Logger, lines *lineBuffer, version string, getenv func(string) string) (*telemetry, error) {
	t := &telemetry{log: log, lines: lines, registry: prometheus.NewRegistry()}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	described, err := resource.New(ctx,
		resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(semconv.ServiceName("adjutant"), semconv.ServiceVersion(version)),
		resource.WithFromEnv()) // last, so that OTEL_SERVICE_NAME wins
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	counts := newTally()
	page, err := otelprometheus.New(otelprometheus.WithRegisterer(t.registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithProducer(counts))
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	metricOptions := []sdkmetric.Option{sdkmetric.WithResource(described), sdkmetric.WithReader(page)}

	wants, err := exporters(getenv)
	if err != nil {
		return nil, err
	}
	if wants.metrics != "" {
		exporter, err := newMetricExporter(ctx, wants.metrics)
		if err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
		metricOptions = append(metricOptions, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(counts))))
	}
	meters := sdkmetric.NewMeterProvider(metricOptions...)
	t.shutdown = meters.Shutdown
	t.meter = meters.Meter(scope)
	t.metrics, err = newMetrics(t.meter, counts)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	if wants.traces != "" {
		exporter, err := newTraceExporter(ctx, wants.traces)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("telemetry: %w", err), meters.Shutdown(ctx))
		}
		t.traceTo(sdktrace.NewTracerProvider(sdktrace.WithResource(described), sdktrace.WithBatcher(exporter)))
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.LogAttrs(context.Background(), slog.LevelWarn, "telemetry", slog.String("cause", err.Error()))
	}))
	return t, nil
}

// traceTo makes calls spans of a provider.
func (t *telemetry) traceTo(provider *sdktrace.TracerProvider) {
	t.tracer = provider.Tracer(scope)
	meters := t.shutdown
	t.shutdown = func(ctx context.Context) error { return errors.Join(provider.Shutdown(ctx), meters(ctx)) }
}

// exporting holds the OTLP protocol of each kind of telemetry, empty for none.
type exporting struct{ traces, metrics string }

const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
)

// exporters reads which exporters the environment asks for.
func exporters(getenv func(string) string) (exporting, error) {
	var wants exporting
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return wants, nil
	}
	protocol := func(kind string) (string, error) {
		switch name := getenv("OTEL_" + kind + "_EXPORTER"); name {
		case "none", "prometheus": // the page is always there
			return "", nil
		case "":
			if getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_"+kind+"_ENDPOINT") == "" {
				return "", nil
			}
		case "otlp":
		default:
			return "", fmt.Errorf("OTEL_%s_EXPORTER is %q: use otlp or none", kind, name)
		}
		chosen := getenv("OTEL_EXPORTER_OTLP_" + kind + "_PROTOCOL")
		if chosen == "" {
			chosen = getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
		}
		switch chosen {
		case "":
			return protocolHTTP, nil // the specification's default
		case protocolGRPC, protocolHTTP:
			return chosen, nil
		default:
			return "", fmt.Errorf("the OTLP protocol is %q: use %s or %s", chosen, protocolGRPC, protocolHTTP)
		}
	}
	var traces, metrics error
	wants.traces, traces = protocol("TRACES")
	wants.metrics, metrics = protocol("METRICS")
	return wants, errors.Join(traces, metrics)
}

func newTraceExporter(ctx context.Context, protocol string) (*otlptrace.Exporter, error) {
	if protocol == protocolGRPC {
		return otlptracegrpc.New(ctx)
	}
	return otlptracehttp.New(ctx)
}

func newMetricExporter(ctx context.Context, protocol string) (sdkmetric.Exporter, error) {
	if protocol == protocolGRPC {
		return otlpmetricgrpc.New(ctx)
	}
	return otlpmetrichttp.New(ctx)
}

// unary measures a call, traces it and logs it.
func (t *telemetry) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c := &call{telemetry: t, method: info.FullMethod, started: time.Now()}
	ctx, span := t.start(withCall(ctx, c), info.FullMethod)
	answer, err := handler(ctx, req)
	t.end(ctx, c, span, err)
	return answer, err
}

// stream does the same for a stream, whose messages are not looked at.
func (t *telemetry) stream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	c := &call{telemetry: t, method: info.FullMethod, started: time.Now()}
	ctx, span := t.start(withCall(stream.Context(), c), info.FullMethod)
	err := handler(service, streamWithContext{stream, ctx})
	t.end(ctx, c, span, err)
	return err
}

type streamWithContext struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // it is how grpc hands a stream's context on
}

// Context gives the context with the call in it.
func (s streamWithContext) Context() context.Context { return s.ctx }

// start begins a span that continues the caller's trace. The span is nil where
// nobody wants traces.
func (t *telemetry) start(ctx context.Context, method string) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, nil
	}
	ctx = propagation.TraceContext{}.Extract(ctx, incoming{ctx})
	return t.tracer.Start(ctx, method[1:], serverSpan...)
}

// serverSpan is what a span begins with. Its attributes follow at the end, and only
// where it is recorded: the standard samplers don't look at them.
var serverSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}

// incoming reads single values of a call's metadata.
type incoming struct{ ctx context.Context } //nolint:containedctx // lives for one call of Extract

// Get gives the first value of key.
func (m incoming) Get(key string) string {
	if values := metadata.ValueFromIncomingContext(m.ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set is not used: nothing is sent back.
func (incoming) Set(string, string) {}

// Keys is not used: the keys are fixed.
func (incoming) Keys() []string { return nil }

// end tells of a call. What it says never holds text of the request: names from
// enums, the catalogue and the policies, counts and times.
func (t *telemetry) end(ctx context.Context, c *call, span trace.Span, err error) {
	took := time.Since(c.started)
	code := codes.OK
	if err != nil {
		code = status.Code(err)
	}
	t.called(c.method, code, took, span)
	t.staged(c)
	t.answered(c.answer)
	t.logCall(ctx, c, span, code, took, err)
	if span == nil {
		return
	}
	if span.IsRecording() {
		span.SetAttributes(semconv.RPCSystemNameGRPC, semconv.RPCMethod(c.method[1:]), semconv.RPCResponseStatusCode(statusName(code)))
		span.SetAttributes(described(c.answer)...)
		if faultOfServer(code) {
			span.SetStatus(otelcodes.Error, statusName(code))
		}
	}
	span.End()
}

// described gives a span what there is to say about a decision.
func described(answer proto.Message) []attribute.KeyValue {
	var classification *adjutantv1.Classification
	var attributes []attribute.KeyValue
	switch a := answer.(type) {
	case *adjutantv1.ClassifyResponse:
		classification = a.GetClassification()
	case *adjutantv1.RouteResponse:
		d := a.GetDecision()
		classification = d.GetClassification()
		attributes = append(attributes,
			attribute.String("adjutant.decision.id", d.GetId()), attribute.String(attrPolicy, d.GetPolicy()),
			attribute.String(attrProvider, d.GetModel().GetProvider()), attribute.String(attrModel, d.GetModel().GetId()))
	default:
		return nil
	}
	return append(attributes, attribute.String(attrTier, tierName(classification.GetTier())),
		attribute.Float64("adjutant.classification.confidence", classification.GetConfidence()))
}

// faultOfServer follows the semantic conventions: only these codes make a server's
// span an error.
func faultOfServer(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	default:
		return false
	}
}

// logCall writes the one line that a call gets.
func (t *telemetry) logCall(ctx context.Context, c *call, span trace.Span, code codes.Code, took time.Duration, err error) {
	level := slog.LevelInfo
	if code == codes.Internal || code == codes.Unknown || code == codes.DataLoss {
		level = slog.LevelError
	}
	if !t.log.Enabled(ctx, level) {
		return
	}
	var space [1 << 10]byte
	line := beginLine(space[:0], c.started.Add(took), level, "call")
	line = line.text("method", c.method[1:]).text("code", statusName(code))
	line = line.number("duration_us", took.Microseconds()).number("request_bytes", int64(c.requestBytes))
	if c.identity.Tenant != "" {
		line = line.text("tenant", c.identity.Tenant)
	}
	if c.answer != nil {
		line = line.number("response_bytes", int64(c.answerBytes))
	}
	switch a := c.answer.(type) {
	case *adjutantv1.ClassifyResponse:
		line = line.text("tier", tierName(a.GetClassification().GetTier()))
	case *adjutantv1.RouteResponse:
		d := a.GetDecision()
		line = line.text("tier", tierName(d.GetTier())).text("provider", d.GetModel().GetProvider()).text("model", d.GetModel().GetId())
		line = line.text("policy", d.GetPolicy()).text("decision_id", d.GetId())
	}
	if reason := reasonOf(err); reason != "" {
		line = line.text("reason", reason)
	}
	if span != nil && span.SpanContext().IsSampled() {
		line = line.text("trace_id", span.SpanContext().TraceID().String())
	}
	t.lines.add(line.end())
}

// reasonOf gives the reason of a status; its message may quote names that the caller
// wrote, so that it stays out of the log.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}
