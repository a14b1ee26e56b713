package server

import (
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
	"github.com/adjutant-dev/adjutant/routing"
)

// Domain types become answers here. Messages that always come together are made in
// one allocation, since a decision has some eighty of them.

func classificationOf(c *classifier.Classification) *adjutantv1.Classification {
	block := &struct {
		answer adjutantv1.Classification
		output adjutantv1.TokenRange
		tiers  [classifier.Tiers]adjutantv1.TierProbability
		refs   [classifier.Tiers]*adjutantv1.TierProbability
	}{}
	for i, p := range c.Probabilities {
		block.tiers[i].Tier = adjutantv1.Tier(i + 1)
		block.tiers[i].Probability = p
		block.refs[i] = &block.tiers[i]
	}
	block.output.Low = c.OutputTokens.Low
	block.output.Median = c.OutputTokens.Median
	block.output.High = c.OutputTokens.High
	block.output.Mean = c.OutputTokens.Mean

	a := &block.answer
	a.Tier = adjutantv1.Tier(c.Tier)
	a.Confidence = c.Confidence
	a.TierProbabilities = block.refs[:]
	a.Stage = adjutantv1.Stage(c.Stage)
	a.SplitProbability = c.SplitProbability
	a.InputTokens = c.InputTokens
	a.OutputTokens = &block.output
	a.Signals = signalsOf(c.Signals)
	a.Language = c.Language
	a.ClassifierVersion = c.Version
	return a
}

func signalsOf(signals []classifier.Signal) []*adjutantv1.Signal {
	if len(signals) == 0 {
		return nil
	}
	type block struct {
		signal adjutantv1.Signal
		span   adjutantv1.Span
	}
	blocks := make([]block, len(signals))
	list := make([]*adjutantv1.Signal, len(signals))
	for i := range signals {
		s, b := &signals[i], &blocks[i]
		b.signal.Name = s.Name
		b.signal.Detail = s.Detail
		b.signal.Tier = adjutantv1.Tier(s.Tier)
		b.signal.Weight = s.Weight
		if s.Span.End > 0 {
			b.span.MessageIndex = int32(s.Span.Message)
			b.span.StartByte = int32(s.Span.Start)
			b.span.EndByte = int32(s.Span.End)
			b.signal.Span = &b.span
		}
		list[i] = &b.signal
	}
	return list
}

// decisionOf leaves Id and Snapshot to the caller.
func decisionOf(d *routing.Decision) *adjutantv1.Decision {
	block := &struct {
		decision adjutantv1.Decision
		model    adjutantv1.ModelRef
		savings  savingsBlock
		total    money.Money
	}{}
	setModelRef(&block.model, d.Model)
	setMoney(&block.total, d.ExpectedTotal)

	a := &block.decision
	a.Tier = adjutantv1.Tier(d.Tier)
	a.Model = &block.model
	a.Fallbacks = modelRefsOf(d.Fallbacks)
	a.Estimate = estimateOf(&d.Estimate)
	a.Baseline = estimateOf(&d.Baseline)
	a.Savings = block.savings.set(d.Savings)
	a.Reasons = reasonsOf(d.Reasons)
	a.Classification = classificationOf(&d.Classification)
	a.Policy = d.Policy
	a.ExpectedTotal = &block.total
	a.FailureProbability = d.FailureProbability
	if d.Plan != nil {
		a.Plan = planOf(d.Plan)
	}
	return a
}

func planOf(p *routing.Plan) *adjutantv1.Plan {
	block := &struct {
		plan        adjutantv1.Plan
		savings     savingsBlock
		cost, total money.Money
	}{}
	setMoney(&block.cost, p.Cost)
	setMoney(&block.total, p.ExpectedTotal)
	a := &block.plan
	a.Steps = stepsOf(p.Steps[:])
	a.Recommended = p.Recommended
	a.Estimate = &block.cost
	a.Savings = block.savings.set(p.Savings)
	a.ExpectedTotal = &block.total
	a.FailureProbability = p.FailureProbability
	return a
}

