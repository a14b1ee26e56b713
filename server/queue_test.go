package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Tasks as they come: always the same, or one in five of them long.
var (
	short = func(*rand.Rand) time.Duration { return 200 * time.Microsecond }
	mixed = func(r *rand.Rand) time.Duration {
		if r.IntN(5) == 0 {
			return 10*time.Millisecond + time.Duration(r.IntN(int(15*time.Millisecond)))
		}
		return 50 * time.Microsecond
	}
	long = func(*rand.Rand) time.Duration { return 25 * time.Millisecond }
	huge = func(*rand.Rand) time.Duration { return 400 * time.Millisecond }
)

// offered is what became of calls that were made at random times.
type offered struct {
	waited         []time.Duration // those let in
	refused        int
	worked, lasted time.Duration
}

func (o *offered) percentile(p int) time.Duration {
	slices.Sort(o.waited)
	return o.waited[len(o.waited)*p/100]
}

// offer makes calls on l for a time, at a multiple of what its cores can do. The
// clock is that of a synctest bubble: a second of it passes in no time.
func offer(q *queue, load float64, lasts time.Duration, task func(*rand.Rand) time.Duration) *offered {
	random := rand.New(rand.NewPCG(1, 2))
	var mean time.Duration
	for range 1000 {
		mean += task(random) / 1000
	}
	between := float64(mean) / float64(q.cores) / load
	var mu sync.Mutex
	o := &offered{}
	var calls sync.WaitGroup
	started := time.Now()
	for time.Since(started) < lasts {
		time.Sleep(time.Duration(random.ExpFloat64() * between))
		takes := task(random)
		calls.Go(func() {
			came := time.Now()
			if q.room() != nil {
				mu.Lock()
				o.refused++
				mu.Unlock()
				return
			}
			turn, _ := q.wait(context.Background())
			waited := time.Since(came)
			time.Sleep(takes)
			turn.end()
			mu.Lock()
			o.waited = append(o.waited, waited)
			o.worked += takes
			mu.Unlock()
		})
	}
	calls.Wait()
	o.lasted = time.Since(started)
	return o
}

// Under four times the load, whatever the tasks are, the cores are kept busy, and
// those who are let in wait about as long as the target or less. The rest is refused.
func TestQueueUnderOverload(t *testing.T) {
	for _, cores := range []int{1, 2, 8} {
		for name, c := range map[string]struct {
			task  func(*rand.Rand) time.Duration
			lasts time.Duration
			worst time.Duration // 99 of 100 wait less
		}{
			"short": {short, 300 * time.Millisecond, 110 * time.Millisecond},
			"mixed": {mixed, 5 * time.Second, 200 * time.Millisecond},
			// The first of them come before it is known how long they take.
			"long": {long, 10 * time.Second, 350 * time.Millisecond},
			// One may wait for each core, however long that is.
			"huge": {huge, 20 * time.Second, 800 * time.Millisecond},
		} {
			t.Run(fmt.Sprintf("%s on %d", name, cores), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					q := newQueue(cores, 100*time.Millisecond)
					o := offer(q, 4, c.lasts, c.task)
					busy := float64(o.worked) / float64(o.lasted) / float64(cores)
					t.Logf("let in %d, refused %d; waited p50 %s, p99 %s; cores busy %.2f; limit %d", len(o.waited), o.refused, o.percentile(50), o.percentile(99), busy, q.present())
					if got := o.percentile(99); got > c.worst {
						t.Errorf("one in a hundred waits more than %s, want %s", got, c.worst)
					}
					if busy < 0.97 {
						t.Errorf("the cores are busy for %.2f of the time", busy)
					}
					if share := float64(o.refused) / float64(len(o.waited)+o.refused); name != "short" && (share < 0.55 || share > 0.85) {
						t.Errorf("%.2f of all calls were refused", share)
					}
				})
			})
		}
	}
}

// At half of what the cores can do, nobody is refused.
func TestQueueAtHalfLoad(t *testing.T) {
	for name, task := range map[string]func(*rand.Rand) time.Duration{"short": short, "mixed": mixed, "long": long} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lasts := 10 * time.Second
				if name == "short" {
					lasts = time.Second
				}
				if o := offer(newQueue(2, 100*time.Millisecond), 0.5, lasts, task); o.refused > 0 {
					t.Errorf("%d of %d were refused", o.refused, len(o.waited)+o.refused)
				}
			})
		})
	}
}

