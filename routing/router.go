package routing

import (
	"context"
	"time"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// Router decides. It is one snapshot of classifier, catalogue and policies,
// immutable and safe for concurrent use; a reload makes a new one.
type Router struct {
	classifier *classifier.Classifier
	catalogue  *pricing.Catalogue
	policies   map[string]*policy
	snapshot   string
}

// CostRequest asks what calls cost: by Usage where that is set, else by Task.
type CostRequest struct {
	// Models are names as requests give them, at least one.
	Models []string
	Task   Task
	// Usage is what is known of the call; nil means estimate it from Task.
	Usage       *pricing.Usage
	ServiceTier pricing.ServiceTier
	Region      string
	// AsOf must be set.
	AsOf time.Time
	// Calls is how many such calls are made; 0 means 1.
	Calls int64
	// SharedInputTokens is how many input tokens, from the front, are the same in all
	// calls. 0 means all of them.
	SharedInputTokens int64
	Identity          Identity
}

// CostAnswer says what calls cost.
type CostAnswer struct {
	// Estimates are cheapest first; equal ones in the order asked.
	Estimates []Estimate
	// Alternatives come cheaper than the first estimate, cheapest first.
	Alternatives []Alternative
}

// AlternativeKind is a way that can come cheaper. The numbers are those of
// adjutant.v1.AlternativeKind.
type AlternativeKind uint8

// The ways that can come cheaper.
const (
	AlternativeCache AlternativeKind = iota + 1
	AlternativeBatch
	AlternativePlan
	AlternativeFlex
)

// Alternative is a cheaper way to the same result.
type Alternative struct {
	Kind  AlternativeKind
	Text  string
	Model *pricing.Model
	// Cost is what all calls cost this way.
	Cost    pricing.Money
	Savings Savings
	// Steps are those of AlternativePlan, else nil.
	Steps []Step
}

// ModelsRequest asks which models are on offer. What is set must hold together.
type ModelsRequest struct {
	Policy           string
	Providers        []string
	Tiers            []classifier.Tier
	Capabilities     []pricing.Capability
	MinContextTokens int64
	IncludeRetired   bool
	AsOf             time.Time
	Identity         Identity
}

// ListedModel is a model and the tier that the policy has it serve; 0 for none.
type ListedModel struct {
	*pricing.Model
	Tier classifier.Tier
}

// Snapshot is the digest of policies, catalogue and classifier weights.
func (r *Router) Snapshot() string { return r.snapshot }

// Catalogue is the one that the router prices with.
func (r *Router) Catalogue() *pricing.Catalogue { return r.catalogue }

// Classify says what a task needs. The error is ctx's.
func (r *Router) Classify(ctx context.Context, t Task) (classifier.Classification, error) {
	got, err := r.classifier.Classify(ctx, t.Task)
	if err == nil && t.ExpectedOutputTokens > 0 {
		n := t.ExpectedOutputTokens
		got.OutputTokens = classifier.TokenRange{Low: n, Median: n, High: n, Mean: n}
	}
	return got, err
}