func stepsOf(steps []routing.Step) []*adjutantv1.Step {
	type block struct {
		step  adjutantv1.Step
		model adjutantv1.ModelRef
	}
	blocks := make([]block, len(steps))
	list := make([]*adjutantv1.Step, len(steps))
	for i := range steps {
		s, b := &steps[i], &blocks[i]
		setModelRef(&b.model, s.Model)
		b.step.Stage = adjutantv1.Stage(s.Stage)
		b.step.Tier = adjutantv1.Tier(s.Tier)
		b.step.Model = &b.model
		b.step.Instruction = s.Instruction
		b.step.Estimate = estimateOf(&s.Estimate)
		list[i] = &b.step
	}
	return list
}

func reasonsOf(reasons []routing.Reason) []*adjutantv1.Reason {
	type block struct {
		reason adjutantv1.Reason
		model  adjutantv1.ModelRef
	}
	blocks := make([]block, len(reasons))
	list := make([]*adjutantv1.Reason, len(reasons))
	for i := range reasons {
		r, b := &reasons[i], &blocks[i]
		b.reason.Code = adjutantv1.ReasonCode(r.Code)
		b.reason.Text = r.Text
		if r.Model != nil {
			setModelRef(&b.model, r.Model)
			b.reason.Model = &b.model
		}
		list[i] = &b.reason
	}
	return list
}

func estimateOf(e *routing.Estimate) *adjutantv1.CostEstimate {
	if e.Model == nil {
		return nil
	}
	block := &struct {
		estimate            adjutantv1.CostEstimate
		model               adjutantv1.ModelRef
		low, expected, high money.Money
		usage               adjutantv1.Usage
		counter             adjutantv1.TokenCounter
	}{}
	setModelRef(&block.model, e.Model)
	setMoney(&block.low, e.Low)
	setMoney(&block.expected, e.Expected)
	setMoney(&block.high, e.High)
	setUsage(&block.usage, &e.Usage)

	a := &block.estimate
	a.Model = &block.model
	a.Low, a.Expected, a.High = &block.low, &block.expected, &block.high
	a.LineItems = lineItemsOf(e.Cost.Items)
	a.Usage = &block.usage
	a.PriceEffectiveFrom = dateOf(e.Cost.EffectiveFrom)
	a.Retired = e.Cost.Retired
	if e.Counter.Name != "" {
		block.counter.Name = e.Counter.Name
		block.counter.Exact = e.Counter.Exact
		block.counter.ErrorBound = e.Counter.ErrorBound
		a.TokensCountedBy = &block.counter
	}
	if e.Total != 0 {
		a.Total = moneyOf(e.Total)
	}
	return a
}

func lineItemsOf(items []pricing.LineItem) []*adjutantv1.LineItem {
	if len(items) == 0 {
		return nil
	}
	blocks := make([]adjutantv1.LineItem, len(items))
	list := make([]*adjutantv1.LineItem, len(items))
	for i := range items {
		item, b := &items[i], &blocks[i]
		b.Kind = kindOf(item.Kind)
		b.Tokens = item.Tokens
		b.UsdPerMillion = item.USDPerMillion()
		b.AmountUsd = item.AmountUSD()
		if item.TTL != 0 {
			b.CacheTtl = durationpb.New(item.TTL)
		}
		list[i] = b
	}
	return list
}

// kindOf translates: pricing orders kinds as bills do, the contract as they came.
func kindOf(k pricing.Kind) adjutantv1.LineItemKind {
	switch k {
	case pricing.KindInput:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_INPUT
	case pricing.KindCacheRead:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_CACHE_READ
	case pricing.KindCacheWrite:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_CACHE_WRITE
	case pricing.KindInputAudio:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_INPUT_AUDIO
	case pricing.KindCacheReadAudio:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_CACHE_READ_AUDIO
	case pricing.KindInputImage:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_INPUT_IMAGE
	case pricing.KindOutput:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_OUTPUT
	case pricing.KindReasoning:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_REASONING
	case pricing.KindOutputAudio:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_OUTPUT_AUDIO
	case pricing.KindOutputImage:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_OUTPUT_IMAGE
	default:
		return adjutantv1.LineItemKind_LINE_ITEM_KIND_UNSPECIFIED
	}
}

