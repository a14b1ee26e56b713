package server

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	runtimemetrics "runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/classifier/encoder"
)

// overloadFor is short, so that it runs with the other tests; make overload takes a
// minute.
var overloadFor = flag.Duration("overload", 2*time.Second, "how long TestOverload lasts")

// Four times the load that the server can carry: what is over the limit is refused
// at once and says when to come back, what is within is right and fast, memory stays
// bounded, and afterwards all is as before.
func TestOverload(t *testing.T) {
	t.Run("batches of short tasks", func(t *testing.T) {
		r := start(t, testConfig())
		request := &adjutantv1.BatchClassifyRequest{}
		for i := range 100 {
			request.Requests = append(request.Requests, &adjutantv1.ClassifyRequest{Task: prompt(fmt.Sprintf("Write a function that adds %d to each number of a list, with its tests.", i))})
		}
		r.overload(t, r.calls(t, adjutantv1.RoutingService_BatchClassify_FullMethodName, request))
	})
	t.Run("calls of which the encoder reads one in three", func(t *testing.T) {
		if !encoder.Quick() {
			t.Skip("the encoder is never asked on this processor, which lacks AVX2")
		}
		config := testConfig()
		config.Encoder = true
		r := start(t, config)
		var requests []proto.Message
		for _, text := range mixture(t) {
			requests = append(requests, &adjutantv1.ClassifyRequest{Task: prompt(text)})
		}
		r.overload(t, r.calls(t, adjutantv1.RoutingService_Classify_FullMethodName, requests...))
	})
}

// calls gives a function that makes one of the calls in turn, and an error where its
// answer is not, to the byte, the one that was given before. It neither encodes nor
// decodes, so that the client leaves the cores to the server.
func (r *running) calls(t *testing.T, method string, requests ...proto.Message) func(ctx context.Context, i int) error {
	t.Helper()
	codec := grpc.ForceCodecV2(newFrameCodec())
	// Several connections, as several clients have: a single one can carry fewer answers
	// than the server gives.
	var conns [8]*grpc.ClientConn
	for i := range conns {
		var err error
		if conns[i], err = grpc.NewClient(r.conn.Target(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conns[i].Close() })
	}
	call := func(ctx context.Context, i int, request []byte) ([]byte, error) {
		var answer frame
		if err := conns[i%len(conns)].Invoke(ctx, method, &frame{mem.SliceBuffer(request)}, &answer, codec); err != nil {
			return nil, err
		}
		defer answer.Free()
		return bytes.Clone(answer.ReadOnlyData()), nil
	}
	encoded, want := make([][]byte, len(requests)), make([][]byte, len(requests))
	for i, request := range requests {
		var err error
		if encoded[i], err = proto.Marshal(request); err != nil {
			t.Fatal(err)
		}
		if want[i], err = call(t.Context(), i, encoded[i]); err != nil {
			t.Fatal(err)
		}
	}
	return func(ctx context.Context, i int) error {
		got, err := call(ctx, i, encoded[i%len(encoded)])
		if err == nil && !bytes.Equal(got, want[i%len(want)]) {
			return status.Error(codes.DataLoss, "an answer was wrong")
		}
		return err
	}
}

// mixture is more than real tasks are to the encoder: one in three leaves the fast
// classifier in doubt, of real ones about one in five.
func mixture(t *testing.T) []string {
	t.Helper()
	const sure = "Write a function that merges two sorted lists of customer records, number %d, with its tests."
	var all []string
	for _, doubtful := range []string{
		"Our invoice template has three footers by now, one for each country, and the fourth is on its way. What now?",
		"Customers in Austria see the old price until they log out. The cache is cleared on every deploy, and the price service answers right when I ask it.",
		"Here is what we agreed with the supplier on the phone, and here is what the contract says. The two do not quite fit. Put it so that both can sign.",
		"Is this fine? func (c *cache) get(k string) *item { c.mu.RLock(); defer c.mu.RUnlock(); i := c.m[k]; i.used = time.Now(); return i }",
		"The migration has run on staging. Before production: what does it lock, and for how long, with ninety million rows?",
		"two queues, one worker, and the slow jobs starve the fast ones",
		"replication lag only at night, nobody writes then",
	} {
		// In doubt of which of them depends on the weights.
		got, err := classifier.Default().Classify(t.Context(), classifier.Prompt(doubtful))
		if err != nil {
			t.Fatal(err)
		}
		if !got.InDoubt() {
			continue
		}
		all = append(all, doubtful)
		for range 2 {
			all = append(all, fmt.Sprintf(sure, len(all)))
		}
	}
	if len(all) == 0 {
		t.Fatal("the classifier is in doubt of none of the texts: think of others")
	}
	return all
}

