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
// megabytes a second has no place on the decision's path.
func countTask(ctx context.Context, t Task, models []servedModel) (tokenCounts, error) {
	counts := tokenCounts{families: make([]familyCount, 0, 4)}
	for i := range models {
		family := models[i].offer.Model.Tokenizer
		if counts.find(family) != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return tokenCounts{}, err
		}
		count := familyCount{tokenizer: family, counter: pricing.ApproximateCounter(family)}
		for _, m := range t.Messages {
			n := pricing.ApproximateTokens(family, m.Content) + messageTokens
			count.input += n
			if m.Role == classifier.User {
				count.ask = n
			}
		}
		count.input += max(t.Material.InputTokens, 0)
		counts.families = append(counts.families, count)
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
