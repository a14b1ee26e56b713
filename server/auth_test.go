package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// tenantsFile has a tenant for each kind of limit. The token is the tenant's name.
func tenantsFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write(t, path, fmt.Appendf(nil, `tenants:
  - name: free
    tokens_sha256: [%s]
    max_tier: repetition
  - name: narrow
    tokens_sha256: [%s]
    policies: [default]
    policy: default
  - name: limited
    tokens_sha256: [%s]
    tasks_per_second: 1
    burst: 3
  - name: signed
`, digest("free"), digest("narrow"), digest("limited")))
	return path
}

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func as(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func TestTenants(t *testing.T) {
	config := testConfig()
	config.Auth.Tenants = tenantsFile(t)
	r := start(t, config)
	hard := &adjutantv1.RouteRequest{Task: prompt("Which of these three database designs should we take for the next five years? Weigh them."), PlanMode: adjutantv1.PlanMode_PLAN_MODE_SINGLE_STEP}

	t.Run("without a token", func(t *testing.T) {
		_, err := r.Route(t.Context(), hard)
		if status.Code(err) != codes.Unauthenticated || reasonOf(err) != "UNAUTHENTICATED" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("with one that nobody has", func(t *testing.T) {
		_, err := r.Route(as(t.Context(), "stolen"), hard)
		if status.Code(err) != codes.Unauthenticated || strings.Contains(err.Error(), "stolen") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("with two", func(t *testing.T) {
		if _, err := r.Route(as(as(t.Context(), "free"), "narrow"), hard); status.Code(err) != codes.Unauthenticated {
			t.Errorf("got %v", err)
		}
	})
	t.Run("health asks nobody", func(t *testing.T) {
		if _, err := healthv1.NewHealthClient(r.conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a ceiling holds whatever the request and its headers say", func(t *testing.T) {
		ctx := metadata.AppendToOutgoingContext(as(t.Context(), "free"), "x-max-tier", "judgment", "tenant", "narrow")
		for _, floor := range []adjutantv1.Tier{0, adjutantv1.Tier_TIER_REPETITION} {
			hard.Constraints = &adjutantv1.Constraints{MinTier: floor}
			answer, err := r.Route(ctx, hard)
			if err != nil {
				t.Fatal(err)
			}
			if got := answer.GetDecision().GetTier(); got != adjutantv1.Tier_TIER_REPETITION {
				t.Errorf("got %s", got)
			}
		}
		hard.Constraints = nil
	})
	t.Run("a policy that is not the tenant's", func(t *testing.T) {
		policies := r.router().Policies()
		other := ""
		for _, p := range policies {
			if p != "default" {
				other = p
			}
		}
		if other == "" {
			t.Fatal("there is only one policy")
		}
		_, err := r.Route(as(t.Context(), "narrow"), &adjutantv1.RouteRequest{Task: hard.GetTask(), Policy: other})
		if status.Code(err) != codes.PermissionDenied || reasonOf(err) != "PERMISSION_DENIED" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("tasks of a batch count one by one", func(t *testing.T) {
		batch := &adjutantv1.BatchClassifyRequest{Requests: []*adjutantv1.ClassifyRequest{{Task: prompt("a")}, {Task: prompt("b")}, {Task: prompt("c")}}}
		if _, err := r.BatchClassify(as(t.Context(), "limited"), batch); err != nil {
			t.Fatal(err)
		}
		_, err := r.Classify(as(t.Context(), "limited"), batch.GetRequests()[0])
		if status.Code(err) != codes.ResourceExhausted || reasonOf(err) != "RATE_LIMITED" {
			t.Fatalf("got %v", err)
		}
		if wait := retryDelay(err); wait <= 0 || wait > time.Second {
			t.Errorf("told to come back in %s", wait)
		}
	})
	if !strings.Contains(metricsText(t, r), `adjutant_calls_shed_total{adjutant_reason="rate"} 1`) {
		t.Error("the call that was refused is not counted")
	}
}

func retryDelay(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			return retry.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

func TestEveryMistakeInAFileOfTenantsIsReported(t *testing.T) {
	_, err := parseTenants("tenants.yaml", []byte(`tenants:
  - name: a
    tokens_sha256: [abc]
    policy: none
    max_tier: top
  - name: a
    tokens_sha256: []
    colour: red
`), []string{"default"})
	for _, want := range []string{"tenants.yaml:3:", "64 hex digits", `no policy "none"`, `"top" is not a tier`, "colour", `"a" is there twice`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in\n%v", want, err)
		}
	}
}

// signer makes signed tokens.
type signer struct {
	id  string
	key *ecdsa.PrivateKey
}

func (s signer) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: s.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func writeKeys(t *testing.T, path string, signers ...signer) {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, s := range signers {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: s.key.Public(), KeyID: s.id, Algorithm: "ES256", Use: "sig"})
	}
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, b)
}

func TestSignedTokens(t *testing.T) {
	first, second, foreign := signer{"1", newKey(t)}, signer{"2", newKey(t)}, signer{"1", newKey(t)}
	config := testConfig()
	config.Auth.Tenants = tenantsFile(t)
	config.Auth.JWT = JWTConfig{JWKS: filepath.Join(t.TempDir(), "jwks.json"), Issuer: "https://issuer.example", Audience: "adjutant", TenantClaim: "tenant"}
	writeKeys(t, config.Auth.JWT.JWKS, first)
	r := start(t, config)

	now := time.Now()
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"iss": "https://issuer.example", "aud": "adjutant", "tenant": "signed", "exp": now.Add(time.Minute).Unix()}
		for key, value := range change {
			c[key] = value
			if value == nil {
				delete(c, key)
			}
		}
		return c
	}
	call := func(token string) error {
		_, err := r.Classify(as(t.Context(), token), &adjutantv1.ClassifyRequest{Task: prompt("hello")})
		return err
	}
	good := first.sign(t, claims(nil))
	for range 2 { // the second time from memory
		if err := call(good); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		token string
		code  codes.Code
	}{
		"by another's key":    {foreign.sign(t, claims(nil)), codes.Unauthenticated},
		"expired":             {first.sign(t, claims(map[string]any{"exp": now.Add(-time.Minute).Unix()})), codes.Unauthenticated},
		"without an end":      {first.sign(t, claims(map[string]any{"exp": nil})), codes.Unauthenticated},
		"not valid yet":       {first.sign(t, claims(map[string]any{"nbf": now.Add(time.Hour).Unix()})), codes.Unauthenticated},
		"of another issuer":   {first.sign(t, claims(map[string]any{"iss": "https://evil.example"})), codes.Unauthenticated},
		"for another service": {first.sign(t, claims(map[string]any{"aud": "other"})), codes.Unauthenticated},
		"of nobody":           {first.sign(t, claims(map[string]any{"tenant": nil})), codes.Unauthenticated},
		"of a stranger":       {first.sign(t, claims(map[string]any{"tenant": "stranger"})), codes.PermissionDenied},
		"changed":             {good[:len(good)-4] + "AAAA", codes.Unauthenticated},
		"not signed":          {"eyJhbGciOiJub25lIn0.eyJ0ZW5hbnQiOiJzaWduZWQifQ.", codes.Unauthenticated},
	} {
		if err := call(c.token); status.Code(err) != c.code {
			t.Errorf("a token %s: %v", name, err)
		}
	}

	// Rotation: a token of the new key makes the server look for it.
	writeKeys(t, config.Auth.JWT.JWKS, second)
	r.signed.now = func() time.Time { return now.Add(keysAtMost + time.Second) }
	if err := call(second.sign(t, claims(nil))); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if err := call(good); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a token of the key that was withdrawn: %v", err)
	}
}

// Keys from a URL: they are taken over TLS only, and stay where they can't be read again.
func TestKeysFromAURL(t *testing.T) {
	one := signer{"1", newKey(t)}
	path := filepath.Join(t.TempDir(), "jwks.json")
	writeKeys(t, path, one)
	broken := false
	keys := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		http.ServeFile(w, r, path)
	}))
	defer keys.Close()
	now := time.Now()
	s := &signedTokens{
		config: JWTConfig{JWKS: keys.URL, Issuer: "i", Audience: "a", TenantClaim: "sub"},
		log:    slog.New(slog.DiscardHandler), client: keys.Client(), now: func() time.Time { return now },
		verified: map[[sha256.Size]byte]verifiedToken{},
	}
	if err := s.readKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken = true
	now = now.Add(time.Minute)
	s.refresh(t.Context())
	token := one.sign(t, map[string]any{"iss": "i", "aud": "a", "sub": "billing", "exp": now.Add(time.Minute).Unix()})
	if tenant, err := s.verify(t.Context(), token); err != nil || tenant != "billing" {
		t.Errorf("with keys that could not be read again: %q, %v", tenant, err)
	}

	config := DefaultConfig()
	config.Auth.Tenants = "tenants.yaml"
	config.Auth.JWT = JWTConfig{JWKS: "http://issuer.example/jwks", Issuer: "i", Audience: "a", TenantClaim: "sub"}
	if err := config.Validate(); err == nil || !strings.Contains(err.Error(), "is not an https URL") {
		t.Errorf("keys without TLS: %v", err)
	}
}
