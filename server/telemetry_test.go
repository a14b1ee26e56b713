package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc/metadata"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

func TestDecisionsAreCounted(t *testing.T) {
	r := start(t, testConfig())
	answer, err := r.Route(t.Context(), &adjutantv1.RouteRequest{Task: prompt("Rename these files to kebab-case."), PlanMode: adjutantv1.PlanMode_PLAN_MODE_SINGLE_STEP})
	if err != nil {
		t.Fatal(err)
	}
	d := answer.GetDecision()
	page := metricsText(t, r)
	labels := `{adjutant_outcome="single_step",adjutant_policy="default",adjutant_tier="` + tierName(d.GetTier()) +
		`",gen_ai_provider_name="` + d.GetModel().GetProvider() + `",gen_ai_request_model="` + d.GetModel().GetId() + `"} `
	for _, want := range []string{
		"adjutant_decisions_total" + labels + "1\n",
		"adjutant_cost_estimated_total" + labels,
		"adjutant_cost_baseline_total" + labels,
		"adjutant_cost_savings" + labels,
		`adjutant_classification_confidence_count{adjutant_tier="` + tierName(d.GetClassification().GetTier()) + `"} 1`,
		`adjutant_stage_duration_seconds_count{adjutant_stage="decide"} 1`,
		`rpc_server_call_duration_seconds_count{rpc_method="adjutant.v1.RoutingService/Route",rpc_response_status_code="OK",rpc_system_name="grpc"} 1`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
}

// The caller's trace is continued, and its sampling decision is heard.
func TestSpans(t *testing.T) {
	r := start(t, testConfig())
	spans := tracetest.NewInMemoryExporter()
	r.telemetry.traceTo(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, flags := range []string{"00", "01"} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+trace+"-00f067aa0ba902b7-"+flags)
		if _, err := r.Route(ctx, &adjutantv1.RouteRequest{Task: prompt("hello")}); err != nil {
			t.Fatal(err)
		}
	}
	ended := spans.GetSpans()
	if len(ended) != 1 {
		t.Fatalf("%d spans, want that of the sampled call", len(ended))
	}
	span := ended[0]
	if span.Name != "adjutant.v1.RoutingService/Route" || span.SpanContext.TraceID().String() != trace || span.Parent.SpanID().String() != "00f067aa0ba902b7" {
		t.Errorf("span %s of trace %s under %s", span.Name, span.SpanContext.TraceID(), span.Parent.SpanID())
	}
	attributes := attribute.NewSet(span.Attributes...)
	for _, key := range []attribute.Key{"rpc.system.name", "rpc.method", "rpc.response.status_code", "gen_ai.provider.name", "gen_ai.request.model", "adjutant.tier", "adjutant.policy", "adjutant.decision.id"} {
		if !attributes.HasValue(key) {
			t.Errorf("the span has no %s", key)
		}
	}
	// An exemplar leads from the histogram to the trace.
	_, page := r.ask(t, "/metrics", http.Header{"Accept": {"application/openmetrics-text; version=1.0.0"}})
	if !strings.Contains(page, `trace_id="`+trace+`"`) {
		t.Error("the metrics have no exemplar of the sampled call")
	}
}

func TestExportersFollowTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want exporting
		err  string
	}{
		{want: exporting{}},
		{env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, want: exporting{protocolHTTP, protocolHTTP}},
		{env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_SDK_DISABLED", "true"}, want: exporting{}},
		{env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_TRACES_EXPORTER", "none", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, want: exporting{"", protocolGRPC}},
		{env: []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c"}, want: exporting{traces: protocolHTTP}},
		{env: []string{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"}, want: exporting{traces: protocolGRPC}},
		{env: []string{"OTEL_TRACES_EXPORTER", "zipkin"}, err: `OTEL_TRACES_EXPORTER is "zipkin": use otlp or none`},
		{env: []string{"OTEL_METRICS_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}, err: `the OTLP protocol is "http/json": use grpc or http/protobuf`},
	} {
		got, err := exporters(environment(c.env...))
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%v: got error %v, want %s", c.env, err, c.err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%v: got %+v, %v, want %+v", c.env, got, err, c.want)
		}
	}
}

// A policy that still names a retired model works without it, and the metrics tell.
func TestRetiredModelsAreCounted(t *testing.T) {
	config := testConfig()
	config.Policies = []string{filepath.Join(t.TempDir(), "policies.yaml")}
	write(t, config.Policies[0], []byte("policies:\n  default:\n    extends: default\n    tiers:\n      repetition: [claude-3-haiku-20240307, claude-haiku-5-5]\n"))
	r := start(t, config)
	if _, err := r.Route(t.Context(), &adjutantv1.RouteRequest{Task: prompt("Rename these files."), AsOf: benchAsOf}); err != nil {
		t.Fatal(err)
	}
	want := `adjutant_decisions_retired_total{gen_ai_provider_name="anthropic",gen_ai_request_model="claude-3-haiku-20240307"} 1`
	if page := metricsText(t, r); !strings.Contains(page, want) {
		t.Errorf("no %s in\n%s", want, page)
	}
}

// Traces and metrics reach a collector by the standard variables alone.
func TestOTLP(t *testing.T) {
	paths := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths <- r.URL.Path }))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	r := start(t, testConfig())
	if _, err := r.Classify(t.Context(), &adjutantv1.ClassifyRequest{Task: prompt("hello")}); err != nil {
		t.Fatal(err)
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	got := []string{<-paths, <-paths}
	slices.Sort(got)
	if !slices.Equal(got, []string{"/v1/metrics", "/v1/traces"}) {
		t.Errorf("the collector was sent %v", got)
	}
}

// Every query of the dashboard asks for metrics and labels that the server exports.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	b, err := os.ReadFile("../deploy/dashboards/adjutant.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	r := start(t, testConfig())
	for _, text := range []string{"Rename these files.", ""} {
		_, _ = r.Route(t.Context(), &adjutantv1.RouteRequest{Task: prompt(text)}) // one is refused
	}
	page := metricsText(t, r)

	groups := regexp.MustCompile(`\bby \(([^)]*)\)`)
	selectors := regexp.MustCompile(`\{([^}]*)\}`)
	word := regexp.MustCompile(`\b[a-z]+(_[a-z0-9]+)+\b`)
	functions := []string{"histogram_quantile", "rate_interval"}
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			var labels []string
			for _, found := range append(groups.FindAllString(target.Expr, -1), selectors.FindAllString(target.Expr+target.LegendFormat, -1)...) {
				labels = append(labels, word.FindAllString(found, -1)...)
			}
			bare := selectors.ReplaceAllString(groups.ReplaceAllString(target.Expr, ""), "")
			for _, name := range word.FindAllString(bare, -1) {
				if slices.Contains(functions, name) {
					continue
				}
				sample := regexp.MustCompile(`(?m)^` + name + `(\{[^\n]*\})? `).FindString(page)
				if sample == "" {
					t.Errorf("%s: there is no metric %s", panel.Title, name)
				}
				for _, label := range labels {
					if !strings.Contains(sample, label+`="`) {
						t.Errorf("%s: %s has no label %s", panel.Title, name, label)
					}
				}
			}
		}
	}
	if queries < 20 {
		t.Errorf("only %d queries were found", queries)
	}
}
