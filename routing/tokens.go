package routing

import (
	"context"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/pricing"
)

// messageTokens is what a provider adds around a message: role and separators. OpenAI
// documents three to four a message; the others are taken to be alike.
const messageTokens = 4

// tokenCounts holds a task's length as each tokenizer family counts it. A policy has
// a handful of families, so a list is searched faster than a map is made.
type tokenCounts struct {
	families []familyCount
}

type familyCount struct {
	tokenizer string
	input     int64 // all messages and the declared material
	ask       int64 // the last user message
	counter   pricing.Counter
}

// countTask counts a task for the models, by the approximation: a tokenizer at a few
// megabytes a second has no place on the decision's path. Each text is read once,
// however many families there are.
func countTask(ctx context.Context, t Task, models []servedModel) (tokenCounts, error) {
	counts := tokenCounts{families: make([]familyCount, 0, 4)}
	for i := range models {
		if family := models[i].offer.Model.Tokenizer; counts.find(family) == nil {
			counts.families = append(counts.families, familyCount{
				tokenizer: family, counter: pricing.ApproximateCounter(family), input: max(t.Material.InputTokens, 0),
			})
		}
	}
	for _, m := range t.Messages {
		if err := ctx.Err(); err != nil {
			return tokenCounts{}, err
		}
		shape := pricing.ShapeOf(m.Content)
		for i := range counts.families {
			f := &counts.families[i]
			n := shape.Tokens(f.tokenizer) + messageTokens
			f.input += n
			if m.Role == classifier.User {
				f.ask = n
			}
		}
	}
	return counts, nil
}

func (c *tokenCounts) find(tokenizer string) *familyCount {
	for i := range c.families {
		if c.families[i].tokenizer == tokenizer {
			return &c.families[i]
		}
	}
	return nil
}

func (c *tokenCounts) of(m *pricing.Model) int64 { return c.find(m.Tokenizer).input }

func (c *tokenCounts) ask(m *pricing.Model) int64 { return c.find(m.Tokenizer).ask }

func (c *tokenCounts) counter(m *pricing.Model) pricing.Counter { return c.find(m.Tokenizer).counter }
