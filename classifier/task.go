package classifier

import "fmt"

// Tier is how much judgment a task needs. Tiers are ordered: a higher one can
// do the work of a lower one, at a higher price.
type Tier uint8

// The tiers, from the least judgment to the most. The zero value is no tier.
const (
	// Repetition means that the answer follows from the input or from a stated
	// rule: rename, convert, extract, classify, look up.
	Repetition Tier = iota + 1
	// Making means that the goal and the form are set and the result has to be
	// built: implement a spec, write a text to a brief, explain, summarise.
	Making
	// Judgment means that what to do is itself open: weigh, choose, design, find
	// the cause of an unclear failure.
	Judgment
)

// Tiers is the number of tiers.
const Tiers = 3

// String gives the tier's name in lower case, as the corpus spells it.
func (t Tier) String() string { return name(tierNames[:], int(t)) }

// ParseTier reads a name as String writes it.
func ParseTier(s string) (Tier, error) {
	i, err := index("tier", tierNames[:], s)
	return Tier(i), err
}

// Stage is the part of the work that a task asks for.
type Stage uint8

// The stages. The zero value means that the stage is not known.
const (
	// Design means that a decision, a plan, a method or a diagnosis comes back.
	Design Stage = iota + 1
	// Execution means that the produced thing comes back, by a method that is
	// given or obvious.
	Execution
	// Mixed means that both are needed and neither is small.
	Mixed
)

// Stages is the number of stages.
const Stages = 3

// String gives the stage's name in lower case, as the corpus spells it.
func (s Stage) String() string { return name(stageNames[:], int(s)) }

// ParseStage reads a name as String writes it.
func ParseStage(s string) (Stage, error) {
	i, err := index("stage", stageNames[:], s)
	return Stage(i), err
}

// Role says who wrote a message.
type Role uint8

// The roles. A message with the zero value or an unknown one is read as a
// user's.
const (
	System Role = iota + 1
	User
	Assistant
	Tool
)

// String gives the role's name in lower case, as the corpus spells it.
func (r Role) String() string { return name(roleNames[:], int(r)) }

// ParseRole reads a name as String writes it.
func ParseRole(s string) (Role, error) {
	i, err := index("role", roleNames[:], s)
	return Role(i), err
}

var (
	tierNames  = [...]string{"unspecified", "repetition", "making", "judgment"}
	stageNames = [...]string{"unspecified", "design", "execution", "mixed"}
	roleNames  = [...]string{"unspecified", "system", "user", "assistant", "tool"}
)

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

// index finds s among names[1:]; the zero value can't be asked for.
func index(kind string, names []string, s string) (int, error) {
	for i, n := range names[1:] {
		if n == s {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q: use one of %q", kind, s, names[1:])
}

// Message is one turn of a conversation.
type Message struct {
	Role Role
	// Content may hold any bytes; they need not be valid UTF-8.
	Content string
}

// Material describes content that the caller will add to the call but does not
// send to be classified.
type Material struct {
	// InputTokens is its length in tokens; zero or less means none.
	InputTokens int64
	// ItemCount is how many files, rows or records it holds; zero or less means
	// not known. Where InputTokens is not given, each counts as 50 tokens.
	ItemCount int64
}

// Task is what a caller is about to ask a model.
type Task struct {
	// Messages are the turns, oldest first. The last user turn is what is
	// classified, in the light of the others.
	Messages []Message
	Material Material
	// Stage is set where the caller knows it: an agent in its plan mode, for
	// one. It is then returned as it is.
	Stage Stage
}

// Prompt gives the task of a single user message.
func Prompt(text string) Task {
	return Task{Messages: []Message{{Role: User, Content: text}}}
}

// Classification is what the classifier thinks of a task.
type Classification struct {
	// Tier is the most probable one.
	Tier Tier
	// Confidence is the probability of Tier, in (0, 1].
	Confidence float64
	// Probabilities are calibrated, indexed by tier - 1, and sum to 1.
	Probabilities [Tiers]float64
	Stage         Stage
	// SplitProbability is the chance, in [0, 1], that a plan by a strong model
	// carried out by a cheap one serves better than one call.
	SplitProbability float64
	// InputTokens approximates the length of all messages and the material, in
	// tokens of no particular model.
	InputTokens int64
	// OutputTokens is how long a good answer is.
	OutputTokens TokenRange
	// Signals are the reasons for Tier, the weightiest first. Their weights sum
	// to the log-odds of Tier against the runner-up.
	Signals []Signal
	// Language is an ISO 639-1 code, or "und" where the text is too short or in
	// no language that the classifier knows.
	Language string
	// Version names the weights that gave this answer.
	Version string
}

// TokenRange is a length in output tokens: its 10th, 50th and 90th percentile
// and its mean. Low <= Median <= High. Reasoning tokens are not included.
type TokenRange struct {
	Low, Median, High, Mean int64
}

// Signal is one reason for a classification.
type Signal struct {
	// Name is a stable identifier, such as "words" or "pasted_material".
	Name string
	// Detail says it in words for people.
	Detail string
	// Tier is the one that the signal speaks for.
	Tier Tier
	// Weight is in log-odds (natural logarithm) of the answer's tier against the
	// runner-up: negative where the signal speaks against the answer.
	Weight float64
	// Span is the text that the signal rests on.
	Span Span
}

// Span is a piece of a task's text: bytes Start up to but not including End of
// the content of the message with that index. End is 0 where there is no span.
type Span struct {
	Message, Start, End int
}
