package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// register adds the service to a gRPC server that has [frameCodec]. The generated
// registration reads the message first and runs the interceptors then; this one
// turns that around, so that a call that is not allowed in costs neither the memory
// nor the time of its message, and so that a message that can't be read is counted
// and logged as any other refused call. Interceptors see a nil request.
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
		return intercept(ctx, nil, info, func(ctx context.Context, _ any) (any, error) {
			defer callOf(ctx).end() // the call is there: telemetry is the first interceptor
			answer, err := method.Handler(service, ctx, func(message any) error {
				return service.receive(ctx, read, message.(proto.Message)) //nolint:forcetypeassert // generated code passes nothing else
			}, nil)
			if err != nil {
				return nil, err
			}
			encoded, err := encode(ctx, answer.(proto.Message)) //nolint:forcetypeassert // as above
			if err != nil {
				return nil, service.statusOf(ctx, err)
			}
			return encoded, nil
		})
	}
}

// receive reads a message, waits for a core and decodes it. gRPC would answer INTERNAL
// for one that is malformed, but the fault is not ours; so it only hands the bytes over.
func (s *Service) receive(ctx context.Context, read func(any) error, message proto.Message) error {
	var f frame
	if err := read(&f); err != nil {
		return unreadable(err)
	}
	defer f.Free()
	c := callOf(ctx)
	c.received(f.Len())
	// There was room at the door, but messages may have come slowly, and then together.
	if err := s.queue.room(); err != nil {
		c.countShed(shedForQueue)
		return err
	}
	var err error
	if c.turn, err = s.queue.wait(ctx); err != nil {
		return s.statusOf(ctx, err)
	}
	c.done(stageWait)
	if err := proto.Unmarshal(f.ReadOnlyData(), message); err != nil {
		// The decoder's words name Go types and may quote the message.
		return refuse(codes.InvalidArgument, adjutantv1.ErrorReason_ERROR_REASON_INVALID_REQUEST, "the message is malformed: it must be valid protobuf, and its text valid UTF-8")
	}
	return nil
}

// unreadable gives an error of gRPC's reading a reason, for the log: gRPC has
// answered the caller itself.
func unreadable(err error) error {
	s := status.Convert(err)
	reason := adjutantv1.ErrorReason_ERROR_REASON_INVALID_REQUEST
	if s.Code() == codes.Canceled || s.Code() == codes.DeadlineExceeded {
		reason = adjutantv1.ErrorReason_ERROR_REASON_TIME_UP
	}
	return refuse(s.Code(), reason, s.Message())
}

// encode writes an answer where it is still measured, and its size is known without
// working it out twice.
func encode(ctx context.Context, answer proto.Message) (*frame, error) {
	size := proto.Size(answer)
	c := callOf(ctx)
	c.answered(answer, size)
	pool := mem.DefaultBufferPool()
	if c.afterSending != nil && !mem.IsBelowBufferPoolingThreshold(size) {
		pool = poolThatTells{pool, c.afterSending}
		c.afterSending = nil
	}
	buffer := pool.Get(size)
	encoded, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend((*buffer)[:0], answer)
	if err != nil {
		pool.Put(buffer)
		return nil, err
	}
	*buffer = encoded
	return &frame{mem.NewBuffer(buffer, pool)}, nil
}

// poolThatTells is for one buffer: gRPC puts it back when it has written what is in it,
// or will not.
type poolThatTells struct {
	mem.BufferPool

	tell func()
}

// Put takes the buffer back.
func (p poolThatTells) Put(buffer *[]byte) {
	p.BufferPool.Put(buffer)
	p.tell()
}

// frame is a message in its encoding.
type frame struct{ mem.Buffer }

// frameCodec is gRPC's codec for protobuf, except that it leaves a [frame] as it is.
type frameCodec struct{ encoding.CodecV2 }

func newFrameCodec() frameCodec { return frameCodec{encoding.GetCodecV2(protocodec.Name)} }

// Marshal encodes v, or takes what a frame holds.
func (c frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		return mem.BufferSlice{f.Buffer}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal decodes data into v, or keeps it in a frame.
func (c frameCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*frame); ok {
		f.Buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}
