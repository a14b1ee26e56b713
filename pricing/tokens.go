package pricing

import (
	"context"
	"maps"
	"slices"
	"unicode/utf8"
)

// Counter says how tokens were counted.
type Counter struct {
	Name  string // the vocabulary, "o200k_base", or "approximation of gemini"
	Exact bool   // every word was counted by the model's own vocabulary
	// ErrorBound is relative: in 19 of 20 texts of at least 100 tokens, of the sample
	// in docs/prices.md, the count lay within it. 0 if exact.
	ErrorBound float64
}

// family is what is known of a tokenizer.
type family struct {
	weights weights
	bound   float64 // of the approximation
	bpe     string  // the public vocabulary that counts exactly, if this package has it
}

// weights are the thousandths of a token that each feature of a text counts for. They
// were fitted to public tokenizers over texts of 150 languages, code, logs and data;
// docs/prices.md has the method and the errors.
type weights [numFeatures]uint64

// The features of a text that tell its tokens. All are counts.
const (
	words        = iota // runs of ASCII letters
	humps               // a capital after a small letter: camelCase
	capitals            // a capital after a capital
	longer              // letters of a run beyond the fourth
	longest             // and beyond the seventh
	digits              // 0 to 9
	numbers             // runs of digits
	spacedNumber        // a digit after a space
	signs               // ASCII punctuation
	lines               // line ends that do not follow a line end
	indents             // spaces after a space
	latin               // accented Latin letters (first bytes of UTF-8 C2 to CD)
	greek               // CE, CF
	cyrillic            // D0 to D4
	semitic             // Armenian, Hebrew, Arabic: D5 to DF
	indic               // Devanagari, Thai and their kin: E0
	georgian            // Georgian, Khmer, Ethiopic, Vietnamese vowels: E1
	symbols             // dashes, arrows, mathematics: E2
	kana                // kana and CJK punctuation: E3
	han                 // E4 to E9
	hangul              // EA to ED
	wide                // full-width forms: EE, EF
	emoji               // F0 to F4
	numFeatures
)

// average is the mean of o200k_base, llama3, qwen, deepseek and mistral, for families
// whose vocabulary is not public in a form that could be measured here. Its bound is
// the worst that it does against any of the measured ones.
var average = family{bound: 0.45, weights: weights{818, 712, 263, 296, 190, 393, 1217, 746, 349, 1523, 19, 1887, 560, 477, 594, 815, 1004, 1873, 636, 852, 849, 1322, 3683}}

var tokenizers = map[string]family{
	"o200k_base":    {bpe: "o200k_base", bound: 0.20, weights: weights{830, 845, 190, 267, 125, 88, 1435, 836, 380, 1403, 27, 1628, 418, 393, 452, 479, 456, 1132, 685, 885, 808, 1295, 4157}},
	"o200k_harmony": {bpe: "o200k_base", bound: 0.20, weights: weights{830, 845, 190, 267, 125, 88, 1435, 836, 380, 1403, 27, 1628, 418, 393, 452, 479, 456, 1132, 685, 885, 808, 1295, 4157}},
	"gemini":        {bound: 0.21, weights: weights{880, 795, 229, 169, 325, 854, 667, 741, 528, 2041, 48, 1554, 411, 398, 506, 378, 445, 814, 426, 711, 696, 1246, 4174}},
	"llama3":        {bound: 0.33, weights: weights{772, 666, 234, 365, 139, 87, 1496, 770, 300, 1578, 5, 1927, 427, 516, 698, 1052, 1804, 875, 624, 894, 837, 1337, 3963}},
	"qwen":          {bound: 0.25, weights: weights{794, 599, 240, 334, 189, 866, 855, 695, 288, 1579, 13, 2074, 1009, 558, 712, 1251, 1206, 1439, 610, 773, 914, 1292, 3168}},
	"deepseek":      {bound: 0.25, weights: weights{840, 653, 330, 252, 283, 73, 1453, 691, 412, 1554, 21, 2123, 522, 485, 612, 692, 911, 2370, 654, 675, 916, 1273, 3163}},
	"mistral":       {bound: 0.24, weights: weights{852, 800, 324, 260, 217, 853, 848, 738, 367, 1502, 27, 1683, 425, 434, 494, 600, 641, 3550, 608, 1033, 770, 1415, 3963}},
	// Claude 3 to Opus 4.6, and since Opus 4.7, which has about 1.27 times the tokens.
	"claude-legacy": {bound: 0.23, weights: weights{882, 1316, 381, 230, 453, 0, 1568, 1168, 509, 2142, 36, 2242, 744, 524, 855, 1099, 968, 1620, 757, 1211, 1414, 1006, 4217}},
	"claude-4.7+":   {bound: 0.21, weights: weights{1030, 931, 733, 574, 299, 102, 1371, 1154, 603, 2191, 0, 2420, 748, 537, 856, 1100, 961, 1940, 754, 1217, 1427, 1016, 4220}},
	"grok":          average,
	"nova":          average,
	"kimi":          average,
	"glm":           average,
}

