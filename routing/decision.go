package routing

import (
	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// Decision is what to do with a task. Its ID is the server's to give: equal
// requests on an equal snapshot give equal decisions.
type Decision struct {
	// Tier is that of Model.
	Tier classifier.Tier
	// Model is the best single call.
	Model *pricing.Model
	// Fallbacks are what to call where Model can't be reached, in that order. They
	// satisfy the same constraints, and none is below Tier.
	Fallbacks []*pricing.Model
	// Plan is the best pair of steps; nil where none was considered or possible.
	Plan *Plan
	// Estimate is what the single call costs.
	Estimate Estimate
	// Baseline is the same call on the policy's first judgment-tier model.
	Baseline Estimate
	// Savings compares what is recommended with Baseline.
	Savings Savings
	// Reasons say why, weightiest first.
	Reasons        []Reason
	Classification classifier.Classification
	// Policy is the name of the policy that decided.
	Policy string
	// ExpectedTotal is price, time and the chance of failure times its cost.
	ExpectedTotal pricing.Money
	// FailureProbability is the chance that Model fails the task.
	FailureProbability float64
}

// Plan is two steps that together do the task.
type Plan struct {
	// Steps are the design and the execution, in this order.
	Steps [2]Step
	// Recommended says that the plan has the lowest expected total, or that the
	// request wanted a plan whatever it costs.
	Recommended bool
	// Cost is what both steps together are expected to cost.
	Cost               pricing.Money
	Savings            Savings
	ExpectedTotal      pricing.Money
	FailureProbability float64
}

// Step is one call of a plan.
type Step struct {
	Stage classifier.Stage
	Tier  classifier.Tier
	Model *pricing.Model
	// Instruction is what to send, and Estimate what it costs; both are empty where the
	// plan is not recommended, whose Cost still says what both steps come to.
	Instruction string
	Estimate    Estimate
}

// Estimate is what one call costs: at the 10th percentile of the answer's
// length, at its mean, and at the 90th percentile.
type Estimate struct {
	Model               *pricing.Model
	Low, Expected, High pricing.Money
	// Cost holds the line items of Expected.
	Cost pricing.Cost
	// Usage is what Expected is priced on.
	Usage pricing.Usage
	// Counter says how the input tokens were counted.
	Counter pricing.Counter
	// Total is Expected times the number of calls, rounded once; 0 for one call.
	Total pricing.Money
}

// Savings is what is saved against another way.
type Savings struct {
	// Amount is below zero where this way costs more.
	Amount pricing.Money
	// Fraction is Amount as a part of the other way's cost; 0 where that is free.
	Fraction float64
}

// Reason is one reason of a decision.
type Reason struct {
	Code ReasonCode
	// Text is a sentence for people, with amounts and never with text of the task.
	Text string
	// Model is the one that it is about; nil for none.
	Model *pricing.Model
}

// ReasonCode is the stable kind of a reason. The numbers are those of
// adjutant.v1.ReasonCode; do not reorder.
type ReasonCode uint8

// The kinds of reason, as the contract documents them.
const (
	LowestExpectedTotal ReasonCode = iota + 1
	Counterfactual
	PlanPays
	PlanNotWorthIt
	PlanNotConsidered
	Escalated
	FailedOver
	RefusedElsewhere
	CacheKept
	CacheLeft
	StageDeclared
	TierFloor
	TierCeiling
	PolicyRule
	LittleEvidence
	ExcludedRetired
	ExcludedContext
	ExcludedCapability
	ExcludedCost
	ExcludedLatency
	ExcludedProvider
	ExcludedDenied
	ExcludedTier
	ExcludedRegion
	ExcludedServiceTier
	ExcludedAttempted
	ExcludedNoPrice
	OutputLimit
)
