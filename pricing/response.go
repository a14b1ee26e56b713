package pricing

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// response holds the usage blocks of the providers' APIs, as their responses carry
// them. The names tell the APIs apart.
type response struct {
	Usage    *responseUsage
	Metadata *geminiUsage `json:"usageMetadata"`
}

type responseUsage struct {
	// OpenAI's Responses API and Anthropic.
	InputTokens   int64         `json:"input_tokens"`
	OutputTokens  int64         `json:"output_tokens"`
	InputDetails  inputDetails  `json:"input_tokens_details"`
	OutputDetails outputDetails `json:"output_tokens_details"`
	// OpenAI's Chat Completions API and its many copies.
	PromptTokens      int64         `json:"prompt_tokens"`
	CompletionTokens  int64         `json:"completion_tokens"`
	PromptDetails     inputDetails  `json:"prompt_tokens_details"`
	CompletionDetails outputDetails `json:"completion_tokens_details"`
	CacheHits         int64         `json:"prompt_cache_hit_tokens"` // DeepSeek
	// Anthropic: these are not inside input_tokens.
	CacheRead     int64 `json:"cache_read_input_tokens"`
	CacheWrite    int64 `json:"cache_creation_input_tokens"`
	CacheCreation struct {
		FiveMinutes int64 `json:"ephemeral_5m_input_tokens"`
		OneHour     int64 `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	// Bedrock's Converse API: nor are these.
	BedrockInput      int64 `json:"inputTokens"`
	BedrockOutput     int64 `json:"outputTokens"`
	BedrockCacheRead  int64 `json:"cacheReadInputTokens"`
	BedrockCacheWrite int64 `json:"cacheWriteInputTokens"`
}

type inputDetails struct {
	Cached  int64 `json:"cached_tokens"`
	Written int64 `json:"cache_write_tokens"`
	Audio   int64 `json:"audio_tokens"`
}

type outputDetails struct {
	Reasoning int64 `json:"reasoning_tokens"`
	Thinking  int64 `json:"thinking_tokens"` // Anthropic
	Audio     int64 `json:"audio_tokens"`
}

type geminiUsage struct {
	Prompt        int64           `json:"promptTokenCount"`
	ToolPrompt    int64           `json:"toolUsePromptTokenCount"`
	Cached        int64           `json:"cachedContentTokenCount"`
	Candidates    int64           `json:"candidatesTokenCount"`
	Thoughts      int64           `json:"thoughtsTokenCount"`
	PromptDetails []modalityCount `json:"promptTokensDetails"`
	CacheDetails  []modalityCount `json:"cacheTokensDetails"`
	OutputDetails []modalityCount `json:"candidatesTokensDetails"`
}

type modalityCount struct {
	Modality string
	Count    int64 `json:"tokenCount"`
}

func (g *geminiUsage) audio(details []modalityCount) int64 {
	var n int64
	for _, d := range details {
		if d.Modality == "AUDIO" {
			n += d.Count
		}
	}
	return n
}

// ParseUsage reads the usage block of a provider's response: OpenAI's Chat
// Completions and Responses APIs and their copies, Anthropic's Messages, Google's
// generateContent, Bedrock's Converse. It turns them into one convention, in which
// totals include their parts. The result is not validated.
func ParseUsage(body []byte) (Usage, error) {
	var r response
	if err := json.Unmarshal(body, &r); err != nil {
		return Usage{}, fmt.Errorf("the response is not JSON of a known form: %w", err)
	}
	if g := r.Metadata; g != nil {
		return Usage{
			InputTokens: g.Prompt + g.ToolPrompt, OutputTokens: g.Candidates + g.Thoughts,
			CacheReadTokens: g.Cached, ReasoningTokens: g.Thoughts,
			InputAudioTokens: g.audio(g.PromptDetails), CacheReadAudioTokens: g.audio(g.CacheDetails), OutputAudioTokens: g.audio(g.OutputDetails),
		}, nil
	}
	if r.Usage == nil {
		return Usage{}, errors.New("the response has no usage block: want usage or usageMetadata")
	}
	u := r.Usage
	usage := Usage{
		// Each API fills its own fields and leaves the others zero.
		InputTokens:      u.InputTokens + u.PromptTokens + u.BedrockInput + u.CacheRead + u.CacheWrite + u.BedrockCacheRead + u.BedrockCacheWrite,
		OutputTokens:     u.OutputTokens + u.CompletionTokens + u.BedrockOutput,
		CacheReadTokens:  u.InputDetails.Cached + max(u.PromptDetails.Cached, u.CacheHits) + u.CacheRead + u.BedrockCacheRead,
		CacheWriteTokens: u.InputDetails.Written + u.PromptDetails.Written + u.CacheWrite + u.BedrockCacheWrite,
		ReasoningTokens:  u.OutputDetails.Reasoning + u.OutputDetails.Thinking + u.CompletionDetails.Reasoning,
		InputAudioTokens: u.InputDetails.Audio + u.PromptDetails.Audio, OutputAudioTokens: u.OutputDetails.Audio + u.CompletionDetails.Audio,
	}
	for _, w := range []CacheWrite{{5 * time.Minute, u.CacheCreation.FiveMinutes}, {time.Hour, u.CacheCreation.OneHour}} {
		if w.Tokens != 0 {
			usage.CacheWrites = append(usage.CacheWrites, w)
		}
	}
	return usage, nil
}
