package server

import (
	"context"
	"runtime"
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

// batchHelpers bounds the goroutines that all batches together have beside their own,
// so that a batch alone has every core and many of them share.
var batchHelpers = &limiter{most: int64(runtime.GOMAXPROCS(0)) - 1}

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
	work := func() {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(requests) {
				return
			}
			one(i)
			// Otherwise single calls would wait for as long as the scheduler lets a
			// goroutine run, which is hundreds of tasks.
			runtime.Gosched()
		}
	}
	var others sync.WaitGroup
	for range len(requests) - 1 {
		if !batchHelpers.enter() {
			break
		}
		others.Go(func() {
			defer batchHelpers.leave()
			work()
		})
	}
	work()
	others.Wait()
	if err := ctx.Err(); err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return results, nil
}
