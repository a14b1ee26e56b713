package server

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newAdmin answers what operators and their probes ask over HTTP: /metrics, /healthz
// (the process is alive), /readyz (it wants calls) and, if set, /debug/pprof/.
func newAdmin(config Config, t *telemetry, ready, stale func() bool) *http.Server {
	mux := http.NewServeMux()
	restricted := func(pattern string, handler http.Handler) {
		mux.Handle(pattern, withToken(config.Auth.AdminToken, handler))
	}
	restricted("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4}))
	if config.Debug {
		restricted("GET /debug/pprof/", http.HandlerFunc(pprof.Index))
		restricted("GET /debug/pprof/profile", http.HandlerFunc(pprof.Profile))
		restricted("GET /debug/pprof/trace", http.HandlerFunc(pprof.Trace))
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerText(w, http.StatusOK, "alive\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			answerText(w, http.StatusServiceUnavailable, "not ready: loading or stopping\n")
			return
		}
		if stale() {
			answerText(w, http.StatusOK, "ready, on what was loaded before: the newest files were refused, the log says why\n")
			return
		}
		answerText(w, http.StatusOK, "ready\n")
	})
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      time.Minute, // profiles take half of it
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

func answerText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text)) // the client has gone: there is nobody to tell
}

// withToken asks for the bearer token that has the digest; for none if that is empty.
func withToken(digest string, handler http.Handler) http.Handler {
	if digest == "" {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(token))
		if !strings.EqualFold(hex.EncodeToString(sum[:]), digest) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answerText(w, http.StatusUnauthorized, "send Authorization: Bearer TOKEN\n")
			return
		}
		handler.ServeHTTP(w, r)
	})
}
