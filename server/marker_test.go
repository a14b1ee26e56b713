package server

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/reflect/protoreflect"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/routing"
)

// marker is a text that nothing else holds.
const marker = "Zebra-Quagga-7151"

// No text of a request gets out: not into the log at any level, a span, a metric or
// a panic's trace; and no text of a task into an error.
func TestTextOfRequestsIsNeverWritten(t *testing.T) {
	config := testConfig()
	config.Log.Level = slog.LevelDebug - 4
	r := start(t, config)
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	r.telemetry.traceTo(provider)
	panicking := startPanicking(t, r)

	for _, c := range conformanceCases(t) {
		method := adjutantv1.File_adjutant_v1_routing_service_proto.Services().ByName("RoutingService").Methods().ByName(protoreflect.Name(c.Method))
		for _, everywhere := range []bool{false, true} {
			request, answer := newMessage(t, method.Input()), newMessage(t, method.Output())
			c.decode(t, request)
			plant(request.ProtoReflect(), everywhere, 0)
			err := over(r.conn)(t.Context(), c.Method, request, answer)
			// A name that is not known is quoted to the caller who gave it; a task never is.
			if !everywhere {
				forbidMarker(t, "the error of "+c.Name, statusText(err))
				forbidMarker(t, "the answer to "+c.Name, answer.(interface{ String() string }).String())
			}
			err = over(panicking)(t.Context(), c.Method, request, answer)
			if statusName(status.Code(err)) != "INTERNAL" {
				t.Errorf("a panic gives %v", err)
			}
			forbidMarker(t, "the error of a panic", statusText(err))
		}
	}

	forbidMarker(t, "the log", r.logged())
	if !strings.Contains(r.logged(), `"panic with a string"`) {
		t.Error("the log doesn't tell of the panic")
	}
	forbidMarker(t, "the metrics", metricsText(t, r))
	ended := spans.GetSpans()
	if len(ended) == 0 {
		t.Error("there are no spans to look at")
	}
	for _, span := range ended {
		forbidMarker(t, "a span", spanText(span))
	}
}

// startPanicking serves a service that panics with a text, with r's log and telemetry.
func startPanicking(t *testing.T, r *running) *grpc.ClientConn {
	t.Helper()
	service := NewService(func() *routing.Router { panic(marker) }, time.Now, r.Server.log)
	server := r.newGRPC(service, &limiter{most: 10, queue: service.queue})
	listener := bufconn.Listen(1 << 20)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func forbidMarker(t *testing.T, where, text string) {
	t.Helper()
	if i := strings.Index(text, marker); i >= 0 {
		t.Errorf("%s holds text of a request: ...%s", where, text[max(0, i-200):i+len(marker)])
	}
}

// statusText is all that an error brings to its caller.
func statusText(err error) string {
	return status.Convert(err).Proto().String()
}

func spanText(span tracetest.SpanStub) string {
	text := span.Name + span.Status.Description
	for _, a := range span.Attributes {
		text += " " + string(a.Key) + "=" + a.Value.String()
	}
	for _, event := range span.Events {
		text += " " + event.Name
		for _, a := range event.Attributes {
			text += " " + a.Value.String()
		}
	}
	return text
}

// plant appends the marker to the text of tasks, or to every text there is.
func plant(m protoreflect.Message, everywhere bool, depth int) {
	if depth > 6 {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		text := field.Name() == "prompt" || field.Name() == "content" || field.Name() == "labels"
		switch {
		case field.IsMap():
			if m.Has(field) || everywhere {
				m.Mutable(field).Map().Set(protoreflect.ValueOfString(marker).MapKey(), protoreflect.ValueOfString(marker))
			}
		case field.Kind() == protoreflect.StringKind && field.IsList():
			if everywhere {
				m.Mutable(field).List().Append(protoreflect.ValueOfString(marker))
			}
		case field.Kind() == protoreflect.StringKind:
			if m.Has(field) && text || everywhere && field.ContainingOneof() == nil {
				m.Set(field, protoreflect.ValueOfString(m.Get(field).String()+marker))
			}
		case field.Kind() == protoreflect.MessageKind && field.IsList():
			list := m.Mutable(field).List()
			if everywhere && list.Len() == 0 {
				list.AppendMutable()
			}
			for j := range list.Len() {
				plant(list.Get(j).Message(), everywhere, depth+1)
			}
		case field.Kind() == protoreflect.MessageKind && (m.Has(field) || everywhere && field.ContainingOneof() == nil):
			plant(m.Mutable(field).Message(), everywhere, depth+1)
		}
	}
}
