package server

import (
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/routing"
)

func FuzzClassify(f *testing.F)      { fuzzMethod(f, "Classify") }
func FuzzRoute(f *testing.F)         { fuzzMethod(f, "Route") }
func FuzzEstimateCost(f *testing.F)  { fuzzMethod(f, "EstimateCost") }
func FuzzBatchClassify(f *testing.F) { fuzzMethod(f, "BatchClassify") }
func FuzzBatchRoute(f *testing.F)    { fuzzMethod(f, "BatchRoute") }
func FuzzListModels(f *testing.F)    { fuzzMethod(f, "ListModels") }

// fuzzMethod calls with any message there can be. The answer is one that can be
// sent, or an error that is the caller's: never a fault of ours.
func fuzzMethod(f *testing.F, name string) {
	f.Helper()
	method := adjutantv1.File_adjutant_v1_routing_service_proto.Services().ByName("RoutingService").Methods().ByName(protoreflect.Name(name))
	input, err := protoregistry.GlobalTypes.FindMessageByName(method.Input().FullName())
	if err != nil {
		f.Fatal(err)
	}
	output, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range conformanceCases(f) {
		if c.Method != name {
			continue
		}
		request := input.New().Interface()
		if err := protojson.Unmarshal(c.Request, request); err != nil {
			f.Fatal(err)
		}
		seed, err := proto.Marshal(request)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	call := inProcess(NewService(routing.Default, time.Now, slog.New(slog.DiscardHandler)))
	f.Fuzz(func(t *testing.T, b []byte) {
		request, answer := input.New().Interface(), output.New().Interface()
		if proto.Unmarshal(b, request) != nil {
			return
		}
		switch err := call(t.Context(), name, request, answer); status.Code(err) {
		case codes.OK:
			if _, err := proto.Marshal(answer); err != nil {
				t.Errorf("the answer can't be sent: %v", err)
			}
		case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.PermissionDenied:
			if size := proto.Size(status.Convert(err).Proto()); size > 6<<10 {
				t.Errorf("the status has %d bytes", size)
			}
		default:
			t.Errorf("a fault of ours: %v", err)
		}
	})
}

func FuzzPageToken(f *testing.F) {
	f.Add(pageToken{request: 1, asOf: time.Unix(1_800_000_000, 0), provider: "anthropic", id: "claude-opus-4-1"}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		token, ok := parsePageToken(s)
		if ok && token.String() != s {
			t.Errorf("%q is read as %+v, which is %q", s, token, token.String())
		}
	})
}

func FuzzTenants(f *testing.F) {
	f.Add([]byte("tenants:\n  - name: a\n    tokens_sha256: [" + digest("a") + "]\n    max_tier: making\n    tasks_per_second: 3\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := parseTenants("tenants.yaml", b, []string{"default"}); err == nil && len(got.byName) == 0 {
			t.Error("a file without tenants is taken")
		}
	})
}
