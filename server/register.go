package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// register adds the service to a gRPC server. The generated registration reads the
// message first and runs the interceptors then; this one turns that around, so that
// a call that is not allowed in costs neither the memory nor the time of its
// message, and so that a message that can't be read is counted and logged as any
// other refused call. Interceptors see a nil request.
func register(server *grpc.Server, service *Service) {
	desc := adjutantv1.RoutingService_ServiceDesc
	methods := make([]grpc.MethodDesc, len(desc.Methods))
	for i, method := range desc.Methods {
		methods[i] = grpc.MethodDesc{MethodName: method.MethodName, Handler: readLast(service, "/"+desc.ServiceName+"/"+method.MethodName, method)}
	}
	desc.Methods = methods
	server.RegisterService(&desc, service)
}

// readLast gives a handler that runs the interceptors before it reads the message.
func readLast(service *Service, fullMethod string, method grpc.MethodDesc) grpc.MethodHandler {
	info := &grpc.UnaryServerInfo{Server: service, FullMethod: fullMethod}
	return func(_ any, ctx context.Context, read func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		answer := func(ctx context.Context, _ any) (any, error) {
			return method.Handler(service, ctx, func(message any) error {
				if err := read(message); err != nil {
					return unreadable(err)
				}
				if m, ok := message.(proto.Message); ok {
					callOf(ctx).received(proto.Size(m))
				}
				return nil
			}, nil)
		}
		if intercept == nil {
			return answer(ctx, nil)
		}
		return intercept(ctx, nil, info, answer)
	}
}

// unreadable gives a message that could not be read the caller's code: gRPC says
// INTERNAL for one that is malformed, but the fault is not ours.
func unreadable(err error) error {
	switch s := status.Convert(err); s.Code() {
	case codes.ResourceExhausted: // over the size limit
		return refuse(codes.ResourceExhausted, adjutantv1.ErrorReason_ERROR_REASON_INVALID_REQUEST, s.Message())
	case codes.Canceled, codes.DeadlineExceeded:
		return refuse(s.Code(), adjutantv1.ErrorReason_ERROR_REASON_TIME_UP, "the caller's time was up before the request was read")
	default:
		// The decoder's words name Go types and may quote the message.
		return refuse(codes.InvalidArgument, adjutantv1.ErrorReason_ERROR_REASON_INVALID_REQUEST, "the message is malformed: it must be valid protobuf, and its text valid UTF-8")
	}
}
