package pricing

import (
	"context"
	"math"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer/codec"
)

// bpe counts tokens by byte-pair encoding with a known vocabulary. The vocabulary
// is the tokenizer library's. The splitting into words is ours: the library matches
// a backtracking expression, which takes 18 s for 100 kB of alternating spaces and
// line ends, while this splitter is linear. A test holds the two to equal counts.
type bpe struct {
	ranks   map[string]uint32 // token → its rank: the lowest merges first
	pairs   []uint32          // the same for tokens of two bytes, by their 16 bits
	classes []runeClass       // of the runes of the basic plane
}

// runeClass is what the splitter needs to know of a rune.
type runeClass uint8

const (
	symbol   runeClass = iota // anything else: punctuation, signs, controls
	caseless                  // letters without case
	mark                      // combining marks: join words, and may begin one as a symbol
	lower
	upper // upper and title case
	number
	space
	newline // CR and LF
)

// none is the rank of what is not a token.
const none = math.MaxUint32

// maxPiece is the longest word, in bytes, that is merged exactly; a longer one is cut.
// Merging takes quadratic time at worst.
const maxPiece = 96

// newBPE takes the vocabulary of tokens 0 to last from c.
func newBPE(c *codec.Codec, last uint) *bpe {
	b := &bpe{ranks: make(map[string]uint32, last+1), pairs: make([]uint32, 1<<16), classes: make([]runeClass, 1<<16)}
	for i := range b.pairs {
		b.pairs[i] = none
	}
	for id := range last + 1 {
		token, err := c.Decode([]uint{id})
		if err != nil {
			continue // a gap in the vocabulary
		}
		b.ranks[token] = uint32(id)
		if len(token) == 2 {
			b.pairs[int(token[0])<<8|int(token[1])] = uint32(id)
		}
	}
	for r := range b.classes {
		b.classes[r] = classOf(rune(r))
	}
	return b
}

func classOf(r rune) runeClass {
	switch {
	case r == '\r' || r == '\n':
		return newline
	case unicode.IsSpace(r):
		return space
	case unicode.Is(unicode.Ll, r):
		return lower
	case unicode.In(r, unicode.Lu, unicode.Lt):
		return upper
	case unicode.In(r, unicode.Lm, unicode.Lo):
		return caseless
	case unicode.Is(unicode.M, r):
		return mark
	case unicode.Is(unicode.N, r):
		return number
	}
	return symbol
}

// at gives the class and the length of the rune at s[i]; 0 bytes at the end.
func (b *bpe) at(s string, i int) (runeClass, int) {
	if i >= len(s) {
		return symbol, 0
	}
	if c := s[i]; c < utf8.RuneSelf {
		return b.classes[c], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	if int(r) < len(b.classes) {
		return b.classes[r], n
	}
	return classOf(r), n
}

// word gives the end of the word that begins at s[i]. These are the alternatives of
// OpenAI's expression for o200k_base, in order:
//
//	a letter run in lower case or with a capital, with one symbol or space before
//	it and 's, 't, 're, 've, 'm, 'll or 'd behind it; up to three digits; symbols,
//	with a space before and line ends behind; white space up to the last line end;
//	other white space but for the last before a word
func (b *bpe) word(s string, i int) int {
	first, n := b.at(s, i)
	if first != newline && first != number && !letter(first) {
		if end := b.letters(s, i+n); end > 0 {
			return end
		}
	}
	if letter(first) || first == mark {
		if end := b.letters(s, i); end > 0 {
			return end
		}
	}
	if first == number {
		end := i + n
		for range 2 {
			c, n := b.at(s, end)
			if c != number || n == 0 {
				break
			}
			end += n
		}
		return end
	}
	start := i
	if s[i] == ' ' {
		start++
	}
	end := start
	for end < len(s) {
		c, n := b.at(s, end)
		if c != symbol && c != mark {
			break
		}
		end += n
	}
	if end > start {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n' || s[end] == '/') {
			end++
		}
		return end
	}
	lastLine, beforeLast := 0, i
	end = i
	for end < len(s) {
		c, n := b.at(s, end)
		if c != space && c != newline {
			break
		}
		beforeLast = end
		end += n
		if c == newline {
			lastLine = end
		}
	}
	switch {
	case lastLine > 0:
		return lastLine
	case end < len(s) && beforeLast > i:
		return beforeLast
	}
	return end
}

