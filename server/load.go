package server

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"github.com/adjutant-dev/adjutant/classifier"
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
	s.router, errs[0] = loadRouter(config)
	s.tls, errs[1] = config.TLS.load()
	if config.Auth.Tenants != "" && s.router != nil {
		s.tenants, errs[2] = loadTenants(config.Auth.Tenants, s.router.Policies())
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

func loadRouter(config Config) (*routing.Router, error) {
	if len(config.Policies) == 0 && len(config.Catalogue) == 0 && config.Weights == "" {
		return routing.Default(), nil
	}
	var errs [3]error
	policies, catalogue := routing.DefaultPolicies(), pricing.Default()
	if len(config.Policies) > 0 {
		policies, errs[0] = routing.LoadPolicies(config.Policies...)
	}
	if len(config.Catalogue) > 0 {
		catalogue, errs[1] = pricing.LoadFiles(config.Catalogue...)
	}
	var weights *classifier.Classifier
	if config.Weights == "" {
		weights = classifier.Default()
	} else {
		weights, errs[2] = loadWeights(config.Weights)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return routing.New(weights, catalogue, policies)
}

func loadWeights(path string) (*classifier.Classifier, error) {
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
