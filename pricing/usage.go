package pricing

import (
	"errors"
	"fmt"
	"time"
)

// Usage counts the tokens of one call. Totals include their parts:
// CacheReadTokens lie inside InputTokens, ReasoningTokens inside OutputTokens,
// as OpenAI reports them. (Anthropic reports input without its cached parts: add
// them up first, or use [ParseUsage].) Every count is ≥ 0.
type Usage struct {
	InputTokens  int64 // all input: uncached, read from a cache, written to one, of any modality
	OutputTokens int64 // all output: visible text, reasoning, audio, images

	CacheReadTokens  int64 // part of InputTokens, read from the provider's prompt cache
	CacheWriteTokens int64 // part of InputTokens, written to it; disjoint from the reads
	// CacheWrites are the parts of CacheWriteTokens whose lifetime is known. The
	// rest has the provider's default lifetime: five minutes at Anthropic, thirty
	// at OpenAI.
	CacheWrites []CacheWrite

	ReasoningTokens int64 // part of OutputTokens, thought but not shown

	InputAudioTokens     int64 // part of InputTokens
	CacheReadAudioTokens int64 // part of both InputAudioTokens and CacheReadTokens
	InputImageTokens     int64 // part of InputTokens
	OutputAudioTokens    int64 // part of OutputTokens
	OutputImageTokens    int64 // part of OutputTokens
}

// CacheWrite is a number of tokens written to a prompt cache for a lifetime.
type CacheWrite struct {
	TTL    time.Duration // > 0
	Tokens int64         // ≥ 0
}

// UsageError is one contradiction in a [Usage].
type UsageError struct {
	Field string // as in the API: cache_read_tokens, cache_writes[1].ttl
	Msg   string
}

// Error gives "usage.field: message".
func (e *UsageError) Error() string { return "usage." + e.Field + ": " + e.Msg }

// Validate reports every contradiction in u, each as a [*UsageError], joined. It
// never repairs: a count that is wrong upstream would otherwise turn into a
// plausible price.
func (u Usage) Validate() error {
	if u.plausible() {
		return nil
	}
	return u.contradictions()
}

// plausible is Validate without the words: it allocates nothing.
func (u *Usage) plausible() bool {
	if u.InputTokens|u.OutputTokens|u.CacheReadTokens|u.CacheWriteTokens|u.ReasoningTokens|
		u.InputAudioTokens|u.CacheReadAudioTokens|u.InputImageTokens|u.OutputAudioTokens|u.OutputImageTokens < 0 {
		return false
	}
	left := u.CacheWriteTokens
	for _, w := range u.CacheWrites {
		if w.TTL <= 0 || w.Tokens < 0 || w.Tokens > left {
			return false
		}
		left -= w.Tokens
	}
	// Audio that was read from the cache lies in both parts, so it counts once.
	return fits(u.InputTokens, u.CacheReadTokens-u.CacheReadAudioTokens, u.CacheWriteTokens, u.InputAudioTokens, u.InputImageTokens) &&
		u.CacheReadTokens <= u.InputTokens &&
		u.CacheReadAudioTokens <= u.CacheReadTokens && u.CacheReadAudioTokens <= u.InputAudioTokens &&
		fits(u.OutputTokens, u.ReasoningTokens, u.OutputAudioTokens, u.OutputImageTokens)
}

// fits reports whether the parts, each ≥ 0 or already refused, sum to at most total.
func fits(total int64, parts ...int64) bool {
	for _, part := range parts {
		if part > total {
			return false
		}
		total -= part
	}
	return true
}

// contradictions words what plausible found.
func (u *Usage) contradictions() error {
	var errs []error
	fail := func(field, format string, args ...any) {
		errs = append(errs, &UsageError{Field: field, Msg: fmt.Sprintf(format, args...)})
	}
	counts := []struct {
		field  string
		tokens int64
	}{
		{"input_tokens", u.InputTokens},
		{"output_tokens", u.OutputTokens},
		{"cache_read_tokens", u.CacheReadTokens},
		{"cache_write_tokens", u.CacheWriteTokens},
		{"reasoning_tokens", u.ReasoningTokens},
		{"input_audio_tokens", u.InputAudioTokens},
		{"cache_read_audio_tokens", u.CacheReadAudioTokens},
		{"input_image_tokens", u.InputImageTokens},
		{"output_audio_tokens", u.OutputAudioTokens},
		{"output_image_tokens", u.OutputImageTokens},
	}
	for _, c := range counts {
		if c.tokens < 0 {
			fail(c.field, "%d is negative", c.tokens)
		}
	}
	left := max(u.CacheWriteTokens, 0)
	exceeded := false
	for i, w := range u.CacheWrites {
		if w.TTL <= 0 {
			fail(fmt.Sprintf("cache_writes[%d].ttl", i), "a lifetime must be more than zero")
		}
		switch {
		case w.Tokens < 0:
			fail(fmt.Sprintf("cache_writes[%d].tokens", i), "%d is negative", w.Tokens)
		case w.Tokens > left:
			exceeded = true
			left = 0
		default:
			left -= w.Tokens
		}
	}
	if exceeded {
		fail("cache_writes", "its parts sum to more than cache_write_tokens (%d)", u.CacheWriteTokens)
	}
	// A part larger than its whole is named itself; only when each fits alone is
	// their sum to blame.
	part := func(field string, tokens int64, whole string, total int64) bool {
		if tokens >= 0 && total >= 0 && tokens > total {
			fail(field, "%d exceeds %s (%d)", tokens, whole, total)
			return false
		}
		return tokens >= 0 && total >= 0
	}
	input := part("cache_read_tokens", u.CacheReadTokens, "input_tokens", u.InputTokens)
	input = part("cache_write_tokens", u.CacheWriteTokens, "input_tokens", u.InputTokens) && input
	input = part("input_audio_tokens", u.InputAudioTokens, "input_tokens", u.InputTokens) && input
	input = part("input_image_tokens", u.InputImageTokens, "input_tokens", u.InputTokens) && input
	input = part("cache_read_audio_tokens", u.CacheReadAudioTokens, "cache_read_tokens", u.CacheReadTokens) && input
	input = part("cache_read_audio_tokens", u.CacheReadAudioTokens, "input_audio_tokens", u.InputAudioTokens) && input
	if input && !fits(u.InputTokens, u.CacheReadTokens-u.CacheReadAudioTokens, u.CacheWriteTokens, u.InputAudioTokens, u.InputImageTokens) {
		fail("input_tokens", "%d is less than the sum of its parts: cache reads (%d), cache writes (%d), audio (%d, of which %d read from the cache) and images (%d)",
			u.InputTokens, u.CacheReadTokens, u.CacheWriteTokens, u.InputAudioTokens, u.CacheReadAudioTokens, u.InputImageTokens)
	}
	output := part("reasoning_tokens", u.ReasoningTokens, "output_tokens", u.OutputTokens)
	output = part("output_audio_tokens", u.OutputAudioTokens, "output_tokens", u.OutputTokens) && output
	output = part("output_image_tokens", u.OutputImageTokens, "output_tokens", u.OutputTokens) && output
	if output && !fits(u.OutputTokens, u.ReasoningTokens, u.OutputAudioTokens, u.OutputImageTokens) {
		fail("output_tokens", "%d is less than the sum of its parts: reasoning (%d), audio (%d) and images (%d)",
			u.OutputTokens, u.ReasoningTokens, u.OutputAudioTokens, u.OutputImageTokens)
	}
	return errors.Join(errs...)
}
