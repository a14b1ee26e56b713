package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"time"
)

// Config is what the process is told once, at its start. [DefaultConfig] serves most
// people; nothing in it needs to be set.
type Config struct {
	// Listen is where gRPC is served: host:port, or unix:PATH for a Unix socket.
	Listen string `yaml:"listen"`
	// AdminListen is where metrics, health and readiness are served over HTTP:
	// host:port, or empty for nowhere.
	AdminListen string `yaml:"admin_listen"`
	// Debug adds Go's profiles to the admin port, under /debug/pprof/.
	Debug bool `yaml:"debug"`
	// Reflection lets clients ask for the contract, as grpcurl does.
	Reflection bool `yaml:"reflection"`

	// Policies are files of policies, laid over those that are built in: one of the same
	// name replaces it. The flag may be written --policy-file too.
	Policies []string `yaml:"policies"`
	// Catalogue are files laid over the catalogue that is built in.
	Catalogue []string `yaml:"catalogue"`
	// Weights is a file of classifier weights. Empty means those that are built in. Other
	// weights are never helped by the encoder.
	Weights string `yaml:"weights"`
	// Encoder says whether a sentence encoder is asked about the tasks that leave the
	// built-in classifier in doubt, about two in ten. It takes milliseconds instead of
	// microseconds, and is right more often. Without AVX2 it is never asked.
	Encoder bool `yaml:"encoder"`

	// ReloadEvery is how often the files of policies, catalogue, weights, tenants and
	// certificates are looked at for changes, 100ms to 1h.
	ReloadEvery time.Duration `yaml:"reload_every"`

	TLS  TLSConfig  `yaml:"tls"`
	Auth AuthConfig `yaml:"auth"`
	Log  LogConfig  `yaml:"log"`

	DecisionLog DecisionLogConfig `yaml:"decision_log"`

	Limits Limits `yaml:"limits"`

	// Drain is how long the server goes on serving after it has told that it is
	// stopping, so that balancers and clients have time to go elsewhere; 0s to 1h.
	Drain time.Duration `yaml:"drain"`
	// Shutdown is how long calls that are still running then have, before they are
	// cut off; at most 1h.
	Shutdown time.Duration `yaml:"shutdown"`

	// Version is the program's, for telemetry and the log.
	Version string `yaml:"-"`
}

// AuthConfig says who may call. Without tenants everybody may.
type AuthConfig struct {
	// Tenants is a file of tenants and the digests of their bearer tokens.
	Tenants string `yaml:"tenants"`
	// JWT takes signed tokens beside those of the file.
	JWT JWTConfig `yaml:"jwt"`
	// AdminToken is the SHA-256, in hex, of the bearer token that the admin port asks
	// for, except for health. Empty means that whoever reaches the port may read it.
	AdminToken string `yaml:"admin_token_sha256"`
}

// DecisionLogConfig says where decisions are noted: one JSON line each, without text.
type DecisionLogConfig struct {
	// To is a file that is appended to, or - for standard output. Empty means that
	// decisions are not noted.
	To string `yaml:"to"`
	// KeyFile holds the key of a keyed hash of the task's text, at least 16 bytes, so
	// that equal tasks can be told. Empty means no hash.
	KeyFile string `yaml:"key_file"`
}

// LogConfig says what is logged. Lines are JSON, and never hold text of tasks.
type LogConfig struct {
	// Level is the least level that is written: debug, info, warn or error. A call
	// is one line at info, or at error where the fault is the server's.
	Level slog.Level `yaml:"level"`
}

// Limits bound what callers can take. Beyond them calls are refused.
type Limits struct {
	// MessageBytes is the largest request, in bytes: 1 KiB to 64 MiB.
	MessageBytes int `yaml:"message_bytes"`
	// HeaderBytes is the largest header list of a call, in bytes: 4 KiB to 1 MiB.
	HeaderBytes int `yaml:"header_bytes"`
	// QueueTime is the longest time that a call may be expected to wait for a core. How
	// many may wait follows from how long recent tasks have taken; more are refused.
	// 1ms to 1m.
	QueueTime time.Duration `yaml:"queue_time"`
	// Calls is how many calls may be open at once, those included whose messages are
	// still coming; 0 means 256 a core. Times the largest request it bounds their memory.
	Calls int `yaml:"calls"`
	// CallTime is the longest time of a call, the reading of its message included.
	// A caller's own deadline holds where it is shorter. 10ms to 1h.
	CallTime time.Duration `yaml:"call_time"`
	// Streams is how many calls one connection may have open, at least 1.
	Streams int `yaml:"streams"`
	// Connections is how many connections are open at once, at least 1; more wait to be
	// accepted.
	Connections int `yaml:"connections"`
}

