// Benchserver measures what Adjutant's server costs beside a bare gRPC server that
// echoes messages of the same sizes. It prints ratios: absolute figures depend on
// the machine.
//
//	make bench-server
//
// The servers run in a child process, whose CPU time is read before and after each
// round; the client runs in this one. Where taskset is there, each has half of the
// cores to itself. Rounds of all targets alternate, so that what disturbs the machine
// disturbs all. Adjutant has everything on: telemetry with one call in ten traced to a
// collector (in this process), a log line a call written to a file, bearer tokens, rate
// limits, validation and recovery.
//
// First each target is called as fast as it answers. Then it is called at half of the
// rate that it reached so, at random times that do not depend on when answers come
// (an open loop, so that a call that is late does not put off those after it), in many
// short rounds. Their ratios are medians over rounds, with the interval in which the
// median lies with 95% confidence.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

func main() {
	serve := flag.Bool("serve", false, "be the child that serves")
	rounds := flag.Int("rounds", 12, "rounds of each target; four times as many of half the length at half load")
	length := flag.Duration("length", 700*time.Millisecond, "of a round")
	only := flag.String("only", "", "measure only targets whose name matches this regular expression")
	profile := flag.String("profile", "", "write a CPU profile of the child to this file")
	flag.Parse()
	var err error
	if *serve {
		err = runChild(os.Stdin, os.Stdout, *profile)
	} else {
		err = run(*rounds, *length, *only, *profile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// target is one kind of call.
type target struct {
	name    string
	tasks   int // in one call
	call    func(context.Context) error
	cpu     []float64 // server CPU a call in µs, one a round
	rate    []float64 // calls a second, one a round
	latency []time.Duration
	p50     []float64 // in µs, one a round at half load
	p99     []float64
}

func run(rounds int, length time.Duration, only, profile string) error {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer collector.Close()
	child, err := startChild(collector.URL, profile)
	if err != nil {
		return err
	}
	defer child.stop()
	// Collecting the client's garbage would be seen as latency of the server.
	debug.SetGCPercent(1000)
	targets, err := makeTargets(child)
	if err != nil {
		return err
	}
	targets = slices.DeleteFunc(targets, func(t *target) bool { return !chosen.MatchString(t.name) })

	for round := range rounds + 1 {
		for _, t := range targets {
			before, err := child.cpu()
			if err != nil {
				return err
			}
			calls, took, err := saturate(t, length)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			after, err := child.cpu()
			if err != nil {
				return err
			}
			if round == 0 {
				continue // warming up
			}
			t.cpu = append(t.cpu, float64(after-before)/float64(calls)/1e3)
			t.rate = append(t.rate, float64(calls)/took.Seconds())
		}
	}
	for round := range 4*rounds + 1 {
		slices.Reverse(targets) // so that none always follows the same
		for _, t := range targets {
			// The same times for all, but for the rate.
			latencies, err := halfLoad(t, length/2, rand.New(rand.NewPCG(1, uint64(round))))
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			if round == 0 {
				continue
			}
			t.latency = append(t.latency, latencies...)
			slices.Sort(latencies)
			t.p50 = append(t.p50, float64(latencies[len(latencies)/2].Microseconds()))
			t.p99 = append(t.p99, float64(latencies[len(latencies)*99/100].Microseconds()))
		}
	}
	report(targets)
	return nil
}

// saturate calls as fast as the answers come.
func saturate(t *target, length time.Duration) (calls int64, took time.Duration, err error) {
	callers := 16
	if t.tasks > 1 {
		callers = 4 // more batches would be refused: they count by their tasks
	}
	var count atomic.Int64
	var failed atomic.Pointer[error]
	started := time.Now()
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for time.Since(started) < length {
				if err := t.call(context.Background()); err != nil {
					failed.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return 0, 0, *err
	}
	return count.Load(), time.Since(started), nil
}

// halfLoad calls at half the rate that saturates the target, at random times, and gives
// how long each call took.
func halfLoad(t *target, length time.Duration, random *rand.Rand) ([]time.Duration, error) {
	between := 2 / median(t.rate) * float64(time.Second)
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wait sync.WaitGroup
	started := time.Now()
	for next := started; ; {
		next = next.Add(time.Duration(random.ExpFloat64() * between))
		if next.Sub(started) > length {
			break
		}
		sleep(time.Until(next))
		wait.Go(func() {
			sent := time.Now()
			err := t.call(context.Background())
			took := time.Since(sent)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took)
			if err != nil {
				failed = err
			}
		})
	}
	wait.Wait()
	if len(all) == 0 {
		return nil, errors.New("no call was made: give longer rounds")
	}
	return all, failed
}

func report(targets []*target) {
	byName := map[string]*target{}
	for _, t := range targets {
		slices.Sort(t.latency)
		byName[t.name] = t
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "target\tserver CPU a call\tcalls/s\tp50 at half load\tp99 at half load\t")
	for _, t := range targets {
		fmt.Fprintf(w, "%s\t%.1f µs\t%.0f\t%s\t%s\t\n", t.name, median(t.cpu), median(t.rate), t.percentile(50), t.percentile(99))
	}
	w.Flush()
	fmt.Fprintln(os.Stdout)
	w = tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ratio\tmeasured\tgoal")
	ratio := func(what, name, over string, of func(*target) []float64, goal string) {
		a, b := byName[name], byName[over]
		if a == nil || b == nil {
			return
		}
		r := ratios(of(a), of(b))
		low, high := medianBetween(r)
		fmt.Fprintf(w, "%s of %s to %s\t%.2f (%.2f to %.2f)\t%s\n", what, name, over, median(r), low, high, goal)
	}
	cpu := func(t *target) []float64 { return t.cpu }
	p50 := func(t *target) []float64 { return t.p50 }
	p99 := func(t *target) []float64 { return t.p99 }
	pairs := [][2]string{{"Classify", "echo that classifies"}, {"EstimateCost", "plain echo as EstimateCost"}, {"Route", "echo that classifies"}}
	for i, goal := range []string{"≤ 1.6", "≤ 1.6", "≤ 2.0"} {
		ratio("CPU", pairs[i][0], pairs[i][1], cpu, goal)
	}
	for _, pair := range pairs {
		ratio("p50 at half load", pair[0], pair[1], p50, "")
	}
	for _, pair := range pairs {
		ratio("p99 at half load", pair[0], pair[1], p99, "≤ 1.3")
	}
	if single, batch := byName["Classify"], byName["BatchClassify of 100"]; single != nil && batch != nil {
		fmt.Fprintf(w, "tasks per CPU-second of BatchClassify to Classify\t%.2f\t≥ 2.0\n", median(single.cpu)/(median(batch.cpu)/float64(batch.tasks)))
	}
	w.Flush()
}

// ratios are taken round by round, since rounds that follow each other saw the same
// machine.
func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return r
}

func median(values []float64) float64 { return quantile(values, 0.5) }

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// medianBetween gives where the median lies with 95% confidence, whatever the
// distribution: between the values that are about a root of n away from the middle.
func medianBetween(values []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := float64(len(sorted))
	away := 0.98 * math.Sqrt(n)
	return sorted[max(0, int(n/2-away))], sorted[min(len(sorted)-1, int(n/2+away))]
}

// percentile needs sorted latencies.
func (t *target) percentile(p int) time.Duration {
	return t.latency[len(t.latency)*p/100].Round(time.Microsecond)
}

func makeTargets(c *child) ([]*target, error) {
	adjutant, err := connect(c.addresses.Adjutant)
	if err != nil {
		return nil, err
	}
	bare, err := connect(c.addresses.Echo)
	if err != nil {
		return nil, err
	}
	one := func(name string, tasks int, call caller, method string, request proto.Message, answer func() proto.Message) *target {
		return &target{name: name, tasks: tasks, call: func(ctx context.Context) error { return call(ctx, method, request, answer()) }}
	}
	const service = "/adjutant.v1.RoutingService/"
	encoder, err := connect(c.addresses.Encoder)
	if err != nil {
		return nil, err
	}
	inTurn := func(name, method string, requests []proto.Message, answer func() proto.Message) *target {
		var next atomic.Uint64
		return &target{name: name, tasks: 1, call: func(ctx context.Context) error {
			return encoder(ctx, method, requests[next.Add(1)%uint64(len(requests))], answer())
		}}
	}
	var classifies, routes []proto.Message
	for _, task := range mixture() {
		classifies = append(classifies, &adjutantv1.ClassifyRequest{Task: task})
		routes = append(routes, &adjutantv1.RouteRequest{Task: task, AsOf: asOf})
	}
	bytes := func() proto.Message { return &wrapperspb.BytesValue{} }
	estimateSized := wrapperspb.String(strings.Repeat("x", proto.Size(estimateRequest)))
	return []*target{
		one("Classify", 1, adjutant, service+"Classify", classifyRequest, func() proto.Message { return &adjutantv1.ClassifyResponse{} }),
		one("echo that classifies", 1, bare, "/bench.Echo/Classifies", wrapperspb.String(text), bytes),
		one("Route", 1, adjutant, service+"Route", routeRequest, func() proto.Message { return &adjutantv1.RouteResponse{} }),
		one("plain echo as Classify", 1, bare, "/bench.Echo/Classify", wrapperspb.String(text), bytes),
		one("EstimateCost", 1, adjutant, service+"EstimateCost", estimateRequest, func() proto.Message { return &adjutantv1.EstimateCostResponse{} }),
		one("plain echo as EstimateCost", 1, bare, "/bench.Echo/EstimateCost", estimateSized, bytes),
		one("BatchClassify of 100", len(batchRequest.GetRequests()), adjutant, service+"BatchClassify", batchRequest, func() proto.Message { return &adjutantv1.BatchClassifyResponse{} }),
		inTurn("Classify, encoder on", service+"Classify", classifies, func() proto.Message { return &adjutantv1.ClassifyResponse{} }),
		inTurn("Route, encoder on", service+"Route", routes, func() proto.Message { return &adjutantv1.RouteResponse{} }),
	}, nil
}

// caller makes calls over a few connections in turn.
type caller func(ctx context.Context, method string, request, answer proto.Message) error

func connect(address string) (caller, error) {
	var conns [4]*grpc.ClientConn
	for i := range conns {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		conns[i] = conn
	}
	var next atomic.Uint64
	return func(ctx context.Context, method string, request, answer proto.Message) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // as clients should
		defer cancel()
		ctx = metadata.NewOutgoingContext(ctx, metadata.Pairs("authorization", "Bearer "+token))
		return conns[next.Add(1)%uint64(len(conns))].Invoke(ctx, method, request, answer)
	}, nil
}

// child is the process that serves.
type child struct {
	command   *exec.Cmd
	in        io.WriteCloser
	out       *bufio.Scanner
	addresses addresses
}

func startChild(collector, profile string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	arguments := []string{self, "-serve", "-profile", profile}
	cores := runtime.NumCPU()
	if taskset, err := exec.LookPath("taskset"); err == nil && cores > 1 {
		// The server has the lower half of the cores, this process the upper.
		arguments = append([]string{taskset, "-c", fmt.Sprintf("0-%d", cores/2-1)}, arguments...)
		upper := exec.Command(taskset, "-a", "-c", "-p", fmt.Sprintf("%d-%d", cores/2, cores-1), strconv.Itoa(os.Getpid()))
		if out, err := upper.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("taskset: %w: %s", err, out)
		}
		runtime.GOMAXPROCS(cores - cores/2 + 1) // one waits in sleep
		cores /= 2
		fmt.Fprintf(os.Stdout, "server and client have cores of their own; %d for the server\n\n", cores)
	} else {
		fmt.Fprintf(os.Stdout, "server and client share %d cores\n\n", cores)
	}
	c := &child{command: exec.Command(arguments[0], arguments[1:]...)}
	// Run sets the collector so; the echoes in the same process have the benefit too.
	c.command.Env = append(os.Environ(), "GOGC=400", "GOMAXPROCS="+strconv.Itoa(cores), "OTEL_EXPORTER_OTLP_ENDPOINT="+collector, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.1")
	c.command.Stderr = os.Stderr
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	if !c.out.Scan() {
		return nil, errors.New("the child didn't start")
	}
	return c, json.Unmarshal(c.out.Bytes(), &c.addresses)
}

// cpu gives the CPU time that the child has used, in nanoseconds.
func (c *child) cpu() (ns int64, err error) {
	if _, err := fmt.Fprintln(c.in); err != nil {
		return 0, err
	}
	if !c.out.Scan() {
		return 0, errors.New("the child is gone")
	}
	_, err = fmt.Sscan(c.out.Text(), &ns)
	return ns, err
}

func (c *child) stop() {
	_ = c.in.Close()
	_ = c.command.Wait()
}
