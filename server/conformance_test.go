package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/routing"
)

// conformanceCase is one request of testdata/cases.json and what it must come to,
// however it is asked.
type conformanceCase struct {
	Name    string          `json:"name"`
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`
	// Want is a part of the answer: what it leaves out is not looked at.
	Want any `json:"want"`
	// Error is what the call must fail with.
	Error *struct {
		Code     string            `json:"code"`
		Reason   string            `json:"reason"`
		Message  string            `json:"message"` // empty: not looked at
		Fields   map[string]string `json:"fields"`  // all of them
		Metadata map[string]string `json:"metadata"`
	} `json:"error"`
}

func conformanceCases(tb testing.TB) []conformanceCase {
	tb.Helper()
	b, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		tb.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var cases []conformanceCase
	if err := decoder.Decode(&cases); err != nil {
		tb.Fatal(err)
	}
	return cases
}

// invoke is how a transport makes a call.
type invoke func(ctx context.Context, method string, request, answer proto.Message) error

// inProcess calls the service as the command line does.
func inProcess(s *Service) invoke {
	return func(ctx context.Context, method string, request, answer proto.Message) error {
		for _, m := range adjutantv1.RoutingService_ServiceDesc.Methods {
			if m.MethodName != method {
				continue
			}
			got, err := m.Handler(s, ctx, func(into any) error {
				proto.Merge(into.(proto.Message), request)
				return nil
			}, nil)
			if err == nil {
				proto.Merge(answer, got.(proto.Message))
			}
			return err
		}
		return fmt.Errorf("no method %s", method)
	}
}

// over calls through a connection.
func over(conn *grpc.ClientConn) invoke {
	return func(ctx context.Context, method string, request, answer proto.Message) error {
		return conn.Invoke(ctx, "/"+serviceName+"/"+method, request, answer)
	}
}

func TestConformance(t *testing.T) {
	transports := map[string]func(*testing.T) invoke{
		"in process": func(*testing.T) invoke {
			return inProcess(NewService(routing.Default, time.Now, slog.New(slog.DiscardHandler)))
		},
		"in memory": func(t *testing.T) invoke { return over(startInMemory(t, testConfig()).conn) },
		"TCP":       func(t *testing.T) invoke { return over(start(t, testConfig()).conn) },
		"TLS": func(t *testing.T) invoke {
			ca := newAuthority(t, "ours")
			return over(start(t, ca.withTLS(t, testConfig()), dialTLS(&tls.Config{RootCAs: ca.pool()})).conn)
		},
		"Unix socket": func(t *testing.T) invoke {
			config := testConfig()
			config.Listen = "unix:" + filepath.Join(t.TempDir(), "adjutant.sock")
			return over(start(t, config).conn)
		},
	}
	cases := conformanceCases(t)
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			call := transport(t)
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) { c.check(t, call) })
			}
		})
	}
}

func (c *conformanceCase) check(t *testing.T, call invoke) {
	method := adjutantv1.File_adjutant_v1_routing_service_proto.Services().ByName("RoutingService").Methods().ByName(protoreflect.Name(c.Method))
	if method == nil {
		t.Fatalf("no method %q", c.Method)
	}
	request, answer := newMessage(t, method.Input()), newMessage(t, method.Output())
	c.decode(t, request)
	err := call(t.Context(), c.Method, request, answer)
	if c.Error != nil {
		c.checkError(t, err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := protojson.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	if path := missing("", c.Want, got); path != "" {
		t.Errorf("%s: in %s", path, encoded)
	}
}

func (c *conformanceCase) decode(t *testing.T, request proto.Message) {
	t.Helper()
	if err := protojson.Unmarshal(c.Request, request); err != nil {
		t.Fatal(err)
	}
}

// newMessage makes a message of a generated type.
func newMessage(t *testing.T, of protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	generated, err := protoregistry.GlobalTypes.FindMessageByName(of.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return generated.New().Interface()
}

// missing gives the path of the first part of want that got doesn't have.
func missing(path string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, not an object", path, got)
		}
		for key, value := range want {
			if problem := missing(path+"."+key, value, object[key]); problem != "" {
				return problem
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Sprintf("%s has %d values, not %d", path, len(list), len(want))
		}
		for i := range want {
			if problem := missing(fmt.Sprintf("%s[%d]", path, i), want[i], list[i]); problem != "" {
				return problem
			}
		}
	default:
		if want != got {
			return fmt.Sprintf("%s is %v, not %v", path, got, want)
		}
	}
	return ""
}

func (c *conformanceCase) checkError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("the call succeeded")
	}
	got := status.Convert(err)
	if name := statusName(got.Code()); name != c.Error.Code {
		t.Errorf("code %s, want %s: %v", name, c.Error.Code, err)
	}
	if c.Error.Message != "" && got.Message() != c.Error.Message {
		t.Errorf("message\n%s\nwant\n%s", got.Message(), c.Error.Message)
	}
	fields := map[string]string{}
	info := &errdetails.ErrorInfo{}
	for _, detail := range got.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			info = detail
		case *errdetails.BadRequest:
			for _, v := range detail.GetFieldViolations() {
				fields[v.GetField()] = v.GetDescription()
			}
		}
	}
	if info.GetDomain() != "adjutant.dev" || info.GetReason() != c.Error.Reason {
		t.Errorf("error info %v, want reason %s", info, c.Error.Reason)
	}
	for key, value := range c.Error.Metadata {
		if info.GetMetadata()[key] != value {
			t.Errorf("metadata %q is %q, want %q", key, info.GetMetadata()[key], value)
		}
	}
	for field, want := range c.Error.Fields {
		if fields[field] != want {
			t.Errorf("field %s: %q, want %q", field, fields[field], want)
		}
		delete(fields, field)
	}
	for field, description := range fields {
		t.Errorf("field %s is refused too: %s", field, description)
	}
}