// DefaultConfig serves on loopback with everything that is built in.
func DefaultConfig() Config {
	return Config{
		Listen:      "127.0.0.1:50051",
		AdminListen: "127.0.0.1:9464",
		Reflection:  true,
		Encoder:     true,
		Limits: Limits{
			// A prompt of 4 MiB, and room for what stands around it.
			MessageBytes: 4<<20 + 64<<10,
			HeaderBytes:  32 << 10,
			QueueTime:    100 * time.Millisecond,
			CallTime:     10 * time.Second,
			Streams:      1_000,
			Connections:  10_000,
		},
		Auth:        AuthConfig{JWT: JWTConfig{TenantClaim: "sub"}},
		ReloadEvery: 10 * time.Second,
		Drain:       5 * time.Second,
		Shutdown:    20 * time.Second,
	}
}

// Validate reports everything that is wrong with the settings, joined.
func (c Config) Validate() error {
	var errs []error
	c.validate(func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	})
	return errors.Join(errs...)
}

// validate calls wrong for everything that is wrong.
func (c Config) validate(wrong func(key, format string, args ...any)) {
	if _, _, err := network(c.Listen); err != nil {
		wrong("listen", "%v", err)
	}
	if c.DecisionLog.KeyFile != "" && c.DecisionLog.To == "" {
		wrong("decision_log.key_file", "a key without a log: name decision_log.to as well")
	}
	if c.AdminListen != "" {
		if _, _, err := network(c.AdminListen); err != nil {
			wrong("admin_listen", "%v", err)
		}
	}
	between := func(key string, n, least, most int) {
		if n < least || n > most {
			wrong(key, "must be %d to %d, not %d", least, most, n)
		}
	}
	between("limits.message_bytes", c.Limits.MessageBytes, 1<<10, 64<<20)
	between("limits.header_bytes", c.Limits.HeaderBytes, 4<<10, 1<<20)
	between("limits.calls", c.Limits.Calls, 0, 1<<20)
	between("limits.streams", c.Limits.Streams, 1, 1<<20)
	between("limits.connections", c.Limits.Connections, 1, 1<<20)
	if c.Limits.QueueTime < time.Millisecond || c.Limits.QueueTime > time.Minute {
		wrong("limits.queue_time", "must be 1ms to 1m, not %s", c.Limits.QueueTime)
	}
	if c.Limits.CallTime < 10*time.Millisecond || c.Limits.CallTime > time.Hour {
		wrong("limits.call_time", "must be 10ms to 1h, not %s", c.Limits.CallTime)
	}
	c.TLS.validate(wrong)
	c.Auth.JWT.validate(wrong)
	if digest, err := hex.DecodeString(c.Auth.AdminToken); err != nil || len(digest) != 0 && len(digest) != sha256.Size {
		wrong("auth.admin_token_sha256", "must be 64 hex digits: the SHA-256 of the token")
	}
	if c.Auth.JWT.JWKS != "" && c.Auth.Tenants == "" {
		wrong("auth.tenants", "is required with auth.jwt.jwks: it says what each tenant may do")
	}
	if c.ReloadEvery < 100*time.Millisecond || c.ReloadEvery > time.Hour {
		wrong("reload_every", "must be 100ms to 1h, not %s", c.ReloadEvery)
	}
	if c.Drain < 0 || c.Drain > time.Hour {
		wrong("drain", "must be 0s to 1h, not %s", c.Drain)
	}
	if c.Shutdown <= 0 || c.Shutdown > time.Hour {
		wrong("shutdown", "must be above 0s and at most 1h, not %s", c.Shutdown)
	}
}

// network splits an address into what net.Listen takes.
func network(address string) (kind, where string, err error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		path = strings.TrimPrefix(path, "//")
		if path == "" {
			return "", "", fmt.Errorf("%q names no socket: write unix:/path/to/socket", address)
		}
		return "unix", path, nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", "", fmt.Errorf("%q is not an address: write host:port, :port or unix:/path", address)
	}
	return "tcp", address, nil
}

// calls gives the limit of calls that are open.
func (l Limits) calls() int64 {
	if l.Calls == 0 {
		return 256 * int64(runtime.GOMAXPROCS(0))
	}
	return int64(l.Calls)
}
