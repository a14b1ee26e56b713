package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/time/rate"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/internal/strictyaml"
	"github.com/adjutant-dev/adjutant/routing"
)

// tenant is who a caller was found to be, and what it may do.
type tenant struct {
	identity routing.Identity
	rate     *rate.Limiter // of tasks; nil for no limit
}

// tenants are those that a file names. It is immutable but for the state of limits.
type tenants struct {
	byName  map[string]*tenant
	byToken map[[sha256.Size]byte]*tenant
}

// tenantFile is the format of a file of tenants; docs/operations.md explains it.
type tenantFile struct {
	Tenants []tenantSpec `yaml:"tenants"`
}

type tenantSpec struct {
	Name string `yaml:"name"`
	// Tokens are SHA-256 digests in hex, so that the file holds no secret. Several
	// are valid at once, so that a token can be replaced without a gap.
	Tokens []string `yaml:"tokens_sha256"`
	// Policy is used where a request names none; Policies are all that it may name.
	Policy   string   `yaml:"policy"`
	Policies []string `yaml:"policies"`
	// MaxTier is a ceiling that no request can raise.
	MaxTier ceiling `yaml:"max_tier"`
	// TasksPerSecond and Burst limit the tasks that the tenant asks about, those in
	// batches counted one by one. 0 means no limit.
	TasksPerSecond int `yaml:"tasks_per_second"`
	Burst          int `yaml:"burst"`
}

// ceiling is a tier as files write it.
type ceiling classifier.Tier

// UnmarshalText reads a tier's name.
func (c *ceiling) UnmarshalText(text []byte) error {
	tier, err := classifier.ParseTier(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a tier; use repetition, making or judgment", text)
	}
	*c = ceiling(tier)
	return nil
}

// loadTenants reads a file. The policies that it names must be among those given.
func loadTenants(path string, policies []string) (*tenants, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tenants: %w", err)
	}
	return parseTenants(path, b, policies)
}

func parseTenants(path string, b []byte, policies []string) (*tenants, error) {
	var file tenantFile
	document, err := strictyaml.Decode(path, b, &file)
	errs := []error{err}
	wrong := func(path, format string, args ...any) {
		errs = append(errs, document.Errorf(path, format, args...))
	}
	known := func(path, policy string) {
		if !slices.Contains(policies, policy) {
			wrong(path, "no policy %q is loaded; there is %q", policy, policies)
		}
	}
	t := &tenants{byName: map[string]*tenant{}, byToken: map[[sha256.Size]byte]*tenant{}}
	if err == nil && len(file.Tenants) == 0 {
		wrong("tenants", "names nobody: no call would be let in")
	}
	for i, spec := range file.Tenants {
		at := fmt.Sprintf("tenants[%d]", i)
		one := &tenant{identity: routing.Identity{Tenant: spec.Name, Policy: spec.Policy, Policies: spec.Policies, MaxTier: classifier.Tier(spec.MaxTier)}}
		switch {
		case spec.Name == "" || len(spec.Name) > maxName:
			wrong(at+".name", "must have 1 to %d bytes", maxName)
		case t.byName[spec.Name] != nil:
			wrong(at+".name", "%q is there twice", spec.Name)
		}
		t.byName[spec.Name] = one
		for j, digest := range spec.Tokens {
			sum, err := hex.DecodeString(digest)
			if err != nil || len(sum) != sha256.Size {
				wrong(fmt.Sprintf("%s.tokens_sha256[%d]", at, j), "must be 64 hex digits: the SHA-256 of the token")
				continue
			}
			if t.byToken[[sha256.Size]byte(sum)] != nil {
				wrong(fmt.Sprintf("%s.tokens_sha256[%d]", at, j), "is there twice")
			}
			t.byToken[[sha256.Size]byte(sum)] = one
		}
		if spec.Policy != "" {
			known(at+".policy", spec.Policy)
			if len(spec.Policies) > 0 && !slices.Contains(spec.Policies, spec.Policy) {
				wrong(at+".policy", "%q is not among the tenant's policies", spec.Policy)
			}
		}
		for j, policy := range spec.Policies {
			known(fmt.Sprintf("%s.policies[%d]", at, j), policy)
		}
		if spec.TasksPerSecond < 0 || spec.Burst < 0 {
			wrong(at, "tasks_per_second and burst must not be below 0")
		}
		if spec.TasksPerSecond > 0 {
			burst := spec.Burst
			if burst == 0 {
				burst = spec.TasksPerSecond
			}
			one.rate = rate.NewLimiter(rate.Limit(spec.TasksPerSecond), burst)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// keep takes over the state of limits that are as they were, so that a reload gives
// nobody a new burst.
func (t *tenants) keep(before *tenants) {
	if t == nil || before == nil {
		return
	}
	for name, one := range t.byName {
		old := before.byName[name]
		if old != nil && old.rate != nil && one.rate != nil && old.rate.Limit() == one.rate.Limit() && old.rate.Burst() == one.rate.Burst() {
			one.rate = old.rate
		}
	}
}
