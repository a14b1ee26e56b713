package pricing

import (
	"fmt"
	"strings"
	"time"
)

// Model is what the catalogue knows of one model of one provider. It is read-only.
type Model struct {
	Provider string // who sells it: anthropic, openai, google, groq, ...
	ID       string // the provider's own name for it
	Name     string // for people: "Claude Opus 5"; the ID where no name is known
	Aliases  []string

	// Limits in tokens; 0 where unknown. MaxInputTokens is ContextWindow unless the
	// provider states a lower one.
	ContextWindow      int64
	MaxInputTokens     int64
	MaxOutputTokens    int64
	MinCacheableTokens int64 // a shorter prompt is not cached

	Capabilities Capabilities

	// Zero where there is none or it is unknown.
	Released   Date
	Deprecated Date
	Retired    Date   // from this day on the provider refuses calls
	Successor  string // the ID to move to; "" where none is named

	Tokenizer string // the family of its tokenizer: o200k_base, claude-4.7+, gemini, ...
	Note      string // doubts about the figures
	Sources   []string

	Periods  []Period // oldest first
	Tiers    []TierPrice
	Regions  []RegionPrice // empty: one price everywhere
	Hosts    []HostPrice
	Discount Multiplier // is in every rate already; Unchanged unless an overlay says otherwise

	// Fees are the dollars for a thousand uses of what is not billed by tokens, such
	// as web_search. The engine does not price them.
	Fees map[string]Money
}

// Ref gives "provider/id".
func (m *Model) Ref() string { return m.Provider + "/" + m.ID }

// RetiredAt reports whether the provider refuses calls at t.
func (m *Model) RetiredAt(t time.Time) bool {
	return m.Retired != 0 && DateOf(t) >= m.Retired
}

// Thinks reports whether the model is known to spend output tokens on reasoning.
func (m *Model) Thinks() bool { return m.Capabilities.Support(CapabilityReasoning) == Yes }

// Date is a civil date in UTC, counted in days from 1970-01-01. The zero Date means
// none, or not known.
type Date int32

// DateOf gives the UTC date of t.
func DateOf(t time.Time) Date {
	seconds := t.Unix()
	days := seconds / 86400
	if seconds%86400 < 0 {
		days--
	}
	return Date(days)
}

// ParseDate reads YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date: want YYYY-MM-DD", s)
	}
	return DateOf(t), nil
}

// Time gives the first instant of the date.
func (d Date) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String gives YYYY-MM-DD, or "" for the zero Date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	return d.Time().Format(time.DateOnly)
}

// UnmarshalText reads YYYY-MM-DD.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}

// Capability is something that a model can or cannot do.
type Capability uint8

// The capabilities that the catalogue knows of.
const (
	CapabilityVision           Capability = iota // takes images
	CapabilityPDF                                // takes PDF documents
	CapabilityAudioInput                         // takes sound
	CapabilityVideoInput                         // takes moving pictures
	CapabilityTools                              // calls functions
	CapabilityReasoning                          // thinks before it answers
	CapabilityStructuredOutput                   // answers in a given JSON schema
	CapabilityPromptCaching                      // reads a repeated prompt at a lower price
	numCapabilities
)

var capabilityNames = [numCapabilities]string{"vision", "pdf", "audio_input", "video_input", "tools", "reasoning", "structured_output", "prompt_caching"}

// String gives the name as catalogue files write it.
func (c Capability) String() string {
	if c < numCapabilities {
		return capabilityNames[c]
	}
	return fmt.Sprintf("capability %d", uint8(c))
}

