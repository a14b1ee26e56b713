package pricing

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestUsageValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		u      Usage
		fields []string
	}{
		{"nothing", Usage{}, nil},
		{"all parts", Usage{InputTokens: 100, CacheReadTokens: 40, CacheWriteTokens: 20, InputAudioTokens: 30, CacheReadAudioTokens: 10, InputImageTokens: 20,
			CacheWrites: []CacheWrite{{time.Hour, 20}}, OutputTokens: 10, ReasoningTokens: 5, OutputAudioTokens: 3, OutputImageTokens: 2}, nil},
		{"every count negative", Usage{-1, -1, -1, -1, nil, -1, -1, -1, -1, -1, -1}, []string{"input_tokens", "output_tokens", "cache_read_tokens",
			"cache_write_tokens", "reasoning_tokens", "input_audio_tokens", "cache_read_audio_tokens", "input_image_tokens", "output_audio_tokens", "output_image_tokens"}},
		{"one part too large", Usage{InputTokens: 10, CacheReadTokens: 11}, []string{"cache_read_tokens"}},
		{"parts too large together", Usage{InputTokens: 1000, CacheReadTokens: 600, CacheWriteTokens: 500}, []string{"input_tokens"}},
		{"cached audio", Usage{InputTokens: 10, CacheReadTokens: 1, InputAudioTokens: 2, CacheReadAudioTokens: 3}, []string{"cache_read_audio_tokens", "cache_read_audio_tokens"}},
		{"lifetimes", Usage{InputTokens: 10, CacheWriteTokens: 5, CacheWrites: []CacheWrite{{0, 1}, {time.Hour, -1}, {time.Hour, 6}}},
			[]string{"cache_writes[0].ttl", "cache_writes[1].tokens", "cache_writes"}},
		{"writes without a total", Usage{InputTokens: 10, CacheWrites: []CacheWrite{{time.Hour, 1}}}, []string{"cache_writes"}},
		{"output", Usage{OutputTokens: 10, ReasoningTokens: 6, OutputAudioTokens: 6}, []string{"output_tokens"}},
		{"both sides", Usage{InputTokens: 1, CacheReadTokens: 2, OutputTokens: 1, ReasoningTokens: 2}, []string{"cache_read_tokens", "reasoning_tokens"}},
		{"no wrap", Usage{InputTokens: 1, CacheReadTokens: 1 << 62, CacheWriteTokens: 1 << 62}, []string{"cache_read_tokens", "cache_write_tokens"}},
	} {
		err := c.u.Validate()
		var fields []string
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range joined.Unwrap() {
				var usage *UsageError
				if !errors.As(err, &usage) {
					t.Fatalf("%s: %T", c.name, err)
				}
				fields = append(fields, usage.Field)
			}
		}
		if !slices.Equal(fields, c.fields) {
			t.Errorf("%s: refused for %v, want %v\n%v", c.name, fields, c.fields, err)
		}
	}
}

// FuzzUsage checks that what is refused is refused with words, and that what is not
// has parts that fit.
func FuzzUsage(f *testing.F) {
	f.Add(int64(100), int64(10), int64(50), int64(20), int64(5), int64(10), int64(5), int64(3), int64(1), int64(1), int64(7))
	f.Fuzz(func(t *testing.T, in, out, read, write, reasoning, audio, cachedAudio, image, outAudio, outImage, hour int64) {
		u := Usage{in, out, read, write, []CacheWrite{{time.Hour, hour}}, reasoning, audio, cachedAudio, image, outAudio, outImage}
		if u.plausible() != (u.contradictions() == nil) {
			t.Fatalf("%+v: plausible %v, but %v", u, u.plausible(), u.contradictions())
		}
	})
}

func TestParseUsage(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       Usage
	}{
		{"OpenAI chat", `{"usage":{"prompt_tokens":20,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":2},"completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":1}}}`,
			Usage{InputTokens: 20, OutputTokens: 9, CacheReadTokens: 8, InputAudioTokens: 2, ReasoningTokens: 4, OutputAudioTokens: 1}},
		{"OpenAI responses", `{"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":8,"cache_write_tokens":3},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4}}}`,
			Usage{InputTokens: 20, OutputTokens: 9, CacheReadTokens: 8, CacheWriteTokens: 3, ReasoningTokens: 4}},
		{"Anthropic", `{"usage":{"input_tokens":20,"cache_read_input_tokens":8,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":5},"output_tokens":9}}`,
			Usage{InputTokens: 35, OutputTokens: 9, CacheReadTokens: 8, CacheWriteTokens: 7, CacheWrites: []CacheWrite{{5 * time.Minute, 2}, {time.Hour, 5}}}},
		{"Google", `{"usageMetadata":{"promptTokenCount":20,"cachedContentTokenCount":8,"candidatesTokenCount":9,"thoughtsTokenCount":4,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":6},{"modality":"TEXT","tokenCount":14}]}}`,
			Usage{InputTokens: 20, OutputTokens: 13, CacheReadTokens: 8, ReasoningTokens: 4, InputAudioTokens: 6}},
		{"Bedrock", `{"usage":{"inputTokens":20,"outputTokens":9,"cacheReadInputTokens":8,"cacheWriteInputTokens":7}}`,
			Usage{InputTokens: 35, OutputTokens: 9, CacheReadTokens: 8, CacheWriteTokens: 7}},
		{"DeepSeek", `{"usage":{"prompt_tokens":20,"completion_tokens":9,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":12}}`,
			Usage{InputTokens: 20, OutputTokens: 9, CacheReadTokens: 8}},
	} {
		got, err := ParseUsage([]byte(c.body))
		if err != nil || !slices.Equal(got.CacheWrites, c.want.CacheWrites) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
		got.CacheWrites, c.want.CacheWrites = nil, nil
		if got.parts() != c.want.parts() {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	for _, bad := range []string{"", "{}", "[]", `{"usage":3}`, `{"usage":{"input_tokens":"many"}}`} {
		if u, err := ParseUsage([]byte(bad)); err == nil {
			t.Errorf("%q is taken for %+v", bad, u)
		}
	}
}

// parts makes usages without lifetimes comparable.
func (u Usage) parts() [10]int64 {
	return [10]int64{u.InputTokens, u.OutputTokens, u.CacheReadTokens, u.CacheWriteTokens, u.ReasoningTokens,
		u.InputAudioTokens, u.CacheReadAudioTokens, u.InputImageTokens, u.OutputAudioTokens, u.OutputImageTokens}
}

func FuzzParseUsage(f *testing.F) {
	f.Add([]byte(`{"usage":{"prompt_tokens":20}}`))
	f.Add([]byte(`{"usageMetadata":{"promptTokenCount":20}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if u, err := ParseUsage(body); err == nil {
			_ = u.Validate()
		}
	})
}
