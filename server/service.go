package server

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/routing"
)

// Service answers the RPCs of adjutant.v1.RoutingService. Its methods may be called
// in process as well as by a server, and are safe for concurrent use. Every error
// that they return is a gRPC status with details.
type Service struct {
	adjutantv1.UnimplementedRoutingServiceServer

	router func() *routing.Router
	now    func() time.Time
	log    *slog.Logger

	queue     *queue       // that tasks of batches wait in; a server's calls do so too
	decisions *decisionLog // nil for none
}

// NewService answers with what router gives, asked once a call, so that a call sees
// one snapshot; while it gives nil, calls are UNAVAILABLE. Now is the time of
// requests that name none. Faults of the service go to log, without text of tasks.
func NewService(router func() *routing.Router, now func() time.Time, log *slog.Logger) *Service {
	return &Service{router: router, now: now, log: log, queue: unlimitedQueue()}
}

// Classify says how much judgment a task needs.
func (s *Service) Classify(ctx context.Context, req *adjutantv1.ClassifyRequest) (*adjutantv1.ClassifyResponse, error) {
	r := s.router()
	if r == nil {
		return nil, errLoading
	}
	return s.classify(ctx, r, req)
}

func (s *Service) classify(ctx context.Context, r *routing.Router, req *adjutantv1.ClassifyRequest) (*adjutantv1.ClassifyResponse, error) {
	c := callOf(ctx)
	var v violations
	v.task(req.GetTask())
	if err := v.err(); err != nil {
		return nil, err
	}
	task := taskOf(req.GetTask())
	c.done(stageRead)

	got, err := r.Classify(ctx, task)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	c.done(stageDecide)

	answer := &adjutantv1.ClassifyResponse{Classification: classificationOf(&got), Snapshot: r.Snapshot()}
	c.done(stageAnswer)
	return answer, nil
}

// Route says what to do with a task.
func (s *Service) Route(ctx context.Context, req *adjutantv1.RouteRequest) (*adjutantv1.RouteResponse, error) {
	r := s.router()
	if r == nil {
		return nil, errLoading
	}
	return s.route(ctx, r, req)
}

func (s *Service) route(ctx context.Context, r *routing.Router, req *adjutantv1.RouteRequest) (*adjutantv1.RouteResponse, error) {
	c := callOf(ctx)
	var v violations
	v.route(req)
	if err := v.err(); err != nil {
		return nil, err
	}
	request := routeRequestOf(req)
	request.AsOf = s.asOf(req.GetAsOf())
	request.Identity = c.identified()
	c.done(stageRead)

	got, err := r.Route(ctx, request)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	c.done(stageDecide)

	answer := &adjutantv1.RouteResponse{Decision: decisionOf(&got)}
	answer.Decision.Id = rand.Text()
	answer.Decision.Snapshot = r.Snapshot()
	s.decisions.record(answer.Decision.GetId(), r.Snapshot(), s.now(), &request, &got)
	c.done(stageAnswer)
	return answer, nil
}

// EstimateCost says what a call costs.
func (s *Service) EstimateCost(ctx context.Context, req *adjutantv1.EstimateCostRequest) (*adjutantv1.EstimateCostResponse, error) {
	r := s.router()
	if r == nil {
		return nil, errLoading
	}
	c := callOf(ctx)
	var v violations
	v.estimateCost(req)
	if err := v.err(); err != nil {
		return nil, err
	}
	request := costRequestOf(req)
	request.AsOf = s.asOf(req.GetAsOf())
	request.Identity = c.identified()
	c.done(stageRead)

	got, err := r.EstimateCost(ctx, request)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	c.done(stageDecide)

	answer := costAnswerOf(&got)
	answer.Snapshot = r.Snapshot()
	c.done(stageAnswer)
	return answer, nil
}
