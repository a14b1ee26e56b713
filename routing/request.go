package routing

import (
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// Task is what a caller is about to ask a model, and what the decision needs to
// know beyond its text.
type Task struct {
	classifier.Task

	// Capabilities are those that a model must be stated to have.
	Capabilities []pricing.Capability
	// ExpectedOutputTokens replaces the classifier's estimate of the answer's
	// length, in tokens. 0 means not known.
	ExpectedOutputTokens int64
	// Labels are for policy rules and metrics. They never hold prompt text.
	Labels map[string]string
}

// PlanMode says whether an answer may be a plan of two steps.
type PlanMode uint8

const (
	// PlanAllowed prices a plan beside the single calls and recommends it where its
	// expected total is lowest. It is the zero value.
	PlanAllowed PlanMode = iota
	// PlanNever considers single calls only.
	PlanNever
	// PlanAlways recommends the best plan there is, whatever a single call would cost.
	PlanAlways
)

// Request asks what to do with a task. It holds everything that the decision
// depends on: the time is passed in, never read.
type Request struct {
	Task Task
	// Policy names the policy. Empty means Identity's, else "default".
	Policy      string
	Constraints Constraints
	Session     Session
	Plan        PlanMode
	ServiceTier pricing.ServiceTier
	// Region pins inference; empty means not pinned.
	Region string
	// AsOf selects prices and retirements. It must be set.
	AsOf time.Time
	// Identity is what the server knows of the authenticated caller. The zero value
	// restricts nothing.
	Identity Identity
}

// Constraints narrow what the policy and the identity allow. They never widen it.
type Constraints struct {
	// MaxCost is the most that one call, or both steps of a plan, may be expected
	// to cost. Nil means no limit; a limit of zero leaves only free models.
	MaxCost *pricing.Money
	// MinTier and MaxTier bound the tier; zero means no bound.
	MinTier, MaxTier classifier.Tier
	// Providers are the only ones to use. Empty means all.
	Providers []string
	// DeniedModels are never used, under any of their names.
	DeniedModels []string
	// MinContextTokens is the least context window, in tokens.
	MinContextTokens int64
	// MaxLatency bounds the expected time to the whole answer. Zero means no bound.
	// A model whose speed the policy does not state fails it.
	MaxLatency time.Duration
}

// Identity is what authentication says about the caller.
type Identity struct {
	// Tenant names the caller in metrics and logs.
	Tenant string
	// Policy is used where a request names none.
	Policy string
	// Policies are the only ones that the caller may name. Empty means all.
	Policies []string
	// MaxTier is a ceiling above which no request of the caller goes. Zero means
	// none. It is never raised by anything in a request.
	MaxTier classifier.Tier
}

// Session is what happened before, as the caller tells it.
type Session struct {
	// CurrentModel is the model that the session runs on. Empty means none.
	CurrentModel string
	// CachedInputTokens is how much of the task's input that model has cached.
	CachedInputTokens int64
	// CacheAge is how long ago the cache was last used. One older than the
	// provider's default lifetime counts as gone.
	CacheAge time.Duration
	// Attempts are earlier tries at this very task, oldest first.
	Attempts []Attempt
}

// Attempt is one earlier try.
type Attempt struct {
	Model   string
	Outcome Outcome
	Elapsed time.Duration
}

// Outcome is how a try ended.
type Outcome uint8

// The outcomes. The zero value says nothing.
const (
	// Succeeded says nothing against the model.
	Succeeded Outcome = iota + 1
	// Failed shows that the task needs more than the model's tier.
	Failed
	// Stalled shows the same: the model went round in circles or gave up.
	Stalled
	// Refused sends the task to another provider.
	Refused
	// Unavailable sends the task to the next model of the same tier.
	Unavailable
)
