package server

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"google.golang.org/protobuf/proto"

	"github.com/adjutant-dev/adjutant/routing"
)

// call is what is gathered of one RPC while it is served; telemetry tells it at the
// end. It is the only value of ours in a context. All methods take nil: in process,
// without a server around it, nobody gathers.
type call struct {
	telemetry *telemetry
	method    string // full name, "/adjutant.v1.RoutingService/Route"
	started   time.Time
	identity  routing.Identity
	tenant    *tenant // nil where nobody is asked who they are

	turn         turn   // on a core, from when the message is there
	afterSending func() // nil for nothing to do then
	requestBytes int
	answer       proto.Message // nil for a refused call
	answerBytes  int
	lastStage    time.Time
	stages       [numStages]time.Duration
	batch        bool
}

// stage is a part of the work on a single RPC.
type stage uint8

const (
	stageWait   stage = iota // for a core
	stageRead                // decode the request, validate and convert it
	stageDecide              // classify, price, route
	stageAnswer              // convert the answer
	numStages
)

var stageNames = [numStages]string{"wait", "read", "decide", "answer"}

type callKey struct{}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// received notes that the request is there; the stages begin.
func (c *call) received(bytes int) {
	if c != nil {
		c.requestBytes = bytes
		c.lastStage = time.Now()
	}
}

// answered notes the answer as it is sent.
func (c *call) answered(answer proto.Message, bytes int) {
	if c != nil {
		c.answer, c.answerBytes = answer, bytes
	}
}

// done notes the end of a stage.
func (c *call) done(s stage) {
	if c == nil || c.batch {
		return
	}
	now := time.Now()
	c.stages[s] = now.Sub(c.lastStage)
	c.lastStage = now
}

// startBatch ends the timing of stages and the call's own turn, since the requests of
// a batch are answered side by side, each in a turn of its own.
func (c *call) startBatch() {
	if c != nil {
		c.batch = true
		c.turn.end()
	}
}

// identified gives the authenticated caller; the zero identity restricts nothing.
func (c *call) identified() routing.Identity {
	if c == nil {
		return routing.Identity{}
	}
	return c.identity
}

// endBatch gives the call a turn again; it fails only where ctx is done.
func (c *call) endBatch(ctx context.Context, q *queue) (err error) {
	if c == nil {
		return ctx.Err()
	}
	c.turn, err = q.wait(ctx)
	return err
}

// whenSent calls f when the answer has been sent or will not be: a batch's has
// megabytes, and a client that reads slowly should not pile them up.
func (c *call) whenSent(f func()) {
	once := sync.OnceFunc(f)
	// Should gRPC not tell what became of the answer, it counts for a minute.
	timer := time.AfterFunc(time.Minute, once)
	c.afterSending = func() {
		timer.Stop()
		once()
	}
}

// end ends what the call still has.
func (c *call) end() {
	c.turn.end()
	if c.afterSending != nil {
		c.afterSending()
	}
}

func (c *call) countShed(reason []metric.AddOption) {
	if c != nil {
		c.telemetry.shed.Add(context.Background(), 1, reason...)
	}
}

func (c *call) countPanic() {
	if c != nil {
		c.telemetry.panics.Add(context.Background(), 1)
	}
}