func setUsage(a *adjutantv1.Usage, u *pricing.Usage) {
	a.InputTokens = u.InputTokens
	a.OutputTokens = u.OutputTokens
	a.CacheReadTokens = u.CacheReadTokens
	a.CacheWriteTokens = u.CacheWriteTokens
	a.ReasoningTokens = u.ReasoningTokens
	a.InputAudioTokens = u.InputAudioTokens
	a.OutputAudioTokens = u.OutputAudioTokens
	a.CacheReadAudioTokens = u.CacheReadAudioTokens
	a.InputImageTokens = u.InputImageTokens
	a.OutputImageTokens = u.OutputImageTokens
	for _, w := range u.CacheWrites {
		a.CacheWrites = append(a.CacheWrites, &adjutantv1.CacheWrite{Ttl: durationpb.New(w.TTL), Tokens: w.Tokens})
	}
}

func costAnswerOf(c *routing.CostAnswer) *adjutantv1.EstimateCostResponse {
	a := &adjutantv1.EstimateCostResponse{Estimates: make([]*adjutantv1.CostEstimate, len(c.Estimates))}
	for i := range c.Estimates {
		a.Estimates[i] = estimateOf(&c.Estimates[i])
	}
	for _, alternative := range c.Alternatives {
		a.Alternatives = append(a.Alternatives, &adjutantv1.Alternative{
			Kind:    adjutantv1.AlternativeKind(alternative.Kind),
			Text:    alternative.Text,
			Model:   modelRefOf(alternative.Model),
			Cost:    moneyOf(alternative.Cost),
			Savings: new(savingsBlock).set(alternative.Savings),
			Steps:   stepsOf(alternative.Steps),
		})
	}
	return a
}

func modelRefOf(m *pricing.Model) *adjutantv1.ModelRef {
	if m == nil {
		return nil
	}
	return &adjutantv1.ModelRef{Provider: m.Provider, Id: m.ID}
}

func setModelRef(a *adjutantv1.ModelRef, m *pricing.Model) { a.Provider, a.Id = m.Provider, m.ID }

func modelRefsOf(models []*pricing.Model) []*adjutantv1.ModelRef {
	if len(models) == 0 {
		return nil
	}
	blocks := make([]adjutantv1.ModelRef, len(models))
	list := make([]*adjutantv1.ModelRef, len(models))
	for i, m := range models {
		setModelRef(&blocks[i], m)
		list[i] = &blocks[i]
	}
	return list
}

// savingsBlock is a message with its part.
type savingsBlock struct {
	savings adjutantv1.Savings
	amount  money.Money
}

func (b *savingsBlock) set(s routing.Savings) *adjutantv1.Savings {
	setMoney(&b.amount, s.Amount)
	b.savings.Amount = &b.amount
	b.savings.Fraction = s.Fraction
	return &b.savings
}

func moneyOf(m pricing.Money) *money.Money {
	a := &money.Money{}
	setMoney(a, m)
	return a
}

func setMoney(a *money.Money, m pricing.Money) {
	a.CurrencyCode = "USD"
	a.Units, a.Nanos = m.Units()
}

func serviceTierOf(t pricing.ServiceTier) adjutantv1.ServiceTier {
	return adjutantv1.ServiceTier(t + 1)
}

// dateOf gives 00:00 UTC, or nil for no date.
func dateOf(d pricing.Date) *timestamppb.Timestamp {
	if d == 0 {
		return nil
	}
	return timestamppb.New(d.Time())
}

