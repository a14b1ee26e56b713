package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/grpc/codes"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// JWTConfig says which signed tokens are taken.
type JWTConfig struct {
	// JWKS is where the public keys are: a file, or an https URL. Empty means that
	// no signed tokens are taken.
	JWKS string `yaml:"jwks"`
	// Issuer is what a token's iss must say.
	Issuer string `yaml:"issuer"`
	// Audience is what a token's aud must hold.
	Audience string `yaml:"audience"`
	// TenantClaim is the claim that names the tenant.
	TenantClaim string `yaml:"tenant_claim"`
}

// Only asymmetric signatures: with a shared secret, who can check can also sign.
var signatureAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

const (
	keysEvery     = 5 * time.Minute  // how often the keys are read again
	keysAtMost    = 10 * time.Second // how often a token with an unknown key makes us look
	maxKeysBytes  = 1 << 20
	maxVerified   = 10_000           // tokens whose signature is remembered as right
	leeway        = 30 * time.Second // between clocks
	maxTokenBytes = 8 << 10
)

// signedTokens checks JSON Web Tokens.
type signedTokens struct {
	config JWTConfig
	log    *slog.Logger
	client *http.Client
	now    func() time.Time

	keys atomic.Pointer[jose.JSONWebKeySet]

	reading  sync.Mutex // held while keys are read
	lastRead time.Time

	// Checking a signature costs some fifty microseconds, several times a call's own
	// work, so what was right is remembered until the token or the keys expire.
	mu       sync.RWMutex
	verified map[[sha256.Size]byte]verifiedToken
}

type verifiedToken struct {
	tenant string
	until  time.Time
}

// newSignedTokens reads the keys: without them it fails.
func newSignedTokens(ctx context.Context, config JWTConfig, log *slog.Logger) (*signedTokens, error) {
	s := &signedTokens{
		config: config, log: log, now: time.Now,
		client:   &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}},
		verified: map[[sha256.Size]byte]verifiedToken{},
	}
	return s, s.readKeys(ctx)
}

// watch reads the keys again from time to time, until ctx is done.
func (s *signedTokens) watch(ctx context.Context) {
	ticker := time.NewTicker(keysEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.refresh(ctx)
		}
	}
}

// refresh reads the keys unless that was done a moment ago. Where it fails the keys
// stay as they are.
func (s *signedTokens) refresh(ctx context.Context) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.now().Sub(s.lastRead) < keysAtMost {
		return
	}
	if err := s.readKeys(ctx); err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "the keys for signed tokens can't be read; the old ones stay", slog.String("cause", err.Error()))
	}
}

// readKeys replaces the keys, and forgets what was verified by those before.
func (s *signedTokens) readKeys(ctx context.Context) error {
	s.lastRead = s.now()
	b, err := s.fetch(ctx)
	if err != nil {
		return fmt.Errorf("auth.jwt.jwks: %w", err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(b, &keys); err != nil {
		return fmt.Errorf("auth.jwt.jwks: %s is not a JSON Web Key Set: %w", s.config.JWKS, err)
	}
	usable := keys.Keys[:0]
	for _, key := range keys.Keys {
		if key.IsPublic() && key.Valid() {
			usable = append(usable, key)
		}
	}
	if len(usable) == 0 {
		return fmt.Errorf("auth.jwt.jwks: %s holds no public key", s.config.JWKS)
	}
	s.keys.Store(&jose.JSONWebKeySet{Keys: usable})
	s.mu.Lock()
	clear(s.verified)
	s.mu.Unlock()
	return nil
}

func (s *signedTokens) fetch(ctx context.Context) ([]byte, error) {
	if !strings.Contains(s.config.JWKS, "://") {
		return os.ReadFile(s.config.JWKS)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.JWKS, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", s.config.JWKS, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxKeysBytes))
}

// verify gives the tenant that a token names.
func (s *signedTokens) verify(ctx context.Context, token string) (string, error) {
	if len(token) > maxTokenBytes {
		return "", errTokenUnknown
	}
	sum := sha256.Sum256([]byte(token))
	s.mu.RLock()
	known, ok := s.verified[sum]
	s.mu.RUnlock()
	if ok && s.now().Before(known.until) {
		return known.tenant, nil
	}
	parsed, err := jwt.ParseSigned(token, signatureAlgorithms)
	if err != nil {
		return "", errTokenUnknown
	}
	var claims jwt.Claims
	var all map[string]any
	if err := s.claims(ctx, parsed, &claims, &all); err != nil {
		return "", refuse(codes.Unauthenticated, adjutantv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "the signed token can't be verified with the keys that are known here")
	}
	expected := jwt.Expected{Issuer: s.config.Issuer, AnyAudience: jwt.Audience{s.config.Audience}, Time: s.now()}
	switch err := claims.ValidateWithLeeway(expected, leeway); {
	case claims.Expiry == nil:
		return "", refuse(codes.Unauthenticated, adjutantv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "the signed token has no exp claim")
	case errors.Is(err, jwt.ErrExpired):
		return "", refuse(codes.Unauthenticated, adjutantv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "the signed token has expired: get a new one")
	case err != nil:
		return "", refuse(codes.Unauthenticated, adjutantv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "the signed token is not for this service or not valid yet: check iss, aud, nbf and iat")
	}
	tenant, _ := all[s.config.TenantClaim].(string)
	if tenant == "" {
		return "", refuse(codes.Unauthenticated, adjutantv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "the signed token has no claim "+s.config.TenantClaim)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.verified) >= maxVerified {
		clear(s.verified)
	}
	s.verified[sum] = verifiedToken{tenant: tenant, until: claims.Expiry.Time().Add(leeway)}
	return tenant, nil
}

// claims checks the signature. A key that is not known may be a new one, so the keys
// are read again before the token is refused.
func (s *signedTokens) claims(ctx context.Context, token *jwt.JSONWebToken, into ...any) error {
	err := token.Claims(s.keys.Load(), into...)
	if !errors.Is(err, jose.ErrJWKSKidNotFound) {
		return err
	}
	s.refresh(ctx)
	return token.Claims(s.keys.Load(), into...)
}

// validate reports what is wrong with the settings.
func (c JWTConfig) validate(wrong func(key, format string, args ...any)) {
	if c.JWKS == "" {
		return
	}
	if strings.Contains(c.JWKS, "://") {
		// Whoever can change the keys can be anyone.
		if u, err := url.Parse(c.JWKS); err != nil || u.Scheme != "https" || u.Host == "" {
			wrong("auth.jwt.jwks", "%q is not an https URL", c.JWKS)
		}
	}
	if c.Issuer == "" {
		wrong("auth.jwt.issuer", "is required with auth.jwt.jwks")
	}
	if c.Audience == "" {
		wrong("auth.jwt.audience", "is required with auth.jwt.jwks")
	}
	if c.TenantClaim == "" {
		wrong("auth.jwt.tenant_claim", "is required with auth.jwt.jwks")
	}
}
