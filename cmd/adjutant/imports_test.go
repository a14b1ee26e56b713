package main_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/adjutant-dev/adjutant/"

// rooms says which other rooms each room may import: the one direction is
//
//	cmd/adjutant → server → routing → {classifier, pricing}
//
// A folder without a line of its own lives under the line of its parent.
var rooms = map[string][]string{
	"api":                 {},
	"internal/strictyaml": {},
	"classifier":          {},
	"classifier/encoder":  {},
	"classifier/train":    {"classifier"},
	"pricing":             {"internal/strictyaml"},
	"routing":             {"classifier", "pricing", "internal/strictyaml"},
	"server":              {"api", "routing", "classifier", "classifier/encoder", "pricing", "internal/strictyaml"},
	"cmd/adjutant":        {"api", "server", "routing", "classifier", "classifier/train", "pricing", "internal/strictyaml"},
	"examples":            {"api"},
}

// inTests says what the tests of a room may import besides: the two readers are put
// together in server, and measured together where one of them is at home.
var inTests = map[string][]string{"classifier": {"classifier/encoder"}}

// wire holds what only server and cmd/adjutant may know of: the rooms beneath
// them decide in process and are usable as a library without gRPC.
var (
	wire     = []string{"google.golang.org/grpc", "go.opentelemetry.io", "net"}
	wireFree = []string{"internal/strictyaml", "classifier", "classifier/train", "pricing", "routing"}
)

// TestImportDirection parses the files itself, since the result of a test that
// asks `go list` is cached and stays green when a forbidden import comes in.
func TestImportDirection(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case entry.IsDir() && ignored(name, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		room := roomOf(path.Dir(name))
		if room == "" {
			t.Errorf("%s: its folder has no place in the table of rooms: give it one", name)
			return nil
		}
		seen[room] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if strings.HasSuffix(name, "_test.go") && slices.Contains(inTests[room], strings.TrimPrefix(imported, module)) {
				continue
			}
			if problem := judge(room, imported); problem != "" {
				t.Errorf("%s imports %s: %s", name, imported, problem)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !seen["cmd/adjutant"] {
		t.Error("no file of cmd/adjutant was read: the walk starts in the wrong folder")
	}
}

// TestImportDirectionRefuses shows what the rule forbids and what it allows.
func TestImportDirectionRefuses(t *testing.T) {
	tests := []struct {
		room, imported string
		allowed        bool
	}{
		{"cmd/adjutant", module + "classifier/train", true},
		{"server", module + "routing", true},
		{"server", module + "api/adjutant/v1", true},
		{"server", module + "server/extproc", true},
		{"server", "google.golang.org/grpc/status", true},
		{"server", module + "classifier/train", false},
		{"server", module + "cmd/adjutant", false},
		{"routing", module + "pricing", true},
		{"routing", module + "server", false},
		{"routing", module + "api/adjutant/v1", false},
		{"routing", "google.golang.org/grpc/codes", false},
		{"pricing", module + "internal/strictyaml", true},
		{"pricing", module + "classifier", false},
		{"pricing", "net/http", false},
		{"classifier", module + "pricing", false},
		{"classifier", module + "classifier/train", false},
		{"classifier", "strings", true},
		{"examples", module + "server", false},
	}
	for _, test := range tests {
		problem := judge(test.room, test.imported)
		if (problem == "") != test.allowed {
			t.Errorf("judge(%q, %q) = %q, want allowed: %t", test.room, test.imported, problem, test.allowed)
		}
	}
}

// judge says why room may not import the package, or nothing if it may.
func judge(room, imported string) string {
	if own, ok := strings.CutPrefix(imported, module); ok {
		target := roomOf(own)
		if target == room || slices.Contains(rooms[room], target) {
			return ""
		}
		return "the direction is cmd/adjutant → server → routing → classifier and pricing; " +
			room + " may import [" + strings.Join(rooms[room], " ") + "] of this module"
	}
	if slices.Contains(wireFree, room) {
		for _, banned := range wire {
			if imported == banned || strings.HasPrefix(imported, banned+"/") {
				return room + " knows nothing of the wire: this belongs in server"
			}
		}
	}
	return ""
}

// roomOf returns the line of the table that a folder lives under, "" if none.
func roomOf(folder string) string {
	for ; folder != "."; folder = path.Dir(folder) {
		if _, ok := rooms[folder]; ok {
			return folder
		}
	}
	return ""
}

// ignored reports whether a folder holds no packages of this module: the go
// command passes the same ones over, and tools is a module of its own.
func ignored(name, base string) bool {
	return name == "tools" || base == "testdata" || name != "." && strings.HasPrefix(base, ".")
}
