package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestServe starts the server, waits until it is healthy, stops it, and shows that a
// socket that is gone is unhealthy. The health check is told where the server is, or
// finds out from the settings that the server was given.
func TestServe(t *testing.T) {
	certificate, key := selfSigned(t, "adjutant.test")
	tests := []struct {
		name     string
		settings []string // of the server: name, value, and so on
		yaml     string   // the same
		health   []string // flags that tell the health check the same
	}{
		{"plain", nil, "", nil},
		{
			"TLS",
			[]string{"tls-certificate", certificate, "tls-key", key},
			fmt.Sprintf("tls: {certificate: %q, key: %q}\n", certificate, key),
			[]string{"--tls-ca", certificate, "--tls-server-name", "adjutant.test"},
		},
		{
			"mutual TLS",
			[]string{"tls-certificate", certificate, "tls-key", key, "tls-client-ca", certificate},
			fmt.Sprintf("tls: {certificate: %q, key: %q, client_ca: %q}\n", certificate, key, certificate),
			[]string{"--tls-ca", certificate, "--tls-server-name", "adjutant.test", "--tls-certificate", certificate, "--tls-key", key},
		},
	}
	for _, test := range tests {
		for _, from := range []string{"flags", "environment", "file"} {
			t.Run(test.name+" by "+from, func(t *testing.T) {
				socket := "unix:" + filepath.Join(t.TempDir(), "s")
				settings := append([]string{"listen", socket, "admin-listen", "127.0.0.1:0", "drain", "0s", "log-level", "error"}, test.settings...)
				serve := []string{"serve"}
				health := []string{"healthcheck", "--service", "adjutant.v1.RoutingService"}
				switch from {
				case "flags":
					for i := 0; i < len(settings); i += 2 {
						serve = append(serve, "--"+settings[i], settings[i+1])
					}
					health = append(append(health, "--address", socket), test.health...)
				case "environment":
					for i := 0; i < len(settings); i += 2 {
						t.Setenv("ADJUTANT_"+strings.ToUpper(strings.ReplaceAll(settings[i], "-", "_")), settings[i+1])
					}
				case "file":
					config := filepath.Join(t.TempDir(), "adjutant.yaml")
					text := fmt.Sprintf("listen: %q\nadmin_listen: 127.0.0.1:0\ndrain: 0s\nlog: {level: error}\n", socket) + test.yaml
					if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					serve, health = append(serve, "--config", config), append(health, "--config", config)
				}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				ended := make(chan int, 1)
				go func() { ended <- Main(ctx, serve, nil, io.Discard, os.Stderr) }()
				for deadline := time.Now().Add(30 * time.Second); ; {
					code, stdout, stderr := adjutant(t, "", health...)
					if code == exitOK {
						if want := socket + ": SERVING\n"; stdout != want {
							t.Errorf("healthcheck prints %q, want %q", stdout, want)
						}
						break
					}
					if code != exitUnhealthy || time.Now().After(deadline) {
						t.Fatalf("healthcheck exits with %d: %s", code, stderr)
					}
				}
				stop()
				if code := <-ended; code != exitOK {
					t.Errorf("serve exits with %d", code)
				}
				if code, _, _ := adjutant(t, "", health...); code != exitUnhealthy {
					t.Errorf("healthcheck of nothing exits with %d, want %d", code, exitUnhealthy)
				}
			})
		}
	}
}

func TestHealthcheckAsksWhereTheServerListens(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:50051": "127.0.0.1:50051", ":50051": "127.0.0.1:50051", "0.0.0.0:7000": "127.0.0.1:7000", "[::]:7000": "[::1]:7000",
		"192.0.2.7:50051": "192.0.2.7:50051", "unix:/run/a.sock": "unix:/run/a.sock", "localhost:0": "",
	} {
		if got, err := reachable(listen); got != want || (err == nil) != (want != "") {
			t.Errorf("reachable(%q) is %q, %v; want %q", listen, got, err, want)
		}
	}
}

