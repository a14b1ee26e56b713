package routing

import (
	"os"
	"testing"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// withPolicies is the embedded router with policy files on top.
func withPolicies(t testing.TB, paths ...string) *Router {
	t.Helper()
	policies, err := LoadPolicies(paths...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(classifier.Default(), pricing.Default(), policies)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDecisions(t *testing.T) {
	for _, test := range []struct {
		suite  string
		router *Router
	}{
		{"testdata/decisions.yaml", Default()},
		{"testdata/decisions-2025.yaml", withPolicies(t, "testdata/2025.yaml")},
	} {
		data, err := os.ReadFile(test.suite)
		if err != nil {
			t.Fatal(err)
		}
		suite, err := ParseSuite(test.suite, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range suite.Run(t.Context(), test.router) {
			t.Run(result.Name, func(t *testing.T) {
				for _, failure := range result.Failures {
					t.Error(failure)
				}
			})
		}
	}
}
