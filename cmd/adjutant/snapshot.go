package main

import (
	"log/slog"
	"time"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/routing"
	"github.com/adjutant-dev/adjutant/server"
)

// snapshot holds the flags that say what decisions are made with.
type snapshot struct {
	catalogues []string
	policies   []string
	weights    string
	fast       bool
}

func (s *snapshot) define(f *flags) {
	f.Func("catalogue", "", appendTo(&s.catalogues))
	f.Func("policy-file", "", appendTo(&s.policies))
	f.StringVar(&s.weights, "weights", "", "")
	f.BoolVar(&s.fast, "fast", false, "")
}

func appendTo(list *[]string) func(string) error {
	return func(value string) error {
		*list = append(*list, value)
		return nil
	}
}

// router loads what the flags name over what is built in. The error has every
// mistake of every file.
func (s *snapshot) router() (*routing.Router, error) {
	return server.LoadRouter(server.Config{Catalogue: s.catalogues, Policies: s.policies, Weights: s.weights, Encoder: !s.fast})
}

// service answers as the server does, in process.
func (s *snapshot) service(p *program) (adjutantv1.RoutingServiceServer, error) {
	router, err := s.router()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	return server.NewService(func() *routing.Router { return router }, time.Now, log), nil
}
