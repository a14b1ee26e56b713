package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// identify finds out who calls, from the bearer token alone: nothing else in a
// request can. Where no tenants are set up, everybody may do everything.
func (s *Server) identify(ctx context.Context) (context.Context, error) {
	current := s.state.Load()
	if current == nil {
		return nil, errLoading
	}
	if current.tenants == nil {
		return ctx, nil
	}
	token, ok := bearer(ctx)
	if !ok {
		return nil, refuse(codes.Unauthenticated, adjutantv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED,
			"the call carries no identity: send the metadata authorization: Bearer TOKEN")
	}
	who, err := s.tenantOf(ctx, current, token)
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	c.identity = who.identity
	c.tenant = who
	return ctx, c.charge(1)
}

// tenantOf takes a token that a file names, else a signed one.
func (s *Server) tenantOf(ctx context.Context, current *state, token string) (*tenant, error) {
	if who := current.tenants.byToken[sha256.Sum256([]byte(token))]; who != nil {
		return who, nil
	}
	if s.signed == nil {
		return nil, errTokenUnknown
	}
	name, err := s.signed.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	who := current.tenants.byName[name]
	if who == nil {
		return nil, refuse(codes.PermissionDenied, adjutantv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED,
			"the token is valid, but its tenant is not set up here")
	}
	return who, nil
}

var errTokenUnknown = refuse(codes.Unauthenticated, adjutantv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "the bearer token is not one that is known here, or no longer")

// bearer gives the token of a call.
func bearer(ctx context.Context) (string, bool) {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return token, ok && strings.EqualFold(scheme, "bearer") && token != ""
}

// charge takes tasks from the tenant's rate limit. It refuses them all where not all
// are there.
func (c *call) charge(tasks int) error {
	if c == nil || c.tenant == nil || c.tenant.rate == nil || tasks == 0 {
		return nil
	}
	limit := c.tenant.rate
	now := time.Now()
	if limit.AllowN(now, tasks) {
		return nil
	}
	c.countShed(shedForRate)
	if tasks > limit.Burst() {
		return refuse(codes.ResourceExhausted, adjutantv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
			fmt.Sprintf("a batch of this tenant may hold %d tasks at most: send smaller ones", limit.Burst()+1))
	}
	missing := float64(tasks) - limit.TokensAt(now)
	wait := time.Duration(missing / float64(limit.Limit()) * float64(time.Second))
	return comeBack(adjutantv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
		fmt.Sprintf("the tenant's limit of %d tasks a second is reached: try again after the given delay", int(limit.Limit())), wait)
}