// A burst that the cores can serve in time is taken whole, whatever has gone before.
func TestQueueTakesABurst(t *testing.T) {
	for _, c := range []struct {
		name        string
		before      func(*rand.Rand) time.Duration
		load, takes time.Duration
		calls       int
	}{
		{"on a server that is new", nil, 0, 1500 * time.Microsecond, 2 * 64},
		{"of short tasks after short ones", short, 1, 200 * time.Microsecond, 900},
		{"after a mixture", mixed, 1, 3 * time.Millisecond, 45},
		{"after an overload", mixed, 4, 3 * time.Millisecond, 45},
		{"one a core after huge ones", huge, 1, 50 * time.Microsecond, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue(2, 100*time.Millisecond)
				if c.before != nil {
					offer(q, float64(c.load), 2*time.Second, c.before)
				}
				var calls sync.WaitGroup
				for i := range c.calls {
					if err := q.room(); err != nil {
						t.Fatalf("call %d was refused: %v", i, err)
					}
					calls.Go(func() {
						turn, _ := q.wait(t.Context())
						time.Sleep(c.takes)
						turn.end()
					})
					synctest.Wait()
				}
				calls.Wait()
			})
		})
	}
}

// The limit follows what is asked, both ways.
func TestQueueFollowsAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2, 100*time.Millisecond)
		offer(q, 0.5, time.Second, short)
		if got := q.present(); got < 950 || got > 1000 {
			t.Errorf("where tasks take 200 µs, %d may wait", got)
		}
		o := offer(q, 4, 10*time.Second, long)
		if got := q.present(); got < 8 || got > 9 {
			t.Errorf("where tasks take 25 ms, %d may wait", got)
		}
		if got := o.percentile(100 - 1); got > 500*time.Millisecond {
			t.Errorf("while it learned so, one in a hundred waited more than %s", got)
		}
		offer(q, 0.5, time.Second, short)
		if got := q.present(); got < 950 {
			t.Errorf("where tasks take 200 µs again, %d may wait", got)
		}
	})
}

// Whoever came first is served first, and whoever has gone away holds nobody up.
func TestQueueServesInOrder(t *testing.T) {
	q := newQueue(1, time.Second)
	first, err := q.wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var served []int
	var calls sync.WaitGroup
	for i := range 5 {
		ctx, goAway := context.WithCancel(t.Context())
		defer goAway()
		calls.Go(func() {
			turn, err := q.wait(ctx)
			if i == 2 {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("who went away was given %v", err)
				}
				return
			}
			served = append(served, i)
			turn.end()
			turn.end() // does nothing
		})
		for q.length() != int64(i+1) {
			continue
		}
		if i == 2 {
			goAway()
			for q.length() != int64(i) {
				continue
			}
			break
		}
	}
	first.end()
	calls.Wait()
	if !slices.Equal(served, []int{0, 1}) || q.free != 1 || q.length() != 0 {
		t.Errorf("served %v, %d cores free, %d waiting", served, q.free, q.length())
	}
}

// Batches count by their tasks: one is let in however large, the next when those that
// are let in are few enough, and it is told when that will be.
func TestQueueCountsBatchesByTheirTasks(t *testing.T) {
	q := newQueue(2, 100*time.Millisecond)
	q.mean = 10 * time.Millisecond // so that 20 may wait
	for _, step := range []struct {
		done, add int
		after     time.Duration // 0: let in
	}{
		{add: 19},
		{add: 1000},
		{add: 1, after: 4995 * time.Millisecond}, // 999 over the limit, two at a time
		{done: 19, add: 1, after: 4900 * time.Millisecond},
		{done: 1000, add: 20},
		{add: 1, after: 100 * time.Millisecond},
	} {
		if step.done > 0 {
			q.batchDone(step.done)
		}
		err := q.addBatch(step.add)
		if got := retryDelay(err); got != step.after || err != nil && (status.Code(err) != codes.ResourceExhausted || reasonOf(err) != "OVERLOADED") {
			t.Errorf("%+v: %v, come back after %s", step, err, got)
		}
		if err := q.room(); err != nil {
			t.Errorf("a single call is held up by batches: %v", err)
		}
	}
}

// Workers of a batch keep a core for a millisecond, however short its tasks are; the
// mean is that of the tasks all the same.
func TestQueueTurnsOfBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 100*time.Millisecond)
		now, _ := q.wait(t.Context())
		tasks := 0
		for now.has() {
			time.Sleep(50 * time.Microsecond)
			now.done()
			tasks++
		}
		for range 1000 {
			now, _ = q.wait(t.Context())
			for now.has() {
				time.Sleep(50 * time.Microsecond)
				now.done()
			}
		}
		if tasks != 21 || q.mean.Round(time.Microsecond) != 50*time.Microsecond || q.free != 1 {
			t.Errorf("%d tasks in a turn, of %s in the mean, %d free", tasks, q.mean, q.free)
		}
	})
}
