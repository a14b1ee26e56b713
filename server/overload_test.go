package server

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// overloadFor is short, so that it runs with the other tests; make overload takes a
// minute.
var overloadFor = flag.Duration("overload", 2*time.Second, "how long TestOverload lasts")

// Four times the load that the server can carry: what is over the limit is refused
// at once and says when to come back, what is within is right and fast, memory stays
// bounded, and afterwards all is as before.
func TestOverload(t *testing.T) {
	config := testConfig()
	config.Limits.Calls = 8
	r := start(t, config)
	request := &adjutantv1.BatchClassifyRequest{}
	for i := range 100 {
		request.Requests = append(request.Requests, &adjutantv1.ClassifyRequest{Task: prompt(fmt.Sprintf("Write a function that adds %d to each number of a list, with its tests.", i))})
	}
	want, err := r.BatchClassify(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	call := func(ctx context.Context) (time.Duration, error) {
		started := time.Now()
		got, err := r.BatchClassify(ctx, request)
		took := time.Since(started)
		if err == nil && !proto.Equal(got, want) {
			err = status.Error(codes.DataLoss, "an answer was wrong")
		}
		return took, err
	}

	capacity := r.capacity(t, call)
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
			calls.Go(func() {
				took, err := call(context.Background())
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
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = max(heap, m.HeapAlloc)
	}
	calls.Wait()

	slices.Sort(answered)
	p50, p99 := answered[len(answered)/2], answered[len(answered)*99/100]
	t.Logf("capacity %.0f batches/s; sent %d in %s: %d answered (p50 %s, p99 %s), %d refused; heap at most %d MiB",
		capacity, sent, time.Since(started).Round(time.Millisecond), len(answered), p50.Round(time.Millisecond), p99.Round(time.Millisecond), refused, heap>>20)
	if refused == 0 || len(answered)+refused != sent {
		t.Errorf("%d sent, %d answered, %d refused", sent, len(answered), refused)
	}
	// Eight calls share the cores, so that each takes about eight times its own work. The
	// client that offers four times the load shares them as well, which the tail shows.
	if limit := time.Duration(8*4/capacity*float64(time.Second)) + 250*time.Millisecond; p50 > limit {
		t.Errorf("half of what was answered took %s, over %s", p50, limit)
	}
	if limit := config.Limits.CallTime / 4; p99 > limit {
		t.Errorf("p99 of what was answered is %s, over %s", p99, limit)
	}
	if heap > 512<<20 {
		t.Errorf("the heap grew to %d MiB", heap>>20)
	}
	if _, err := call(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// capacity gives how many calls a second the server carries.
func (r *running) capacity(t *testing.T, call func(context.Context) (time.Duration, error)) float64 {
	t.Helper()
	const callers, length = 4, 500 * time.Millisecond
	var done [callers]int
	var wait sync.WaitGroup
	started := time.Now()
	for i := range callers {
		wait.Go(func() {
			for time.Since(started) < length {
				if _, err := call(context.Background()); err != nil {
					t.Errorf("within the limit: %v", err)
					return
				}
				done[i]++
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
