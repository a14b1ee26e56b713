package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/pricing"
	"github.com/adjutant-dev/adjutant/routing"
)

// errorDomain is the domain of every ErrorInfo.
const errorDomain = "adjutant.dev"

// A status travels in headers, of which clients take 8 KiB in all: the message as
// text, then message and details in base64, which is a third longer.
const (
	maxMessage = 1536    // bytes of a status's message
	maxDetails = 3 << 10 // bytes of its details, so that they stay under 4 KiB on the wire
)

// errLoading is the answer before the first snapshot is loaded.
var errLoading = status.Error(codes.Unavailable, "the service is still loading: try again in a moment")

// statusOf gives an error of the domain the status that callers see. It is the only
// place that does. What it doesn't know is a fault of ours: the caller gets an id,
// and the log the cause.
func (s *Service) statusOf(ctx context.Context, err error) error {
	var (
		unknownModel  *pricing.UnknownModelError
		unknownPolicy *routing.UnknownPolicyError
		notAllowed    *routing.PolicyNotAllowedError
		field         *routing.FieldError
		usage         *pricing.UsageError
		noModel       *routing.NoModelError
		exhausted     *routing.ExhaustedError
		noPrice       *pricing.NoPriceError
		serviceTier   *pricing.ServiceTierError
		region        *pricing.RegionError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return refuse(codes.Canceled, adjutantv1.ErrorReason_ERROR_REASON_TIME_UP, "the caller cancelled the call before it was answered")
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(codes.DeadlineExceeded, adjutantv1.ErrorReason_ERROR_REASON_TIME_UP, "the call's deadline passed before it was answered")
	case errors.As(err, &unknownModel):
		return refuse(codes.NotFound, adjutantv1.ErrorReason_ERROR_REASON_UNKNOWN_MODEL, err.Error(), "model", unknownModel.Name, "nearest", unknownModel.Nearest)
	case errors.As(err, &unknownPolicy):
		return refuse(codes.NotFound, adjutantv1.ErrorReason_ERROR_REASON_UNKNOWN_POLICY, err.Error(), "policy", unknownPolicy.Name, "nearest", unknownPolicy.Nearest)
	case errors.As(err, &notAllowed):
		return refuse(codes.PermissionDenied, adjutantv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED, err.Error())
	case errors.As(err, &field), errors.As(err, &usage):
		var v violations
		v.fields(err)
		return v.err()
	case errors.As(err, &noModel):
		return refuse(codes.FailedPrecondition, adjutantv1.ErrorReason_ERROR_REASON_NO_MODEL_FITS, exclusions(noModel))
	case errors.As(err, &exhausted):
		return refuse(codes.FailedPrecondition, adjutantv1.ErrorReason_ERROR_REASON_ATTEMPTS_EXHAUSTED, err.Error())
	case errors.As(err, &noPrice):
		return refuse(codes.FailedPrecondition, adjutantv1.ErrorReason_ERROR_REASON_UNKNOWN_PRICE, err.Error(), "model", noPrice.Model)
	case errors.As(err, &serviceTier):
		offered := make([]string, len(serviceTier.Offered))
		for i, t := range serviceTier.Offered {
			offered[i] = serviceTierOf(t).String()
		}
		return refuse(codes.FailedPrecondition, adjutantv1.ErrorReason_ERROR_REASON_NOT_OFFERED, err.Error(), "model", serviceTier.Model, "offered", strings.Join(offered, ","))
	case errors.As(err, &region):
		return refuse(codes.FailedPrecondition, adjutantv1.ErrorReason_ERROR_REASON_NOT_OFFERED, err.Error(), "model", region.Model, "offered", strings.Join(region.Offered, ","))
	case errors.Is(err, pricing.ErrOverflow):
		return refuse(codes.InvalidArgument, adjutantv1.ErrorReason_ERROR_REASON_INVALID_REQUEST, err.Error()+": lower the token counts or calls")
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return internalError(ctx, s.log, slog.String("cause", err.Error()))
}

// exclusions says what excluded each model, as far as there is room.
func exclusions(e *routing.NoModelError) string {
	b := strings.Builder{}
	b.WriteString(e.Error())
	for i, x := range e.Excluded {
		if b.Len()+len(x.Text) > maxMessage {
			fmt.Fprintf(&b, "; and %d more", len(e.Excluded)-i)
			break
		}
		b.WriteString("; ")
		b.WriteString(x.Text)
	}
	return b.String()
}

// refuse makes a status with an ErrorInfo. Metadata are pairs of key and value; a
// value that is empty is left out.
func refuse(code codes.Code, reason adjutantv1.ErrorReason, message string, metadata ...string) error {
	info := &errdetails.ErrorInfo{Domain: errorDomain, Reason: reasonName(reason)}
	for i := 0; i < len(metadata); i += 2 {
		if metadata[i+1] == "" {
			continue
		}
		if info.Metadata == nil {
			info.Metadata = map[string]string{}
		}
		info.Metadata[metadata[i]] = metadata[i+1]
	}
	return withDetails(status.New(code, message), info)
}

// comeBack makes a RESOURCE_EXHAUSTED status that says when to try again.
func comeBack(reason adjutantv1.ErrorReason, message string, after time.Duration) error {
	return withDetails(status.New(codes.ResourceExhausted, message),
		&errdetails.ErrorInfo{Domain: errorDomain, Reason: reasonName(reason)},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
}

func withDetails(s *status.Status, details ...protoadapt.MessageV1) error {
	detailed, err := s.WithDetails(details...)
	if err != nil {
		return s.Err()
	}
	return detailed.Err()
}

func reasonName(reason adjutantv1.ErrorReason) string {
	return strings.TrimPrefix(reason.String(), "ERROR_REASON_")
}

// internalError logs a fault of ours under a new id and gives the caller that id.
func internalError(ctx context.Context, log *slog.Logger, cause ...slog.Attr) error {
	id := rand.Text()
	log.LogAttrs(ctx, slog.LevelError, "internal error", append([]slog.Attr{slog.String("error_id", id)}, cause...)...)
	return refuse(codes.Internal, adjutantv1.ErrorReason_ERROR_REASON_INTERNAL, "a fault of the service: its log has error id "+id)
}

// recovered runs f and gives a panic in it as an INTERNAL status.
func (s *Service) recovered(ctx context.Context, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(ctx, s.log, p)
		}
	}()
	return f()
}

// panicked logs a panic with its stack and gives the status for it. Only the
// runtime's own panics are quoted, since any other value may hold text; the stack
// has addresses and no contents.
func panicked(ctx context.Context, log *slog.Logger, p any) error {
	cause := fmt.Sprintf("panic with a %T", p)
	if e, ok := p.(interface {
		error
		RuntimeError()
	}); ok {
		cause = "panic: " + e.Error()
	}
	callOf(ctx).countPanic()
	return internalError(ctx, log, slog.String("cause", cause), slog.String("stack", string(debug.Stack())))
}