// modelOf tells of a model as of a time.
func modelOf(m routing.ListedModel, asOf time.Time) *adjutantv1.Model {
	a := &adjutantv1.Model{
		Ref:                 modelRefOf(m.Model),
		DisplayName:         m.Name,
		Aliases:             slices.Sorted(slices.Values(m.Aliases)),
		Tier:                adjutantv1.Tier(m.Tier),
		ContextWindowTokens: m.ContextWindow,
		MaxOutputTokens:     m.MaxOutputTokens,
		Tokenizer:           m.Tokenizer,
		Lifecycle: &adjutantv1.Lifecycle{
			Released:   dateOf(m.Released),
			Deprecated: dateOf(m.Deprecated),
			Retires:    dateOf(m.Retired),
			Retired:    m.RetiredAt(asOf),
		},
	}
	if m.MaxInputTokens < m.ContextWindow {
		a.MaxInputTokens = m.MaxInputTokens
	}
	for number := adjutantv1.Capability(1); number <= adjutantv1.Capability_CAPABILITY_PROMPT_CACHING; number++ {
		switch m.Capabilities.Support(pricing.Capability(number - 1)) {
		case pricing.Yes:
			a.Capabilities = append(a.Capabilities, number)
		case pricing.Unknown:
			a.UnknownCapabilities = append(a.UnknownCapabilities, number)
		case pricing.No:
		}
	}

	today := pricing.DateOf(asOf)
	for i := range m.Periods {
		p := &m.Periods[i]
		switch {
		case p.From > today:
			a.ScheduledPrices = append(a.ScheduledPrices, priceOf(p))
		case p.Until == 0 || p.Until > today || m.RetiredAt(asOf):
			a.Price = priceOf(p)
		}
	}

	a.ServiceTiers = []adjutantv1.ServiceTier{adjutantv1.ServiceTier_SERVICE_TIER_STANDARD}
	for _, t := range m.Tiers {
		if t.From <= today && (t.Until == 0 || t.Until > today) {
			a.ServiceTiers = append(a.ServiceTiers, serviceTierOf(t.Tier))
		}
	}
	slices.Sort(a.ServiceTiers)
	a.ServiceTiers = slices.Compact(a.ServiceTiers)

	for _, r := range m.Regions {
		a.RegionalUplifts = append(a.RegionalUplifts, &adjutantv1.RegionalUplift{Region: r.Region, Multiplier: r.By.String()})
	}
	return a
}

func priceOf(p *pricing.Period) *adjutantv1.Price {
	a := &adjutantv1.Price{
		EffectiveFrom:  dateOf(p.From),
		EffectiveUntil: dateOf(p.Until),
		Rates:          ratesOf(&p.Rates),
		Source:         p.Source,
	}
	for i := range p.Bands {
		b := &p.Bands[i]
		a.Bands = append(a.Bands, &adjutantv1.PriceBand{InputTokens: b.Over, Rates: ratesOf(&b.Rates)})
	}
	for i := range p.Hours {
		w := &p.Hours[i]
		window := &adjutantv1.PriceWindow{
			StartMinute: int32(w.From / time.Minute),
			EndMinute:   int32(w.To / time.Minute),
			Rates:       ratesOf(&w.Rates),
		}
		// pricing counts weekdays from Sunday, the contract from Monday to Sunday.
		const everyDay = 1<<7 - 1
		for day := range int32(7) {
			if w.Days != everyDay && w.Days&(1<<((day+1)%7)) != 0 {
				window.Weekdays = append(window.Weekdays, day+1)
			}
		}
		a.Windows = append(a.Windows, window)
	}
	return a
}

// ratesOf gives the rates of their own, in the contract's order of kinds.
func ratesOf(r *pricing.Rates) []*adjutantv1.Rate {
	var list []*adjutantv1.Rate
	for kind := range pricing.KindOutputImage + 1 {
		rate, own := r.Of(kind)
		if own {
			list = append(list, &adjutantv1.Rate{Kind: kindOf(kind), UsdPerMillion: rate.USDPerMillion()})
		}
	}
	for _, w := range r.Writes() {
		list = append(list, &adjutantv1.Rate{Kind: adjutantv1.LineItemKind_LINE_ITEM_KIND_CACHE_WRITE, UsdPerMillion: w.Rate.USDPerMillion(), CacheTtl: durationpb.New(w.TTL)})
	}
	slices.SortStableFunc(list, func(a, b *adjutantv1.Rate) int { return int(a.GetKind()) - int(b.GetKind()) })
	return list
}
