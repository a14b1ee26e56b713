package server

import (
	"net/http"
	"testing"
)

func TestAdminPortCanBeRestricted(t *testing.T) {
	open := start(t, testConfig())
	config := testConfig()
	config.Auth.AdminToken = digest("secret")
	config.Debug = true
	restricted := start(t, config)

	for _, c := range []struct {
		of    *running
		path  string
		token string
		want  int
	}{
		{open, "/metrics", "", 200},
		{open, "/debug/pprof/", "", 404},
		{restricted, "/metrics", "", 401},
		{restricted, "/metrics", "guess", 401},
		{restricted, "/metrics", "secret", 200},
		{restricted, "/debug/pprof/", "", 401},
		{restricted, "/debug/pprof/", "secret", 200},
		{restricted, "/readyz", "", 200},
	} {
		header := http.Header{}
		if c.token != "" {
			header.Set("Authorization", "Bearer "+c.token)
		}
		if got, _ := c.of.ask(t, c.path, header); got != c.want {
			t.Errorf("%s with token %q answers %d, want %d", c.path, c.token, got, c.want)
		}
	}
}
