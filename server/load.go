package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/classifier/encoder"
	"github.com/adjutant-dev/adjutant/pricing"
	"github.com/adjutant-dev/adjutant/routing"
)

// state is all that comes from files, loaded together: either all of it is right and
// is put in force at once, or none is. It is immutable but for the state of limits.
type state struct {
	router  *routing.Router
	tls     *tls.Config // nil for none
	tenants *tenants    // nil where everybody may do everything
	content [sha256.Size]byte
}

// loadState reads everything. The error says all that is wrong.
func loadState(config Config) (*state, error) {
	s := &state{content: contentOf(config)}
	var errs [3]error
	s.router, errs[0] = LoadRouter(config)
	s.tls, errs[1] = config.TLS.load()
	if config.Auth.Tenants != "" && s.router != nil {
		s.tenants, errs[2] = loadTenants(config.Auth.Tenants, s.router.Policies())
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

// LoadRouter reads what decisions are made with: the files that config names, over
// what is built in. The error says all that is wrong with each of them.
func LoadRouter(config Config) (*routing.Router, error) {
	var errs [3]error
	policies, catalogue := routing.DefaultPolicies(), pricing.Default()
	if len(config.Policies) > 0 {
		policies, errs[0] = routing.LoadPolicies(config.Policies...)
	}
	if len(config.Catalogue) > 0 {
		catalogue, errs[1] = pricing.LoadFiles(config.Catalogue...)
	}
	weights, err := LoadClassifier(config.Weights, config.Encoder)
	errs[2] = err
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return routing.New(weights, catalogue, policies)
}

// LoadClassifier reads weights, or takes those that are built in where path is empty.
// Only the latter are helped by the encoder, which is fitted to them, and only where
// the processor makes it quick: elsewhere it would take a second a task.
func LoadClassifier(path string, withEncoder bool) (*classifier.Classifier, error) {
	if path == "" {
		c := classifier.Default()
		if withEncoder && encoder.Quick() {
			// Its 26 MB are read when the first task needs them.
			c = c.WithEncoder(func(ctx context.Context, ask string, before ...string) ([classifier.Tiers]float32, error) {
				return encoder.Default().Logits(ctx, ask, before...)
			})
		}
		return c, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	c, err := classifier.Load(b)
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", path, err)
	}
	return c, nil
}

// files are those that a reload reads again.
func (c Config) files() []string {
	files := append(append([]string{}, c.Policies...), c.Catalogue...)
	for _, path := range []string{c.Weights, c.TLS.Certificate, c.TLS.Key, c.TLS.ClientCA, c.Auth.Tenants} {
		if path != "" {
			files = append(files, path)
		}
	}
	return files
}

// contentOf names what the files hold. A time of change would miss a file that is
// replaced by an older one, as roll-backs and mounted secrets do.
func contentOf(config Config) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, path := range config.files() {
		b, err := os.ReadFile(path)
		one := sha256.Sum256(b)
		fmt.Fprintf(h, "%t %x\n", err == nil, one)
	}
	h.Sum(sum[:0])
	return sum
}