func letter(c runeClass) bool { return c == lower || c == upper || c == caseless }

// letters gives the end of the letter run at s[i], with its contraction; 0 if there
// is none. The run is capitals and caseless letters, then small and caseless ones:
// "HTMLPage" ends before "age"'s capital only if no small letter follows it.
func (b *bpe) letters(s string, i int) int {
	end, afterCaseless := i, 0
	var c runeClass
	var n int
	for {
		c, n = b.at(s, end)
		if n == 0 || c != upper && c != caseless && c != mark {
			break
		}
		end += n
		if c != upper {
			afterCaseless = end
		}
	}
	switch {
	case n > 0 && c == lower:
		for n > 0 && (c == lower || c == caseless || c == mark) {
			end += n
			c, n = b.at(s, end)
		}
	case afterCaseless > 0: // a capital at the end begins the next word
		end = afterCaseless
	case end == i:
		return 0
	}
	return end + contraction(s[end:])
}

// contraction gives the length of 's, 't, 're, 've, 'm, 'll or 'd at the start of s.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(s) > 2 && s[2]|0x20 == 'e' {
			return 3
		}
	case 'l':
		if len(s) > 2 && s[2]|0x20 == 'l' {
			return 3
		}
	}
	return 0
}

// count gives the tokens of s, and how many words had to be cut. It asks the context
// every 16 kB.
func (b *bpe) count(ctx context.Context, s string) (tokens, cuts int64, err error) {
	asked := 0
	for i := 0; i < len(s); {
		if i-asked >= 16<<10 {
			asked = i
			if err := ctx.Err(); err != nil {
				return 0, 0, err
			}
		}
		end := b.word(s, i)
		for end-i > maxPiece {
			cut := i + maxPiece
			for !utf8.RuneStart(s[cut]) && cut > i+maxPiece-utf8.UTFMax {
				cut--
			}
			tokens += b.merge(s[i:cut])
			cuts++
			i = cut
		}
		tokens += b.merge(s[i:end])
		i = end
	}
	return tokens, cuts, nil
}

// merge gives the tokens of a word: its bytes, with the pair of lowest rank merged
// until no pair is a token.
func (b *bpe) merge(word string) int64 {
	if len(word) < 2 {
		return 1
	}
	if _, ok := b.ranks[word]; ok {
		return 1
	}
	var start [maxPiece + 1]uint16 // of each part; one more for the end
	var rank [maxPiece]uint32      // of each part with the next
	parts := len(word)
	for i := range parts {
		start[i] = uint16(i)
		rank[i] = none
		if i+1 < parts {
			rank[i] = b.pairs[int(word[i])<<8|int(word[i+1])]
		}
	}
	start[parts] = uint16(parts)
	joined := func(i int) uint32 { // the rank of parts i and i+1 as one
		if i+2 > parts {
			return none
		}
		if r, ok := b.ranks[word[start[i]:start[i+2]]]; ok {
			return r
		}
		return none
	}
	for {
		best, at := uint32(none), 0
		for i, r := range rank[:parts-1] {
			if r < best {
				best, at = r, i
			}
		}
		if best == none {
			return int64(parts)
		}
		copy(start[at+1:parts], start[at+2:parts+1])
		copy(rank[at+1:parts-1], rank[at+2:parts])
		parts--
		if parts == 1 {
			return 1
		}
		rank[at] = joined(at)
		if at > 0 {
			rank[at-1] = joined(at - 1)
		}
	}
}

// o200k is the vocabulary of OpenAI's models since gpt-4o. Loading it takes about
// 0.1 s and 20 MB, so it is done once, at first use, and beside the caller.
var o200k struct {
	once  sync.Once
	ready chan struct{}
	bpe   *bpe
}

// loadO200k gives the vocabulary, or the context's error if that ends first.
func loadO200k(ctx context.Context) (*bpe, error) {
	o200k.once.Do(func() {
		o200k.ready = make(chan struct{})
		go func() {
			defer close(o200k.ready)
			o200k.bpe = newBPE(codec.NewO200kBase(), 199_997)
		}()
	})
	select {
	case <-o200k.ready:
		return o200k.bpe, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
