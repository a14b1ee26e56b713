package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"google.golang.org/grpc"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/routing"
)

func newTestService() *Service {
	return NewService(routing.Default, time.Now, slog.New(slog.DiscardHandler))
}

func TestBatchAnswersAsSingleCallsDo(t *testing.T) {
	s := newTestService()
	asOf := timestamppb.New(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	batch := &adjutantv1.BatchRouteRequest{}
	for i := range 300 {
		request := &adjutantv1.RouteRequest{Task: prompt(fmt.Sprintf("Write a function that adds %d to a number, and explain it.", i)), AsOf: asOf}
		if i%7 == 0 {
			request.Task = prompt("")
		}
		batch.Requests = append(batch.Requests, request)
	}
	got, err := s.BatchRoute(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, request := range batch.GetRequests() {
		want, err := s.Route(t.Context(), request)
		result := got.GetResults()[i]
		if err != nil {
			if !proto.Equal(result.GetError(), status.Convert(err).Proto()) {
				t.Errorf("result %d is %v, want %v", i, result.GetError(), err)
			}
			continue
		}
		// Only the id differs between equal requests.
		answer := result.GetResponse()
		answer.Decision.Id, want.Decision.Id = "", ""
		if !proto.Equal(answer, want) {
			t.Errorf("result %d differs from a single call's answer", i)
		}
	}
}

func TestBatchEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newTestService().BatchClassify(ctx, &adjutantv1.BatchClassifyRequest{Requests: []*adjutantv1.ClassifyRequest{{Task: prompt("hello")}}})
	if status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestPagesGiveEveryModelOnce(t *testing.T) {
	s := newTestService()
	whole, err := s.ListModels(t.Context(), &adjutantv1.ListModelsRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if whole.GetNextPageToken() != "" || int(whole.GetTotalSize()) != len(whole.GetModels()) {
		t.Fatalf("%d of %d models on one page, token %q", len(whole.GetModels()), whole.GetTotalSize(), whole.GetNextPageToken())
	}
	var paged []*adjutantv1.Model
	request := &adjutantv1.ListModelsRequest{}
	for size := int32(1); ; size++ { // the size may change from page to page
		request.PageSize = size
		page, err := s.ListModels(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, page.GetModels()...)
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if len(paged) != len(whole.GetModels()) {
		t.Fatalf("%d models on pages, %d in whole", len(paged), len(whole.GetModels()))
	}
	for i := range paged {
		if !proto.Equal(paged[i], whole.GetModels()[i]) {
			t.Errorf("model %d is %v on pages and %v in whole", i, paged[i].GetRef(), whole.GetModels()[i].GetRef())
		}
	}
}

func TestPageTokenBelongsToItsRequest(t *testing.T) {
	s := newTestService()
	page, err := s.ListModels(t.Context(), &adjutantv1.ListModelsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.ListModels(t.Context(), &adjutantv1.ListModelsRequest{PageToken: page.GetNextPageToken(), Policy: "default"})
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "belongs to a request with other fields") {
		t.Errorf("got %v", err)
	}
}

// Ten thousand violations come to less than clients take.
func TestDetailsStaySmall(t *testing.T) {
	conversation := &adjutantv1.Conversation{}
	for range maxMessages {
		conversation.Messages = append(conversation.Messages, &adjutantv1.Message{})
	}
	_, err := newTestService().Classify(t.Context(), &adjutantv1.ClassifyRequest{Task: &adjutantv1.Task{Input: &adjutantv1.Task_Conversation{Conversation: conversation}}})
	got := status.Convert(err)
	if size := proto.Size(got.Proto()); size > 4<<10 {
		t.Errorf("the status has %d bytes", size)
	}
	for _, detail := range got.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			list := bad.GetFieldViolations()
			if want := fmt.Sprintf("and %d more violations", maxMessages+1-(len(list)-1)); list[len(list)-1].GetDescription() != want {
				t.Errorf("the last violation says %q, want %q", list[len(list)-1].GetDescription(), want)
			}
		}
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }

var _ encoding.CodecV2 = rawCodec{}

func TestMessagesThatCannotBeReadAreTheCallersFault(t *testing.T) {
	r := startInMemory(t, testConfig())
	for name, c := range map[string]struct {
		message []byte
		code    codes.Code
	}{
		"not protobuf": {[]byte{0xff, 0xff, 0xff}, codes.InvalidArgument},
		"not UTF-8":    {[]byte{0x0a, 0x03, 0x0a, 0x01, 0xff}, codes.InvalidArgument},
		"too large":    {make([]byte, 5<<20), codes.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			err := r.conn.Invoke(t.Context(), adjutantv1.RoutingService_Classify_FullMethodName, c.message, &adjutantv1.ClassifyResponse{}, grpc.ForceCodecV2(rawCodec{}))
			if status.Code(err) != c.code {
				t.Errorf("got %v, want %v", err, c.code)
			}
		})
	}
	if n := strings.Count(r.logged(), `"reason":"INVALID_REQUEST"`); n != 3 {
		t.Errorf("%d of 3 calls are logged with their reason", n)
	}
}

func TestEnumsHaveTheSameNumbers(t *testing.T) {
	// convert_request.go and convert_answer.go rely on it.
	for code := routing.LowestExpectedTotal; code <= routing.OutputLimit; code++ {
		if _, ok := adjutantv1.ReasonCode_name[int32(code)]; !ok {
			t.Errorf("reason code %d is not in the contract", code)
		}
	}
	if int(routing.OutputLimit) != len(adjutantv1.ReasonCode_name)-1 {
		t.Errorf("the contract has %d reason codes, routing %d", len(adjutantv1.ReasonCode_name)-1, routing.OutputLimit)
	}
	if int(routing.Unavailable) != int(adjutantv1.Outcome_OUTCOME_UNAVAILABLE) || int(routing.AlternativePlan) != int(adjutantv1.AlternativeKind_ALTERNATIVE_KIND_TWO_STEP_PLAN) {
		t.Error("outcomes or alternatives differ")
	}
}
