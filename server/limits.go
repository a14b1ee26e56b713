package server

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// limiter bounds how many calls are open at once, which bounds their memory, and
// refuses calls at the door while the queue is as long as it may be.
type limiter struct {
	most     int64
	inFlight atomic.Int64
	queue    *queue
}

// enter reports whether there is room; if so, leave must follow.
func (l *limiter) enter() bool {
	if l.inFlight.Add(1) > l.most {
		l.inFlight.Add(-1)
		return false
	}
	return true
}

func (l *limiter) leave() { l.inFlight.Add(-1) }

// boundTime gives a call of ours its longest time, unless its caller gave it less. It
// is a tap, which gRPC runs before it makes the stream, because only there does the
// bound also end the reading of a message that comes slowly or never.
func boundTime(most time.Duration) tap.ServerInHandle {
	const ours = "/" + serviceName + "/"
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if !strings.HasPrefix(info.FullMethodName, ours) {
			return ctx, nil // a watch of health goes on for as long as it likes
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < most {
			return ctx, nil
		}
		bounded, cancel := context.WithTimeout(ctx, most) //nolint:gosec // the stream's own context is the parent, and ends it
		_ = cancel
		return bounded, nil
	}
}

func (l *limiter) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if _, ours := info.Server.(*Service); !ours {
		return handler(ctx, req) // health must answer above all when there is much to do
	}
	if !l.enter() {
		callOf(ctx).countShed(shedForConcurrency)
		return nil, comeBack(adjutantv1.ErrorReason_ERROR_REASON_OVERLOADED,
			fmt.Sprintf("%d calls are open, which is the limit: try again after the given delay", l.most), l.queue.target)
	}
	defer l.leave()
	err := l.queue.room()
	if err == nil && strings.Contains(info.FullMethod, "/Batch") {
		err = l.queue.addBatch(0)
	}
	if err != nil {
		callOf(ctx).countShed(shedForQueue)
		return nil, err
	}
	return handler(ctx, req)
}
