package server

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the files that are compared with")

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestFlagsOverEnvironmentOverFileOverDefaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "adjutant.yaml")
	write(t, file, []byte("drain: 1s\nshutdown: 1s\nreload_every: 1s\nlimits: {calls: 7}\n"))
	config, err := LoadConfig("", environment(EnvConfig, file, "ADJUTANT_SHUTDOWN", "2s", "ADJUTANT_RELOAD_EVERY", "2s", "ADJUTANT_LIMITS_STREAMS", ""),
		map[string]string{"reload_every": "3s", "policies": "a.yaml,b.yaml", "log.level": "debug", "reflection": "false"})
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Drain, want.Shutdown, want.ReloadEvery = time.Second, 2*time.Second, 3*time.Second
	want.Limits.Calls = 7
	want.Policies = []string{"a.yaml", "b.yaml"}
	want.Log.Level = -4
	want.Reflection = false
	if !reflect.DeepEqual(config, want) {
		t.Errorf("got %+v\nwant %+v", config, want)
	}
}

func TestEveryMistakeInTheSettingsIsReported(t *testing.T) {
	file := filepath.Join(t.TempDir(), "adjutant.yaml")
	write(t, file, []byte("listne: x\nlimits:\n  calls: many\n  streams: 0\n"))
	_, err := LoadConfig(file, environment("ADJUTANT_DRAIN", "soon", "ADJUTANT_LIMITS_CONNECTIONS", "0"),
		map[string]string{"log.level": "loud", "listen": "nowhere"})
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.ReplaceAll(err.Error(), file, "adjutant.yaml")
	for _, want := range []string{
		`adjutant.yaml:1:1: listne:`,
		`adjutant.yaml:3:10: limits.calls:`,
		`adjutant.yaml:4:12: limits.streams: must be 1 to 1048576, not 0`,
		`ADJUTANT_DRAIN: "soon" is not a duration`,
		`ADJUTANT_LIMITS_CONNECTIONS: must be 1 to 1048576, not 0`,
		`--log-level: "loud" is not one of debug, info, warn, error`,
		`--listen: "nowhere" is not an address`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no word of\n%s\nin\n%s", want, got)
		}
	}
}

func TestCheck(t *testing.T) {
	if snapshot, err := Check(t.Context(), DefaultConfig()); err != nil || snapshot == "" {
		t.Errorf("the defaults: %q, %v", snapshot, err)
	}
	config := DefaultConfig()
	config.Auth.Tenants = filepath.Join(t.TempDir(), "none.yaml")
	config.TLS.Certificate, config.TLS.Key = config.Auth.Tenants, config.Auth.Tenants
	if _, err := Check(t.Context(), config); err == nil || strings.Count(err.Error(), "none.yaml") < 2 {
		t.Errorf("files that are not there: %v", err)
	}
}

// docs/configuration.md is made from the comments and defaults of Config. After a
// change: go test ./server -run TestConfigurationPage -update.
func TestConfigurationPage(t *testing.T) {
	comments := fieldComments(t)
	defaults := DefaultConfig()
	var page strings.Builder
	page.WriteString(configurationPreface)
	for _, s := range Settings() {
		value := reflect.ValueOf(defaults).FieldByIndex(s.index)
		kind := reflect.TypeFor[Config]().FieldByIndex(s.index)
		owner := reflect.TypeFor[Config]()
		if len(s.index) > 1 {
			owner = reflect.TypeFor[Config]().FieldByIndex(s.index[:len(s.index)-1]).Type
		}
		comment := comments[owner.Name()+"."+kind.Name]
		if comment == "" {
			t.Errorf("%s.%s has no comment", owner.Name(), kind.Name)
		}
		// A comment opens with the Go name, a reader of the page knows the key.
		comment = strings.Replace(comment, kind.Name, "`"+s.Key+"`", 1)
		shown := fmt.Sprint(value.Interface())
		switch {
		case value.Kind() == reflect.Slice, shown == "":
			shown = "empty"
		case s.Key == "log.level":
			shown = strings.ToLower(shown)
		}
		fmt.Fprintf(&page, "## %s\n\n%s\n\nDefault: `%s`. Flag: `--%s`. Environment: `%s`.\n\n", s.Key, comment, shown, s.Flag, s.Env)
	}
	const path = "../docs/configuration.md"
	got := strings.TrimRight(page.String(), "\n") + "\n"
	if *update {
		write(t, path, []byte(got))
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what config.go says: run go test ./server -run TestConfigurationPage -update", path)
	}
}

const configurationPreface = `# Configuration

Nothing has to be set: ` + "`adjutant serve`" + ` works as it is. What is set comes from one YAML file (` + "`--config FILE`" + ` or
` + "`ADJUTANT_CONFIG`" + `), over it from environment variables, over them from flags. Keys with a dot are nested in the file:

    listen: :50051
    limits:
      calls: 256

The file is read strictly: an unknown key, a wrong type or a value out of range stops the start, and all mistakes are
reported together, with their lines. ` + "`adjutant serve --check`" + ` does the same without serving. Lists are separated by
commas in flags and environment variables. Traces and metrics by OTLP are set up by the standard ` + "`OTEL_*`" + `
variables; [operations.md](operations.md) says which.

This page is made from the comments in ` + "`server/config.go`" + ` and checked by a test.

`

// fieldComments reads the comments of this package's struct fields, as "Type.Field".
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	comments := map[string]string{}
	for _, file := range []string{"config.go", "tls.go", "jwt.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				var shared string
				for _, field := range s.Fields.List {
					text := strings.TrimSpace(field.Doc.Text())
					if text == "" {
						text = shared // one comment stands above two fields
					}
					shared = text
					for _, name := range field.Names {
						comments[spec.Name.Name+"."+name.Name] = text
					}
				}
			}
			return true
		})
	}
	return comments
}
