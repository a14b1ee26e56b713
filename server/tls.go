package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSConfig says how connections are secured. Without it they are not.
type TLSConfig struct {
	// Certificate is a PEM file of the server's certificate and its chain.
	// Empty means no TLS.
	Certificate string `yaml:"certificate"`
	// Key is the PEM file of the certificate's private key.
	Key string `yaml:"key"`
	// ClientCA is a PEM file of the authorities that must have signed a client's
	// certificate (mutual TLS). Empty means that clients need none.
	ClientCA string `yaml:"client_ca"`
}

func (c TLSConfig) on() bool { return c != TLSConfig{} }

// validate reports settings that would leave connections less secure than meant.
func (c TLSConfig) validate(wrong func(key, format string, args ...any)) {
	if !c.on() {
		return
	}
	if c.Certificate == "" {
		wrong("tls.certificate", "is required with tls.key or tls.client_ca")
	}
	if c.Key == "" {
		wrong("tls.key", "is required with tls.certificate or tls.client_ca")
	}
}

// load reads the files. Anything wrong with any of them is an error, so that
// connections are never less secure than the settings say.
func (c TLSConfig) load() (*tls.Config, error) {
	if !c.on() {
		return nil, nil //nolint:nilnil // no TLS is wanted
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		err = fmt.Errorf("tls.certificate: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	if c.ClientCA == "" {
		return config, err
	}
	pem, caErr := os.ReadFile(c.ClientCA)
	if caErr != nil {
		return nil, errors.Join(err, fmt.Errorf("tls.client_ca: %w", caErr))
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.Join(err, fmt.Errorf("tls.client_ca: %s holds no PEM certificate", c.ClientCA))
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, err
}

// serverTLS gives each new connection the certificates in force, so that a reload
// needs no restart and leaves open connections alone.
func (s *Server) serverTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			current := s.state.Load()
			if current == nil || current.tls == nil {
				return nil, errors.New("certificates are not loaded")
			}
			return current.tls, nil
		},
	}
}
