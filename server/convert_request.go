package server

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
	"github.com/adjutant-dev/adjutant/routing"
)

// Requests become domain types here, after validate.go has passed them. Tier, Stage,
// Role, Outcome and ReasonCode have the same numbers on both sides; convert_test.go
// holds that.

func taskOf(t *adjutantv1.Task) routing.Task {
	task := routing.Task{
		Capabilities:         capabilitiesOf(t.GetRequiredCapabilities()),
		ExpectedOutputTokens: t.GetExpectedOutputTokens(),
		Labels:               t.GetLabels(),
	}
	switch input := t.GetInput().(type) {
	case *adjutantv1.Task_Prompt:
		task.Task = classifier.Prompt(input.Prompt)
	case *adjutantv1.Task_Conversation:
		messages := input.Conversation.GetMessages()
		task.Messages = make([]classifier.Message, len(messages))
		for i, m := range messages {
			task.Messages[i] = classifier.Message{Role: classifier.Role(m.GetRole()), Content: m.GetContent()}
		}
	}
	task.Material = classifier.Material{InputTokens: t.GetMaterial().GetInputTokens(), ItemCount: t.GetMaterial().GetItemCount()}
	task.Stage = classifier.Stage(t.GetStage())
	return task
}

// capabilitiesOf gives what is required. The contract counts from 1, pricing from 0.
func capabilitiesOf(list []adjutantv1.Capability) []pricing.Capability {
	if len(list) == 0 {
		return nil
	}
	capabilities := make([]pricing.Capability, len(list))
	for i, c := range list {
		capabilities[i] = pricing.Capability(c - 1)
	}
	return capabilities
}

// routeRequestOf leaves AsOf and Identity to the caller: they are not in the message alone.
func routeRequestOf(req *adjutantv1.RouteRequest) routing.Request {
	return routing.Request{
		Task:        taskOf(req.GetTask()),
		Policy:      req.GetPolicy(),
		Constraints: constraintsOf(req.GetConstraints()),
		Session:     sessionOf(req.GetSession()),
		Plan:        planModeOf(req.GetPlanMode()),
		ServiceTier: requestedServiceTier(req.GetServiceTier()),
		Region:      req.GetRegion(),
	}
}

func constraintsOf(c *adjutantv1.Constraints) routing.Constraints {
	constraints := routing.Constraints{
		MinTier:          classifier.Tier(c.GetMinTier()),
		MaxTier:          classifier.Tier(c.GetMaxTier()),
		Providers:        c.GetAllowedProviders(),
		DeniedModels:     c.GetDeniedModels(),
		MinContextTokens: c.GetMinContextTokens(),
		MaxLatency:       durationOf(c.GetMaxLatency()),
	}
	if m := c.GetMaxCost(); m != nil {
		limit, _ := pricing.MoneyOf(m.GetUnits(), m.GetNanos()) // checked in validate.go
		constraints.MaxCost = &limit
	}
	return constraints
}

func sessionOf(s *adjutantv1.Session) routing.Session {
	session := routing.Session{
		CurrentModel:      s.GetCurrentModel(),
		CachedInputTokens: s.GetCachedInputTokens(),
		CacheAge:          durationOf(s.GetCacheAge()),
	}
	if attempts := s.GetAttempts(); len(attempts) > 0 {
		session.Attempts = make([]routing.Attempt, len(attempts))
		for i, a := range attempts {
			session.Attempts[i] = routing.Attempt{Model: a.GetModel(), Outcome: routing.Outcome(a.GetOutcome()), Elapsed: durationOf(a.GetElapsed())}
		}
	}
	return session
}

func planModeOf(m adjutantv1.PlanMode) routing.PlanMode {
	switch m {
	case adjutantv1.PlanMode_PLAN_MODE_SINGLE_STEP:
		return routing.PlanNever
	case adjutantv1.PlanMode_PLAN_MODE_TWO_STEP:
		return routing.PlanAlways
	default:
		return routing.PlanAllowed
	}
}

// requestedServiceTier takes unset for standard. The contract counts from 1, pricing from 0.
func requestedServiceTier(t adjutantv1.ServiceTier) pricing.ServiceTier {
	if t == adjutantv1.ServiceTier_SERVICE_TIER_UNSPECIFIED {
		return pricing.Standard
	}
	return pricing.ServiceTier(t - 1)
}

func costRequestOf(req *adjutantv1.EstimateCostRequest) routing.CostRequest {
	request := routing.CostRequest{
		Models:      req.GetModels(),
		ServiceTier: requestedServiceTier(req.GetServiceTier()),
		Region:      req.GetRegion(),
		Calls:       req.GetCalls(),

		SharedInputTokens: req.GetSharedInputTokens(),
	}
	switch input := req.GetInput().(type) {
	case *adjutantv1.EstimateCostRequest_Task:
		request.Task = taskOf(input.Task)
	case *adjutantv1.EstimateCostRequest_Usage:
		usage := usageOf(input.Usage)
		request.Usage = &usage
	}
	return request
}

func usageOf(u *adjutantv1.Usage) pricing.Usage {
	usage := pricing.Usage{
		InputTokens:          u.GetInputTokens(),
		OutputTokens:         u.GetOutputTokens(),
		CacheReadTokens:      u.GetCacheReadTokens(),
		CacheWriteTokens:     u.GetCacheWriteTokens(),
		ReasoningTokens:      u.GetReasoningTokens(),
		InputAudioTokens:     u.GetInputAudioTokens(),
		OutputAudioTokens:    u.GetOutputAudioTokens(),
		CacheReadAudioTokens: u.GetCacheReadAudioTokens(),
		InputImageTokens:     u.GetInputImageTokens(),
		OutputImageTokens:    u.GetOutputImageTokens(),
	}
	if writes := u.GetCacheWrites(); len(writes) > 0 {
		usage.CacheWrites = make([]pricing.CacheWrite, len(writes))
		for i, w := range writes {
			usage.CacheWrites[i] = pricing.CacheWrite{TTL: durationOf(w.GetTtl()), Tokens: w.GetTokens()}
		}
	}
	return usage
}

// modelsRequestOf leaves AsOf and Identity to the caller.
func modelsRequestOf(req *adjutantv1.ListModelsRequest) routing.ModelsRequest {
	f := req.GetFilter()
	request := routing.ModelsRequest{
		Policy:           req.GetPolicy(),
		Providers:        f.GetProviders(),
		Capabilities:     capabilitiesOf(f.GetCapabilities()),
		MinContextTokens: f.GetMinContextTokens(),
		IncludeRetired:   f.GetIncludeRetired(),
	}
	for _, t := range f.GetTiers() {
		request.Tiers = append(request.Tiers, classifier.Tier(t))
	}
	return request
}

// durationOf gives 0 for one that is not set.
func durationOf(d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.AsDuration()
}
