package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/adjutant-dev/adjutant/server"
)

// healthcheck asks a server for its health, as a container's HEALTHCHECK does. Without
// flags it asks the one that serve starts with the same variables and file.
func healthcheck(f *flags) run {
	address := f.String("address", "", "")
	config := f.String("config", "", "")
	service := f.String("service", "", "")
	timeout := f.Duration("timeout", 2*time.Second, "")
	var files tlsFiles
	f.StringVar(&files.ca, "tls-ca", "", "")
	f.StringVar(&files.serverName, "tls-server-name", "", "")
	f.StringVar(&files.certificate, "tls-certificate", "", "")
	f.StringVar(&files.key, "tls-key", "", "")
	return func(ctx context.Context, p *program, positional []string) error {
		if len(positional) > 0 {
			return usagef("no argument %q: name the server with --address", positional[0])
		}
		if *timeout <= 0 {
			return usagef("--timeout %v: give a time above 0, such as 2s", *timeout)
		}
		transport, err := files.credentials()
		if err != nil {
			return err
		}
		hint := ""
		if *address == "" {
			settings, err := server.LoadConfig(*config, os.Getenv, nil)
			if err != nil {
				return usagef("%v", err)
			}
			if *address, err = reachable(settings.Listen); err != nil {
				return err
			}
			if files == (tlsFiles{}) {
				if settings.TLS.ClientCA != "" {
					hint = "; the server asks for a client's certificate, and was shown its own: if that is not one, name another with --tls-ca, --tls-certificate and --tls-key, or ask /readyz"
				}
				if transport, err = credentialsFor(settings.TLS); err != nil {
					return err
				}
			}
		}
		ctx, cancel := context.WithTimeout(ctx, *timeout)
		defer cancel()
		client, err := grpc.NewClient(*address, grpc.WithTransportCredentials(transport), grpc.WithNoProxy())
		if err != nil {
			return usagef("--address %q: %v", *address, err)
		}
		defer client.Close()
		answer, err := healthpb.NewHealthClient(client).Check(ctx, &healthpb.HealthCheckRequest{Service: *service})
		if err != nil {
			return &unhealthyError{fmt.Sprintf("%s: %s%s", *address, cause(err), hint)}
		}
		if answer.Status != healthpb.HealthCheckResponse_SERVING {
			return &unhealthyError{fmt.Sprintf("%s: %s", *address, answer.Status)}
		}
		_, err = fmt.Fprintf(p.stdout, "%s: SERVING\n", *address)
		return err
	}
}

// reachable gives the address at which a process on the same machine reaches a server
// that listens there.
func reachable(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	switch {
	case strings.HasPrefix(listen, "unix:"):
		return listen, nil
	case err != nil || port == "0":
		return "", usagef("the server listens on %s, which does not say where to ask: name it with --address", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip.Equal(net.IPv4zero) {
		host = "127.0.0.1"
	} else if ip.Equal(net.IPv6unspecified) {
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}

// credentialsFor suit a server of one's own with these settings. Its certificate names
// the host that clients use and not the loopback address, so that it is not checked:
// nothing is sent that others may not see, and whoever can listen here instead of the
// server could also end it. A server that asks for a client's certificate is shown its own.
func credentialsFor(settings server.TLSConfig) (credentials.TransportCredentials, error) {
	if settings == (server.TLSConfig{}) {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // see above
	if settings.ClientCA != "" {
		pair, err := tls.LoadX509KeyPair(settings.Certificate, settings.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}

// cause gives what failed without the layers that gRPC wraps around it.
func cause(err error) string {
	text := status.Convert(err).Message()
	for _, layer := range []string{`desc = "`, "Error while dialing: "} {
		if _, inner, ok := strings.Cut(text, layer); ok {
			text = inner
		}
	}
	return strings.TrimSuffix(text, `"`)
}

// tlsFiles say how to reach a server that uses TLS.
type tlsFiles struct{ ca, serverName, certificate, key string }

// credentials are plain text where no file is named.
func (t tlsFiles) credentials() (credentials.TransportCredentials, error) {
	if t.ca == "" {
		if t != (tlsFiles{}) {
			return nil, usagef("the --tls flags need --tls-ca, the PEM file of who signed the server's certificate")
		}
		return insecure.NewCredentials(), nil
	}
	pem, err := os.ReadFile(t.ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.serverName, RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", t.ca)
	}
	if t.certificate != "" || t.key != "" {
		pair, err := tls.LoadX509KeyPair(t.certificate, t.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}
