package server

import (
	"container/list"
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// queue is where tasks wait for a core. As many are worked on at once as there are
// cores; the others wait in the order in which they came. With more at once each
// would only take longer, and the goroutines that read and refuse calls would have to
// share the cores with them.
//
// How many may wait follows from the target: as many as the cores are expected to get
// through in that time, given how long recent tasks have kept one. So it adapts to
// what is asked (a task takes microseconds, or tens of milliseconds where the encoder
// reads it too) and to how much of its cores the process is given, and an idle server
// takes any burst that it can serve in time. Where tasks have suddenly grown longer,
// nobody is let in while the first has waited for more than the target.
// docs/decisions/0007-overload.md has what else was tried.
type queue struct {
	cores  int
	target time.Duration // that a task is expected to wait at most

	mu      sync.Mutex
	free    int           // cores that nobody works on; none while somebody waits
	waiting list.List     // of *waiter, who has waited longest first
	batched int           // tasks of batches that were let in and are not answered
	mean    time.Duration // that recent tasks have kept a core
	weight  int           // of the mean, in tasks
}

// waiter is a task in the queue.
type waiter struct {
	come  chan struct{} // closed when its turn has come
	since time.Time
}

// The mean is that of some hundred tasks, so that it is within a tenth or so of the
// truth where one task in five takes a hundred times longer than the rest. Before
// anything is known 64 tasks a core may wait, and what is learned has more weight.
const (
	queueWeight      = 256
	queueFirstWeight = 16
	queueFirstLimit  = 64
)

func newQueue(cores int, target time.Duration) *queue {
	return &queue{cores: cores, target: target, free: cores, mean: target / queueFirstLimit, weight: queueFirstWeight}
}

// unlimitedQueue is for calls in process, which nobody refuses.
func unlimitedQueue() *queue { return newQueue(runtime.GOMAXPROCS(0), 24*time.Hour) }

// limit is how many tasks may wait: one a core at least, since it is the callers'
// tasks that are long where even one is too many. The lock is held.
func (q *queue) limit() int {
	return q.cores * int(max(1, q.target/max(1, q.mean)))
}

// length, present and inBatches are for the metrics: how many tasks wait, how many may,
// and how many batches have.
func (q *queue) length() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(q.waiting.Len())
}

func (q *queue) present() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(q.limit())
}

func (q *queue) inBatches() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(q.batched)
}

// room refuses a call where as many wait as may, or the first waits for too long.
func (q *queue) room() error {
	q.mu.Lock()
	ahead, limit, mean := q.waiting.Len(), q.limit(), q.mean
	slow := ahead > 0 && time.Since(q.waiting.Front().Value.(*waiter).since) > q.target //nolint:forcetypeassert // nothing else is in it
	q.mu.Unlock()
	if ahead < limit && !slow {
		return nil
	}
	return q.refuse(fmt.Sprintf("%d tasks are waiting", ahead), ahead-limit, mean)
}

// batchTasks bounds the tasks of batches for each core, however short they are: their
// answers, some 3 KB each, are held until the last of the batch is ready.
const batchTasks = 4096

// addBatch lets a batch in, or refuses it where batches that are not answered have as
// many tasks as may wait, or batchTasks a core. A batch alone is never too large: only
// its workers wait in the queue, and give way. batchDone must follow; adding no tasks
// only asks.
func (q *queue) addBatch(tasks int) error {
	q.mu.Lock()
	ahead, limit, mean := q.batched, min(q.limit(), q.cores*batchTasks), q.mean
	if ahead < limit {
		q.batched += tasks
	}
	q.mu.Unlock()
	if ahead < limit {
		return nil
	}
	return q.refuse(fmt.Sprintf("batches of %d tasks are being worked on", ahead), ahead-limit, mean)
}

func (q *queue) batchDone(tasks int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.batched -= tasks
}

// refuse gives the status of a call that finds too many tasks ahead of it. It is told
// to come back when they are expected to be few enough, and not before the target has
// passed.
func (q *queue) refuse(what string, over int, mean time.Duration) error {
	return comeBack(adjutantv1.ErrorReason_ERROR_REASON_OVERLOADED, what+", more than can be served in time: try again after the given delay",
		max(q.target, mean*time.Duration(over)/time.Duration(q.cores)))
}

// turn is a task's time on a core. The zero turn has none.
type turn struct {
	queue *queue
	since time.Time
	tasks int // worked on in it, where it is not one
}

// turnOfBatch is how long a worker of a batch keeps a core before it gives way. A turn
// a task would spend more on handing over than on short tasks.
const turnOfBatch = time.Millisecond

// has says that the turn has come and has not ended.
func (t *turn) has() bool { return t.queue != nil }

// done counts a task of a batch, and ends the turn if it has been long enough.
func (t *turn) done() {
	t.tasks++
	if time.Since(t.since) > turnOfBatch {
		t.end()
		runtime.Gosched() // where nobody waits in the queue, a call may be about to
	}
}

// wait gives the next turn; it fails only where ctx ends before. The turn must end.
func (q *queue) wait(ctx context.Context) (turn, error) {
	if err := ctx.Err(); err != nil {
		return turn{}, err
	}
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.mu.Unlock()
		return turn{queue: q, since: time.Now()}, nil
	}
	me := &waiter{come: make(chan struct{}), since: time.Now()}
	place := q.waiting.PushBack(me)
	q.mu.Unlock()
	select {
	case <-me.come:
		return turn{queue: q, since: time.Now()}, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-me.come: // at the same moment: whoever has the turn will see that ctx is done
		return turn{queue: q, since: time.Now()}, nil
	default:
		q.waiting.Remove(place)
		return turn{}, ctx.Err()
	}
}

// end gives the core to who has waited longest. Ending a turn again does nothing.
func (t *turn) end() {
	q := t.queue
	if q == nil {
		return
	}
	n := max(1, t.tasks)
	// What takes longer than the target counts as the target, so that a single huge
	// task does not close the queue to many small ones.
	took := min(time.Since(t.since)/time.Duration(n), q.target)
	*t = turn{}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.weight = min(q.weight+n, queueWeight)
	q.mean += (took - q.mean) * time.Duration(min(n, q.weight)) / time.Duration(q.weight)
	first := q.waiting.Front()
	if first == nil {
		q.free++
		return
	}
	close(q.waiting.Remove(first).(*waiter).come) //nolint:forcetypeassert // as above
}