func knownFamily(name string) bool { _, ok := tokenizers[name]; return ok }

func families() []string { return slices.Sorted(maps.Keys(tokenizers)) }

func familyOf(name string) (string, family) {
	if f, ok := tokenizers[name]; ok {
		return name, f
	}
	return "average", average
}

// Text longer than exactBytes is not counted whole: samples of it are, so that no
// text takes much longer than 50 ms.
const (
	exactBytes  = 512 << 10
	sampleBytes = 16 << 10
	samples     = 16
)

// CountTokens counts the tokens of text as m would. For models of OpenAI, and those
// with its vocabulary, it counts exactly; words longer than 96 bytes are cut, and of
// text longer than 512 kB only samples are counted and the rest is inferred: then the
// count is not Exact. For other models it is [ApproximateTokens]. It fails only when
// ctx ends. A call's own wrapping (roles, tool schemas) is not counted.
func CountTokens(ctx context.Context, m *Model, text string) (int64, Counter, error) {
	name, f := familyOf(m.Tokenizer)
	if f.bpe == "" {
		return f.approximate(text), ApproximateCounter(m.Tokenizer), ctx.Err()
	}
	b, err := loadO200k(ctx)
	if err != nil {
		return 0, Counter{}, err
	}
	how := Counter{Name: name}
	if len(text) > exactBytes {
		n, err := b.sample(ctx, text, &f)
		how.Name += ", sampled"
		how.ErrorBound = sampleBound
		return n, how, err
	}
	n, cuts, err := b.count(ctx, text)
	if cuts == 0 {
		how.Exact = true
	} else {
		how.ErrorBound = min(f.bound, 2*float64(cuts)/float64(n)) // a cut moves the tokens at its two sides
	}
	return n, how, err
}

// sampleBound is the bound of a sampled count; a test over repeated and mixed
// material holds it.
const sampleBound = 0.05

// sample counts pieces of text, evenly spread, and scales the approximation of the
// whole by what it gets wrong in them.
func (b *bpe) sample(ctx context.Context, text string, f *family) (int64, error) {
	var counted, approximated int64
	for i := range samples {
		start := i * ((len(text) - sampleBytes) / (samples - 1))
		for start > 0 && !utf8.RuneStart(text[start]) {
			start--
		}
		end := min(start+sampleBytes, len(text))
		for end < len(text) && !utf8.RuneStart(text[end]) && end > start+sampleBytes-utf8.UTFMax {
			end--
		}
		n, _, err := b.count(ctx, text[start:end])
		if err != nil {
			return 0, err
		}
		counted += n
		approximated += f.approximate(text[start:end])
	}
	whole := f.approximate(text)
	if approximated == 0 {
		return whole, ctx.Err()
	}
	// At most five tokens a byte in a text below 2^31 bytes, times one a byte in the
	// 256 kB of samples: the product fits.
	return whole * counted / approximated, ctx.Err()
}

// ApproximateTokens estimates the tokens of text for a tokenizer family (as in
// [Model.Tokenizer]; an unknown one gets the average of those measured). It is one
// pass over the bytes, allocates nothing, and takes text of any bytes.
func ApproximateTokens(tokenizer, text string) int64 {
	_, f := familyOf(tokenizer)
	return f.approximate(text)
}

// ApproximateCounter says how [ApproximateTokens] counts for a tokenizer family.
func ApproximateCounter(tokenizer string) Counter {
	name, f := familyOf(tokenizer)
	return Counter{Name: approximations[name], ErrorBound: f.bound}
}

// approximations are the counters' names, made once.
var approximations = func() map[string]string {
	names := map[string]string{"average": "approximation of average"}
	for name := range tokenizers {
		names[name] = "approximation of " + name
	}
	return names
}()

// byteClass is what the approximation tells bytes apart by.
type byteClass uint8

const (
	classOther byteClass = iota // control bytes and the inner bytes of UTF-8
	classSpace
	classLine
	classLower
	classUpper
	classDigit
	classSign
	classLead  // the first of twelve kinds of leading bytes, latin to emoji
	numClasses = classLead + numFeatures - latin
)

