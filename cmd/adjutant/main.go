package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// The exit codes, as `adjutant --help` documents them.
const (
	exitOK          = 0
	exitFailed      = 1   // the work failed, or at least one request was refused
	exitUsage       = 2   // unknown command or flag, a bad value or setting, no task
	exitUnhealthy   = 3   // healthcheck: not serving, or not reachable
	exitInterrupted = 130 // stopped by a signal: 128 + SIGINT, as shells have it
)

// command is one subcommand.
type command struct {
	name string
	// define defines the command's flags and gives what to do once they are read.
	define func(*flags) run
	help   string
}

// run does a command's work with its arguments that are not flags.
type run func(ctx context.Context, p *program, positional []string) error

// commands are in the order in which people meet them.
func commands() []command {
	return []command{
		{"serve", serve, serveHelp},
		{"classify", classify, classifyHelp},
		{"route", route, routeHelp},
		{"estimate", estimate, estimateHelp},
		{"models", models, modelsHelp},
		{"policy", policy, policyHelp},
		{"simulate", simulate, simulateHelp},
		{"evaluate", evaluate, evaluateHelp},
		{"train", trainWeights, trainHelp},
		{"healthcheck", healthcheck, healthcheckHelp},
		{"version", printVersion, versionHelp},
	}
}

// program is one run of the binary: where a subcommand reads and writes.
type program struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// usageError is a mistake in how the program was called.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// unhealthyError says that a server does not serve.
type unhealthyError struct{ msg string }

func (e *unhealthyError) Error() string { return e.msg }

// errRefused says that a request was refused and that the output already says so.
var errRefused = errors.New("refused")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Main runs the program with args, which do not hold its name, and gives the exit
// code. It may be called many times in one process: tests do.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin, stdout, stderr}
	if len(args) == 0 {
		io.WriteString(stderr, mainHelp)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "--help", "-help", "-h":
		if len(rest) == 0 {
			io.WriteString(stdout, mainHelp)
			return exitOK
		}
		name, rest = rest[0], []string{"--help"}
	case "--version", "-version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			f := newFlags()
			do := c.define(f)
			positional, err := f.parse(rest)
			if err == nil {
				err = do(ctx, p, positional)
			}
			return p.exit(ctx, c, err)
		}
	}
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	fmt.Fprintf(stderr, "adjutant: no command %q%s\nRun 'adjutant --help' for the list.\n", name, didYouMean(name, names))
	return exitUsage
}

// exit says on stderr what went wrong and gives the exit code for it.
func (p *program) exit(ctx context.Context, c command, err error) int {
	var usage *usageError
	var unhealthy *unhealthyError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(p.stdout, c.help)
		return exitOK
	case errors.Is(err, errRefused):
		return exitFailed
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "adjutant %s: %v\nRun 'adjutant %s --help' for flags and examples.\n", c.name, err, c.name)
		return exitUsage
	case errors.As(err, &unhealthy):
		fmt.Fprintf(p.stderr, "adjutant %s: %v\n", c.name, err)
		return exitUnhealthy
	}
	fmt.Fprintf(p.stderr, "adjutant %s: %s\n", c.name, strings.TrimSpace(errorText(err)))
	return exitFailed
}
