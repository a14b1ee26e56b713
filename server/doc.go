// Package server puts a [routing.Router] on the wire: it is the only package that
// knows gRPC, HTTP, telemetry and the process around them.
//
// Read it in the order in which a call meets it:
//
//   - server.go starts the listeners and drains them; admin.go answers the admin port.
//   - interceptors.go is the chain that every call passes: telemetry and log,
//     recovery, identity, limits. Only then is the message read (register.go), so that
//     a call that is refused costs next to nothing. queue.go is where it then waits for a
//     core, and where overload shows first.
//   - service.go answers the six RPCs: validate, convert, ask the router, convert
//     back. batch.go and models.go hold what BatchClassify, BatchRoute and ListModels
//     need beyond that.
//   - validate.go holds the contract's rules, convert_request.go and
//     convert_answer.go the only translation between messages and domain types,
//     errors.go the only one from domain errors to statuses.
//
// [Service] needs no socket. The command line calls the same methods in process, so
// that an answer is the same however it was asked for:
//
//	s := server.NewService(routing.Default, time.Now, slog.Default())
//	answer, err := s.Route(ctx, &adjutantv1.RouteRequest{Task: task})
//
// The text of a task is never written anywhere: not to a log, a trace, a metric, an
// error or a crash's output. marker_test.go holds that.
package server
