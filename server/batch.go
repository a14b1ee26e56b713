package server

import (
	"context"
	"sync"
	"sync/atomic"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/routing"
)

// BatchClassify answers every request as Classify would, in order.
func (s *Service) BatchClassify(ctx context.Context, req *adjutantv1.BatchClassifyRequest) (*adjutantv1.BatchClassifyResponse, error) {
	results, err := batch(ctx, s, req.GetRequests(), s.classify, func(answer *adjutantv1.ClassifyResponse, refused *spb.Status) *adjutantv1.BatchClassifyResult {
		if refused != nil {
			return &adjutantv1.BatchClassifyResult{Result: &adjutantv1.BatchClassifyResult_Error{Error: refused}}
		}
		return &adjutantv1.BatchClassifyResult{Result: &adjutantv1.BatchClassifyResult_Response{Response: answer}}
	})
	if err != nil {
		return nil, err
	}
	return &adjutantv1.BatchClassifyResponse{Results: results}, nil
}

// BatchRoute answers every request as Route would, in order.
func (s *Service) BatchRoute(ctx context.Context, req *adjutantv1.BatchRouteRequest) (*adjutantv1.BatchRouteResponse, error) {
	results, err := batch(ctx, s, req.GetRequests(), s.route, func(answer *adjutantv1.RouteResponse, refused *spb.Status) *adjutantv1.BatchRouteResult {
		if refused != nil {
			return &adjutantv1.BatchRouteResult{Result: &adjutantv1.BatchRouteResult_Error{Error: refused}}
		}
		return &adjutantv1.BatchRouteResult{Result: &adjutantv1.BatchRouteResult_Response{Response: answer}}
	})
	if err != nil {
		return nil, err
	}
	return &adjutantv1.BatchRouteResponse{Results: results}, nil
}

// batch answers requests on all cores, on one snapshot. It fails as a whole only
// where the batch itself is at fault or the caller's time is up.
func batch[Request, Answer, Result any](
	ctx context.Context, s *Service, requests []Request,
	answer func(context.Context, *routing.Router, Request) (Answer, error),
	result func(Answer, *spb.Status) Result,
) ([]Result, error) {
	r := s.router()
	if r == nil {
		return nil, errLoading
	}
	var v violations
	v.count("requests", len(requests), 1, maxBatch)
	if err := v.err(); err != nil {
		return nil, err
	}

	if err := callOf(ctx).charge(len(requests) - 1); err != nil { // the first is charged with the call
		return nil, err
	}
	if err := s.queue.addBatch(len(requests)); err != nil {
		callOf(ctx).countShed(shedForQueue)
		return nil, err
	}
	done := func() { s.queue.batchDone(len(requests)) }
	if c := callOf(ctx); c != nil {
		c.whenSent(done)
	} else {
		defer done()
	}
	callOf(ctx).startBatch()
	results := make([]Result, len(requests))
	one := func(i int) {
		var got Answer
		// A panic in a goroutine of ours would end the process: no interceptor is
		// above it.
		err := s.recovered(ctx, func() (err error) {
			got, err = answer(ctx, r, requests[i])
			return err
		})
		if err != nil {
			results[i] = result(got, status.Convert(err).Proto())
			return
		}
		results[i] = result(got, nil)
	}

	var next atomic.Int64
	// Workers wait for their turns beside single calls, so that both share the cores.
	work := func() {
		var now turn
		defer now.end()
		for {
			i := int(next.Add(1)) - 1
			if i >= len(requests) {
				return
			}
			if !now.has() {
				var err error
				if now, err = s.queue.wait(ctx); err != nil {
					return // the batch fails as a whole
				}
			}
			one(i)
			now.done()
		}
	}
	var workers sync.WaitGroup
	for range min(s.queue.cores, len(requests)) - 1 {
		workers.Go(work)
	}
	work()
	workers.Wait()
	// The answer, which may have megabytes, is encoded in a turn as well.
	if err := callOf(ctx).endBatch(ctx, s.queue); err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return results, nil
}