// selfSigned writes a certificate for name, good for servers and clients, and its key.
func selfSigned(t *testing.T, name string) (certificateFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("certificate.pem", "CERTIFICATE", certificate), write("key.pem", "PRIVATE KEY", private)
}

// TestAnswersAgree asks the same by argument, by standard input and by line.
func TestAnswersAgree(t *testing.T) {
	const prompt = "Write a function that parses ISO 8601 dates\nand say why."
	line, err := json.Marshal(map[string]any{
		"task": map[string]any{"prompt": prompt, "material": map[string]any{"inputTokens": 500}}, "asOf": "2026-11-25T00:00:00Z",
	})
	if err != nil {
		t.Fatal(err)
	}
	var answers []any
	for _, ask := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"route", "--json", prompt, "--material-tokens", "500", "--as-of", "2026-11-25"}},
		{prompt, []string{"route", "--json", "--material-tokens", "500", "--as-of", "2026-11-25"}},
		{prompt, []string{"route", "--json", "--material-tokens", "500", "--as-of", "2026-11-25T00:00:00Z", "-"}},
		{string(line), []string{"route", "--jsonl"}},
	} {
		code, stdout, stderr := adjutant(t, ask.stdin, ask.args...)
		if code != exitOK {
			t.Fatalf("%q exits with %d: %s", ask.args, code, stderr)
		}
		var answer map[string]map[string]any
		if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
			t.Fatal(err)
		}
		delete(answer["decision"], "id")
		answers = append(answers, answer)
	}
	for _, answer := range answers[1:] {
		if !reflect.DeepEqual(answer, answers[0]) {
			t.Errorf("answers differ:\n%v\n%v", answer, answers[0])
		}
	}
}

// TestRefusals shows one refused request as people and as programs see it.
func TestRefusals(t *testing.T) {
	args := []string{"route", "Rename these files", "--min-tier", "judgment", "--max-tier", "making", "--label", "=x"}
	code, stdout, stderr := adjutant(t, "", args...)
	if code != exitFailed || stdout != "" {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
	golden(t, "testdata/refused.txt", stderr)
	code, stdout, stderr = adjutant(t, "", append(args, "--json")...)
	if code != exitFailed || stderr != "" {
		t.Errorf("--json: exit code %d, stderr %q", code, stderr)
	}
	golden(t, "testdata/refused.json", stdout)
}

// TestReaderGoesAway runs the real process in a pipe whose reader takes one answer of
// many and leaves, as head does.
func TestReaderGoesAway(t *testing.T) {
	var lines bytes.Buffer
	for range 20_000 {
		lines.WriteString(`{"task": {"prompt": "capital of Peru?"}}` + "\n")
	}
	file := filepath.Join(t.TempDir(), "lines.jsonl")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := inShell(t, programs(t), filepath.Dir(file), "adjutant classify --jsonl < lines.jsonl | head -n 1")
	if err != nil || strings.Count(out, "\n") != 1 {
		t.Errorf("%v, %d lines: %.300s", err, strings.Count(out, "\n"), out)
	}
}

// TestSignals interrupts the real process while it waits for a line, and shows that it
// ends in silence, as shells expect.
func TestSignals(t *testing.T) {
	process := exec.CommandContext(t.Context(), filepath.Join(programs(t), "adjutant"), "classify", "--jsonl")
	stdin, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	process.Stderr = &stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, `{"task": {"prompt": "capital of Peru?"}}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if n, err := stdout.Read(make([]byte, 1)); n != 1 {
		t.Fatalf("no answer while the input is open: %v", err)
	}
	if err := process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, stdout)
	_ = process.Wait()
	if code := process.ProcessState.ExitCode(); code != exitInterrupted || stderr.Len() > 0 {
		t.Errorf("exit code %d, stderr %q; want %d in silence", code, stderr.String(), exitInterrupted)
	}
}