var byteClasses = func() (table [256]byteClass) {
	for i := range table {
		b := byte(i)
		switch {
		case b == ' ' || b == '\t':
			table[i] = classSpace
		case b == '\n' || b == '\r':
			table[i] = classLine
		case b >= 'a' && b <= 'z':
			table[i] = classLower
		case b >= 'A' && b <= 'Z':
			table[i] = classUpper
		case b >= '0' && b <= '9':
			table[i] = classDigit
		case b > ' ' && b < 0x7f:
			table[i] = classSign
		case b >= 0xc2 && b <= 0xf4:
			table[i] = classLead + byteClass(leadFeature(b)-latin)
		}
	}
	return table
}()

// leadFeature gives the feature that the first byte of a rune counts for.
func leadFeature(b byte) int {
	switch {
	case b <= 0xcd:
		return latin
	case b <= 0xcf:
		return greek
	case b <= 0xd4:
		return cyrillic
	case b <= 0xdf:
		return semitic
	case b == 0xe0:
		return indic
	case b == 0xe1:
		return georgian
	case b == 0xe2:
		return symbols
	case b == 0xe3:
		return kana
	case b <= 0xe9:
		return han
	case b <= 0xed:
		return hangul
	case b <= 0xef:
		return wide
	}
	return emoji
}

// approximate adds up the features.
func (f *family) approximate(text string) int64 {
	shape := ShapeOf(text)
	return f.weigh(&shape)
}

func (f *family) weigh(shape *TextShape) int64 {
	if shape.bytes == 0 {
		return 0
	}
	var thousandths uint64
	for i, w := range f.weights {
		thousandths += shape.counts[i] * w
	}
	return max(1, int64((thousandths+500)/1000))
}

// TextShape is what the approximations count in a text. It is taken once and weighed
// for each tokenizer family, so that comparing models reads the text once.
type TextShape struct {
	counts [numFeatures]uint64
	bytes  int
}

// Tokens is [ApproximateTokens] of the text that the shape was taken of.
func (s *TextShape) Tokens(tokenizer string) int64 {
	_, f := familyOf(tokenizer)
	return f.weigh(s)
}

// ShapeOf reads a text in one pass over its bytes, without allocating. Most of the
// shape comes from how often each class of byte follows each other, which is one table
// look-up a byte.
func ShapeOf(text string) TextShape {
	const width = 32 // a power of two that holds numClasses
	var pairs [width * width]uint64
	var beyond4, beyond7, run uint64
	last := classLine
	for i := range len(text) {
		c := byteClasses[text[i]]
		pairs[(int(last)*width+int(c))%len(pairs)]++
		last = c
		if c == classLower || c == classUpper {
			run++
			if run > 4 {
				beyond4++
				if run > 7 {
					beyond7++
				}
			}
		} else {
			run = 0
		}
	}
	pair := func(a, b byteClass) uint64 { return pairs[int(a)*width+int(b)] }
	all := func(c byteClass) (n uint64) {
		for a := range numClasses {
			n += pair(a, c)
		}
		return n
	}
	var n [numFeatures]uint64
	// A word begins at a letter that follows neither a letter nor an inner byte.
	n[words] = all(classLower) + all(classUpper) -
		pair(classLower, classLower) - pair(classUpper, classUpper) - pair(classLower, classUpper) - pair(classUpper, classLower) -
		pair(classOther, classLower) - pair(classOther, classUpper)
	n[humps] = pair(classLower, classUpper)
	n[capitals] = pair(classUpper, classUpper)
	n[longer], n[longest] = beyond4, beyond7
	n[digits] = all(classDigit)
	n[numbers] = n[digits] - pair(classDigit, classDigit)
	n[spacedNumber] = pair(classSpace, classDigit)
	n[signs] = all(classSign)
	n[lines] = all(classLine) - pair(classLine, classLine)
	n[indents] = pair(classSpace, classSpace)
	for lead := latin; lead < numFeatures; lead++ {
		n[lead] = all(classLead + byteClass(lead-latin))
	}
	return TextShape{counts: n, bytes: len(text)}
}

// Reasoning tokens to reckon with; docs/prices.md has the reasoning.
const (
	reasoningBase = 200
	reasoningMost = 32_000
)

// ReasoningAllowance gives the reasoning tokens to reckon with for an answer of
// visibleOutputTokens: 200 and as many again as are visible, at most 32,000 and at
// most what the model can still put out; 0 for a model that is not known to think. It
// is a stated assumption, not a forecast: nine recorded responses spent between 0.2
// and 19 times their visible tokens, 200 in the mean.
func (m *Model) ReasoningAllowance(visibleOutputTokens int64) int64 {
	if !m.Thinks() || visibleOutputTokens < 0 {
		return 0
	}
	allowance := min(reasoningMost, reasoningBase+min(visibleOutputTokens, reasoningMost))
	if m.MaxOutputTokens > 0 {
		allowance = min(allowance, max(0, m.MaxOutputTokens-visibleOutputTokens))
	}
	return allowance
}
