package server

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

func dialTLS(config *tls.Config) grpc.DialOption {
	return grpc.WithTransportCredentials(credentials.NewTLS(config))
}

// serial gives the number of the certificate that the server showed.
func serial(p *peer.Peer) int64 {
	return p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0].SerialNumber.Int64()
}

// A certificate is replaced under open connections, and no call is lost.
func TestCertificatesAreReplacedWithoutARestart(t *testing.T) {
	ca := newAuthority(t, "ours")
	config := ca.withTLS(t, testConfig())
	r := start(t, config, dialTLS(&tls.Config{RootCAs: ca.pool()}))
	request := &adjutantv1.ClassifyRequest{Task: prompt("Sort these names.")}
	var old, fresh peer.Peer
	if _, err := r.Classify(t.Context(), request, grpc.Peer(&old)); err != nil {
		t.Fatal(err)
	}

	ca.issue(t, 2, config.TLS.Certificate, config.TLS.Key)
	r.reload(t.Context())
	if _, err := r.Classify(t.Context(), request, grpc.Peer(&old)); err != nil {
		t.Errorf("on the open connection: %v", err)
	}
	conn, err := grpc.NewClient(r.Addr().String(), dialTLS(&tls.Config{RootCAs: ca.pool()}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := adjutantv1.NewRoutingServiceClient(conn).Classify(t.Context(), request, grpc.Peer(&fresh)); err != nil {
		t.Fatal(err)
	}
	if serial(&old) != 1 || serial(&fresh) != 2 {
		t.Errorf("certificates %d and %d, want 1 and 2", serial(&old), serial(&fresh))
	}

	// One that is wrong changes nothing.
	write(t, config.TLS.Key, []byte("no key"))
	r.reload(t.Context())
	if _, err := r.Classify(t.Context(), request); err != nil || !r.ready() {
		t.Errorf("after a bad file: %v", err)
	}
	if page := metricsText(t, r); !strings.Contains(page, "adjutant_reload_last_successful 0") || !strings.Contains(page, `adjutant_reloads_total{adjutant_result="refused"} 1`) {
		t.Error("the metrics don't show that a file was refused")
	}
}

func TestMutualTLS(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	config := ours.withTLS(t, testConfig())
	config.TLS.ClientCA = filepath.Join(t.TempDir(), "ca.crt")
	write(t, config.TLS.ClientCA, ours.pem)
	r := start(t, config, dialTLS(&tls.Config{RootCAs: ours.pool(), Certificates: []tls.Certificate{ours.pair(t)}}))

	for name, client := range map[string]grpc.DialOption{
		"without a certificate":         dialTLS(&tls.Config{RootCAs: ours.pool()}),
		"with one of another authority": dialTLS(&tls.Config{RootCAs: ours.pool(), Certificates: []tls.Certificate{others.pair(t)}}),
	} {
		conn, err := grpc.NewClient(r.Addr().String(), client)
		if err != nil {
			t.Fatal(err)
		}
		_, err = adjutantv1.NewRoutingServiceClient(conn).Classify(t.Context(), &adjutantv1.ClassifyRequest{Task: prompt("hello")})
		if status.Code(err) != codes.Unavailable {
			t.Errorf("a client %s: %v", name, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Settings that are half there, or name files that can't be used, stop the start:
// they never lead to connections that are less secure.
func TestTLSFailsClosed(t *testing.T) {
	ca := newAuthority(t, "ours")
	good := ca.withTLS(t, testConfig()).TLS
	bad := filepath.Join(t.TempDir(), "bad")
	write(t, bad, []byte("not PEM"))
	for want, c := range map[string]TLSConfig{
		"tls.key: is required with tls.certificate or tls.client_ca": {Certificate: good.Certificate},
		"tls.certificate: is required with tls.key or tls.client_ca": {ClientCA: good.Certificate, Key: good.Key},
		"tls.client_ca: ":          {Certificate: good.Certificate, Key: good.Key, ClientCA: bad + ".none"},
		"holds no PEM certificate": {Certificate: good.Certificate, Key: good.Key, ClientCA: bad},
		"tls.certificate: ":        {Certificate: bad, Key: good.Key},
	} {
		config := testConfig()
		config.TLS = c
		if err := Run(t.Context(), config, &lockedBuffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", c, err, want)
		}
	}
}
