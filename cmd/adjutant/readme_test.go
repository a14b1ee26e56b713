package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/adjutant-dev/adjutant/routing"
	"github.com/adjutant-dev/adjutant/server"
)

// TestREADME runs every command of the README's console blocks and compares what they
// print with what stands there, so that no figure in it is typed by hand. Run it with
// -update to write the outputs anew.
//
// In commands, "go run ./cmd/adjutant" is this program, and grpcurl a stand-in that
// answers without a server: the module of the real one is not this one's.
func TestREADME(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bin := programs(t)
	ran := 0
	fresh := regexp.MustCompile("(?ms)^```console\n(.*?)^```$").ReplaceAllStringFunc(string(text), func(block string) string {
		block = strings.TrimSuffix(strings.TrimPrefix(block, "```console\n"), "```")
		var out strings.Builder
		for _, example := range examples(block) {
			ran++
			got := example.run(t, bin, root)
			if !*update && normal(got) != normal(example.output) {
				t.Errorf("$ %s\nprints\n%s\nand the README says\n%s", example.command, got, example.output)
			}
			fmt.Fprintf(&out, "$ %s\n%s", example.command, got)
		}
		return "```console\n" + out.String() + "```"
	})
	if ran == 0 {
		t.Error("the README has no console block with a command")
	}
	if *update {
		if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLinks holds that what the README and the examples link to is there.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):#]+)\)`)
	for _, page := range []string{"../../README.md", "../../examples/README.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}

// example is a command and what it prints.
type example struct{ command, output string }

// examples takes a console block apart. A command goes on after a backslash at a
// line's end.
func examples(block string) []example {
	var all []example
	continued := false
	for line := range strings.Lines(block) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, example{command: command})
			continued = strings.HasSuffix(line, "\\\n")
			continue
		}
		if len(all) == 0 {
			continue
		}
		last := &all[len(all)-1]
		if continued {
			last.command += line
			continued = strings.HasSuffix(line, "\\\n")
		} else {
			last.output += line
		}
	}
	for i := range all {
		all[i].command = strings.TrimSuffix(all[i].command, "\n")
	}
	return all
}

// run runs the command in the repository's root.
func (e example) run(t *testing.T, bin, root string) string {
	out, err := inShell(t, bin, root, strings.NewReplacer("go run ./cmd/adjutant", "adjutant", "go tool -modfile=tools/go.mod grpcurl", "grpcurl").Replace(e.command))
	if err != nil {
		t.Errorf("$ %s: %v", e.command, err)
	}
	return out
}

// programs gives a folder in which this test binary goes by the names of programs.
func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"adjutant", "grpcurl"} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// inShell runs a command as a user would type it. One that starts nothing but adjutant
// runs in process, since a process under the race detector takes a second to start.
func inShell(t *testing.T, bin, dir, command string) (string, error) {
	t.Helper()
	args, alone := strings.CutPrefix(command, "adjutant ")
	alone = alone && !strings.ContainsAny(args, "|<>")
	if alone {
		command = `printf '%s\0' ` + args
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", command)
	shell.Dir = dir
	shell.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := shell.CombinedOutput()
	if err != nil || !alone {
		return string(out), err
	}
	t.Chdir(dir)
	var both bytes.Buffer
	if code := Main(t.Context(), strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), nil, &both, &both); code != exitOK {
		err = fmt.Errorf("exit code %d", code)
	}
	return both.String(), err
}

// unstable matches what says nothing about an answer: ids of decisions, digests of
// snapshots and weights.
var unstable = regexp.MustCompile(`"id": ?"[A-Z2-7]{26}"|\b[0-9a-f]{12}([0-9a-f]{4})?\b`)

// float matches a JSON number with a fraction. Its last digits may differ from one kind
// of processor to another. Amounts are exact; they stand in quotation marks.
var float = regexp.MustCompile(`": ?-?[0-9]+\.[0-9e-]+`)

func normal(output string) string {
	output = unstable.ReplaceAllString(output, "...")
	return float.ReplaceAllStringFunc(output, func(number string) string {
		name, digits, _ := strings.Cut(number, ":")
		x, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil {
			return number
		}
		return fmt.Sprintf("%s: %.4f", name, x)
	})
}

// grpcurl prints what grpcurl -plaintext -d REQUEST ADDRESS SERVICE/METHOD would.
func grpcurl(args []string) error {
	if len(args) != 5 || args[0] != "-plaintext" || args[1] != "-d" || args[3] != "127.0.0.1:50051" {
		return fmt.Errorf("the stand-in for grpcurl does not know %q", args)
	}
	router, err := server.LoadRouter(server.Config{Encoder: true})
	if err != nil {
		return err
	}
	service := server.NewService(func() *routing.Router { return router }, time.Now, slog.Default())
	var answer proto.Message
	switch args[4] {
	case "adjutant.v1.RoutingService/Classify":
		answer, err = askJSON(args[2], service.Classify)
	case "adjutant.v1.RoutingService/Route":
		answer, err = askJSON(args[2], service.Route)
	case "adjutant.v1.RoutingService/EstimateCost":
		answer, err = askJSON(args[2], service.EstimateCost)
	default:
		err = fmt.Errorf("no method %s", args[4])
	}
	if err != nil {
		return err
	}
	text, err := protojson.Marshal(answer)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, out.String())
	return err
}

func askJSON[Q any, A proto.Message](text string, ask func(context.Context, *Q) (A, error)) (proto.Message, error) {
	request := new(Q)
	if err := protojson.Unmarshal([]byte(text), any(request).(proto.Message)); err != nil {
		return nil, err
	}
	return ask(context.Background(), request)
}