// UnmarshalText reads a capability's name.
func (c *Capability) UnmarshalText(text []byte) error {
	for i, name := range capabilityNames {
		if name == string(text) {
			*c = Capability(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a capability; known are %s", text, strings.Join(capabilityNames[:], ", "))
}

// Support says whether a model has a capability.
type Support uint8

// Unknown is not No: a gate that needs a capability must refuse both.
const (
	Unknown Support = iota
	No
	Yes
)

// Capabilities is what is known of a model's capabilities.
type Capabilities struct{ yes, no uint16 }

// Support says whether c is there.
func (cs Capabilities) Support(c Capability) Support {
	switch bit := uint16(1) << c; {
	case cs.yes&bit != 0:
		return Yes
	case cs.no&bit != 0:
		return No
	}
	return Unknown
}

// HasAll reports whether every one of the wanted is known to be there.
func (cs Capabilities) HasAll(wanted ...Capability) bool {
	for _, c := range wanted {
		if cs.Support(c) != Yes {
			return false
		}
	}
	return true
}

// ServiceTier is how fast and how surely a provider serves a call, at its price.
type ServiceTier uint8

// The service tiers. The zero value is the standard one.
const (
	Standard  ServiceTier = iota
	Batch                 // answered within a day
	Flex                  // slower, may be refused
	Priority              // faster, surer
	Fast                  // Anthropic's fast mode; OpenAI's newer name for priority
	Ultrafast             // OpenAI's fastest
	numServiceTiers
)

var serviceTierNames = [numServiceTiers]string{"standard", "batch", "flex", "priority", "fast", "ultrafast"}

// String gives the tier's lower-case name.
func (t ServiceTier) String() string {
	if t < numServiceTiers {
		return serviceTierNames[t]
	}
	return fmt.Sprintf("service tier %d", uint8(t))
}

// UnmarshalText reads a tier's lower-case name.
func (t *ServiceTier) UnmarshalText(text []byte) error {
	for i, name := range serviceTierNames {
		if name == string(text) {
			*t = ServiceTier(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a service tier; known are %s", text, strings.Join(serviceTierNames[:], ", "))
}

// Kind is a kind of token that a bill distinguishes.
type Kind uint8

// The kinds, in the order of the line items.
const (
	KindInput Kind = iota
	KindCacheRead
	KindCacheWrite
	KindInputAudio
	KindCacheReadAudio
	KindInputImage
	KindOutput
	KindReasoning
	KindOutputAudio
	KindOutputImage
	numKinds
)

var kindNames = [numKinds]string{"input", "cache_read", "cache_write", "input_audio", "cache_read_audio", "input_image", "output", "reasoning", "output_audio", "output_image"}

// String gives the kind's name as in catalogue files.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// parent is the kind whose rate stands in for a missing one.
func (k Kind) parent() Kind {
	switch k {
	case KindReasoning, KindOutputAudio, KindOutputImage:
		return KindOutput
	case KindCacheReadAudio:
		return KindCacheRead
	}
	return KindInput
}

// Rates are the prices of each kind of token. A kind that is not stated costs what
// its parent costs: audio and images what text costs, cached audio what other cache
// reads cost, cache reads and writes what uncached input costs, reasoning what other
// output costs.
type Rates struct {
	rates  [numKinds]Rate
	stated uint16      // bit k: kind k has a rate of its own
	writes []WriteRate // shortest lifetime first
}

// WriteRate is the price of writing to a cache for a lifetime.
type WriteRate struct {
	TTL  time.Duration
	Rate Rate
}

// Of gives the rate of a kind, or its parent's; stated says which.
func (r *Rates) Of(k Kind) (rate Rate, stated bool) {
	if k == KindCacheWrite {
		return r.write(0)
	}
	if r.stated&(1<<k) != 0 {
		return r.rates[k], true
	}
	if k == KindInput || k == KindOutput {
		return 0, false
	}
	rate, _ = r.Of(k.parent())
	return rate, false
}

// OfWrite gives the rate of a cache write that lives for ttl: that of the shortest
// stated lifetime that covers it, or else of the longest. A ttl of 0 means the
// provider's default lifetime, which is its shortest.
func (r *Rates) OfWrite(ttl time.Duration) (rate Rate, stated bool) { return r.write(ttl) }

func (r *Rates) write(ttl time.Duration) (rate Rate, stated bool) {
	plain := r.stated&(1<<KindCacheWrite) != 0
	switch {
	case len(r.writes) == 0 && plain, ttl == 0 && plain:
		return r.rates[KindCacheWrite], true
	case len(r.writes) == 0:
		rate, _ = r.Of(KindInput)
		return rate, false
	}
	for _, w := range r.writes {
		if ttl <= w.TTL {
			return w.Rate, true
		}
	}
	return r.writes[len(r.writes)-1].Rate, true
}

// Writes gives the rates of cache writes that are stated by lifetime, shortest
// first. It is read-only.
func (r *Rates) Writes() []WriteRate { return r.writes }

// Period is a span of days on which prices hold.
type Period struct {
	From   Date // inclusive; zero: since release
	Until  Date // exclusive; zero: until further notice
	Rates  Rates
	Bands  []Band   // ascending; the last one reached replaces Rates for the whole request
	Hours  []Window // replace Rates while they last; a period has bands or hours, not both
	Source string   // a key of the sources file, or the user's own words
	Note   string
}

// Band is what a long request costs: all of it, output included.
type Band struct {
	Over  int64 // it holds for more than so many input tokens, of all kinds together
	Rates Rates
}

// Window is a time of day with prices of its own.
type Window struct {
	From, To time.Duration // since midnight UTC; from inclusive, to exclusive
	Days     uint8         // bit d: it holds on time.Weekday(d)
	Rates    Rates
}

// TierPrice is what a service tier other than Standard costs: either By scales the
// standard rates, or By is 0 and Rates and Bands hold.
type TierPrice struct {
	Tier   ServiceTier
	From   Date // inclusive; zero: always
	Until  Date // exclusive; zero: until further notice
	By     Multiplier
	Scales uint16 // bit k: By scales kind k
	Rates  Rates  // a kind not stated here keeps its standard rate, if that is stated
	Bands  []Band
	Source string
	Note   string
}

// RegionPrice is what pinning inference to a region costs: By scales every rate.
type RegionPrice struct {
	Region string // us, eu
	By     Multiplier
}

// HostPrice is what a model costs at a cloud host: By scales every rate.
type HostPrice struct {
	Host    string // bedrock, vertex, azure
	Profile string // geo, global or regional; "" for a name that has none
	By      Multiplier
	Source  string
	Note    string
}