// overload makes calls at four times the rate that the server can answer; call number
// i gives an error for a wrong answer as well.
func (r *running) overload(t *testing.T, call func(ctx context.Context, i int) error) {
	t.Helper()
	capacity := r.capacity(t, call)
	sample := []runtimemetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	var heap uint64
	var mu sync.Mutex
	var answered []time.Duration
	refused := 0
	var calls sync.WaitGroup
	interval := time.Duration(float64(time.Second) / (4 * capacity))
	ticker := time.NewTicker(max(interval, time.Millisecond))
	defer ticker.Stop()
	started, sent := time.Now(), 0
	for time.Since(started) < *overloadFor {
		<-ticker.C
		// As many as are due, however late the tick.
		for due := int(time.Since(started) / interval); sent < due; sent++ {
			i := sent
			calls.Go(func() {
				began := time.Now()
				err := call(context.Background(), i)
				took := time.Since(began)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					answered = append(answered, took)
				case status.Code(err) == codes.ResourceExhausted && reasonOf(err) == "OVERLOADED" && retryDelay(err) > 0:
					refused++
				default:
					t.Errorf("a call failed: %v", err)
				}
			})
		}
		runtimemetrics.Read(sample) // unlike ReadMemStats it does not stop the world
		heap = max(heap, sample[0].Value.Uint64())
	}
	calls.Wait()

	slices.Sort(answered)
	p50, p99 := answered[len(answered)/2], answered[len(answered)*99/100]
	t.Logf("capacity %.0f calls/s; sent %d in %s: %d answered (p50 %s, p99 %s), %d refused; heap at most %d MiB",
		capacity, sent, time.Since(started).Round(time.Millisecond), len(answered), p50.Round(time.Millisecond), p99.Round(time.Millisecond), refused, heap>>20)
	if len(answered)+refused != sent {
		t.Errorf("%d sent, %d answered, %d refused", sent, len(answered), refused)
	}
	if err := call(t.Context(), 0); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if *overloadFor < time.Minute {
		return // other packages' tests share the cores and this one's the heap: nothing is to be said of times and memory
	}
	if heap > 512<<20 {
		t.Errorf("the heap of client and server grew to %d MiB", heap>>20)
	}
	if refused == 0 {
		t.Error("nothing was refused at four times the load")
	}
	// A call waits for about the queue's target. The client that offers four times the
	// load shares the cores, which the tail shows.
	if limit := 3 * r.config.Limits.QueueTime; p50 > limit {
		t.Errorf("half of what was answered took %s, over %s", p50, limit)
	}
	if limit := r.config.Limits.CallTime / 5; p99 > limit {
		t.Errorf("p99 of what was answered is %s, over %s", p99, limit)
	}
}

// capacity gives how many calls a second the server carries.
func (r *running) capacity(t *testing.T, call func(context.Context, int) error) float64 {
	t.Helper()
	const callers, length = 4, 500 * time.Millisecond
	var done [callers]int
	var wait sync.WaitGroup
	started := time.Now()
	for i := range callers {
		wait.Go(func() {
			for time.Since(started) < length {
				switch err := call(context.Background(), done[i]); {
				case err == nil:
					done[i]++
				case reasonOf(err) != "OVERLOADED": // as it is for four where the machine is slow
					t.Errorf("within the limit: %v", err)
					return
				}
			}
		})
	}
	wait.Wait()
	total := 0
	for _, n := range done {
		total += n
	}
	return float64(total) / time.Since(started).Seconds()
}

// A caller that never sends its message holds a place no longer than a call may take.
func TestSlowCallersAreCutOff(t *testing.T) {
	config := testConfig()
	config.Limits.Calls = 1
	config.Limits.CallTime = 50 * time.Millisecond
	r := start(t, config)
	slow, _ := halfSent(t, r)
	if err := slow.RecvMsg(&adjutantv1.ClassifyResponse{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("the slow call: %v", err)
	}
	for {
		_, err := r.Classify(t.Context(), &adjutantv1.ClassifyRequest{Task: prompt("hello")})
		if err == nil {
			return
		}
		if status.Code(err) != codes.ResourceExhausted {
			t.Fatalf("a call after it: %v", err)
		}
	}
}

// A batch counts until its answer is sent, so that a client that reads slowly, or not
// at all, does not pile up answers; it counts no longer when the client is gone.
func TestBatchCountsUntilItsAnswerIsSent(t *testing.T) {
	r := start(t, testConfig())
	const tasks = 300 // whose answers are more than a client takes unread
	request := &adjutantv1.BatchClassifyRequest{}
	for range tasks {
		request.Requests = append(request.Requests, &adjutantv1.ClassifyRequest{Task: prompt("Sort these names.")})
	}
	ctx, goAway := context.WithCancel(t.Context())
	defer goAway()
	call, err := r.conn.NewStream(ctx, &grpc.StreamDesc{}, adjutantv1.RoutingService_BatchClassify_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(call.SendMsg(request), call.CloseSend()); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(r.logged(), `"code":"OK"`) {
		if t.Context().Err() != nil {
			t.Fatal("the call was never worked on")
		}
	}
	if page := metricsText(t, r); !strings.Contains(page, fmt.Sprintf("adjutant_batch_tasks %d\n", tasks)) {
		t.Error("a batch that is worked on but not sent does not count")
	}
	goAway()
	r.waitForNoBatch(t)

	// Nor do batches count that were answered, or refused.
	request.Requests = request.Requests[:1]
	for _, requests := range [][]*adjutantv1.ClassifyRequest{request.GetRequests(), {{}}, nil} {
		_, _ = r.BatchClassify(t.Context(), &adjutantv1.BatchClassifyRequest{Requests: requests})
	}
	r.waitForNoBatch(t)
}

func (r *running) waitForNoBatch(t *testing.T) {
	t.Helper()
	for !strings.Contains(metricsText(t, r), "adjutant_batch_tasks 0\n") {
		if t.Context().Err() != nil {
			t.Fatal("a batch still counts")
		}
	}
}
