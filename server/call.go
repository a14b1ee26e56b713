package server

import (
	"context"
	"time"

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
	stageRead   stage = iota // validate the request and convert it
	stageDecide              // classify, price, route
	stageAnswer              // convert the answer
	numStages
)

var stageNames = [numStages]string{"read", "decide", "answer"}

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

// startBatch ends the timing of stages, since the requests of a batch are answered
// side by side.
func (c *call) startBatch() {
	if c != nil {
		c.batch = true
	}
}

// identified gives the authenticated caller; the zero identity restricts nothing.
func (c *call) identified() routing.Identity {
	if c == nil {
		return routing.Identity{}
	}
	return c.identity
}

func (c *call) countPanic() {
	if c != nil {
		c.telemetry.panics.Add(context.Background(), 1)
	}
}
