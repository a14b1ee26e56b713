package encoder

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxWordRunes is the length, in code points after normalisation, above which
// a word is unknown as a whole. It is BERT's own limit.
const maxWordRunes = 100

// vocabulary is the list of word pieces, looked up by their bytes.
type vocabulary struct {
	// whole holds pieces that start a word, rest those that go on with one
	// (spelt "##ing" in the list, held here as "ing").
	whole, rest map[string]int32
	// longest is the length in bytes of the longest piece; no longer prefix is tried.
	longest int
	// unknown, start and end are the ids of [UNK], [CLS] and [SEP].
	unknown, start, end int32
}

// appendTokens appends the ids of the pieces of text, as BERT's uncased
// tokenizer cuts it: control characters go, letters lose case and accents,
// punctuation and CJK ideographs stand alone, and each word is cut greedily
// into the longest pieces known. word is a buffer, returned for reuse.
//
// Two things differ. A text that spells "[SEP]" gets its five characters, not the
// separator itself, so that a prompt cannot forge one. And Go's Unicode tables
// are newer, which changes some 600 code points of rare scripts.
func (v *vocabulary) appendTokens(ids []int32, word []byte, text string) ([]int32, []byte) {
	word = word[:0]
	runes := 0 // in word
	flush := func() {
		switch {
		case runes > maxWordRunes:
			ids = append(ids, v.unknown)
		case runes > 0:
			ids = v.appendPieces(ids, word)
		}
		word, runes = word[:0], 0
	}
	var buf [64]byte // the longest decomposition of one code point is 18 bytes
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf { // the common case, and the fast one
			i++
			switch {
			case 'A' <= c && c <= 'Z':
				word, runes = appendByte(word, c+'a'-'A', runes)
			case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
				word, runes = appendByte(word, c, runes)
			case c == ' ' || c == '\t' || c == '\n' || c == '\r':
				flush()
			case c > ' ' && c < 0x7f: // what is left is punctuation
				flush()
				word, runes = append(word, c), 1
				flush()
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		src := text[i : i+size]
		i += size
		switch {
		case r == utf8.RuneError || isDropped(r):
			continue
		case unicode.IsSpace(r):
			flush()
			continue
		}
		alone := isIdeograph(r)
		if alone {
			flush()
		}
		for d := appendDecomposed(buf[:0], r, src); len(d) > 0; {
			r, size := utf8.DecodeRune(d)
			d = d[size:]
			switch {
			case unicode.Is(unicode.Mn, r): // an accent
			case isPunctuation(r):
				flush()
				word, runes = utf8.AppendRune(word, r), 1
				flush()
			default:
				if runes++; runes <= maxWordRunes {
					word = utf8.AppendRune(word, unicode.ToLower(r))
				}
			}
		}
		if alone {
			flush()
		}
	}
	flush()
	return ids, word
}

// appendByte adds a character to the word. A word that is too long is only
// counted, so that a megabyte without a space costs no memory.
func appendByte(word []byte, c byte, runes int) ([]byte, int) {
	if runes++; runes <= maxWordRunes {
		word = append(word, c)
	}
	return word, runes
}

// appendPieces cuts one normalised word. A word with a part that no piece
// covers is unknown as a whole.
func (v *vocabulary) appendPieces(ids []int32, word []byte) []int32 {
	known := len(ids)
	pieces := v.whole
	for len(word) > 0 {
		n := min(len(word), v.longest)
		for ; n > 0; n-- {
			if id, ok := pieces[string(word[:n])]; ok {
				ids = append(ids, id)
				break
			}
		}
		if n == 0 {
			return append(ids[:known], v.unknown)
		}
		word, pieces = word[n:], v.rest
	}
	return ids
}

// appendDecomposed appends the canonical decomposition of r, which src spells.
// Normalising whole strings with norm.NFD would allocate for each call. Marks
// are not put in canonical order: all that have one are dropped.
func appendDecomposed(dst []byte, r rune, src string) []byte {
	// Hangul syllables decompose by arithmetic (Unicode standard, section 3.12).
	const syllables, leads, vowels, trails = 0xAC00, 0x1100, 0x1161, 0x11A7
	if i := r - syllables; 0 <= i && i < 19*21*28 {
		dst = utf8.AppendRune(dst, leads+i/(21*28))
		dst = utf8.AppendRune(dst, vowels+i/28%21)
		if i%28 > 0 {
			dst = utf8.AppendRune(dst, trails+i%28)
		}
		return dst
	}
	if d := norm.NFD.PropertiesString(src).Decomposition(); d != nil {
		return append(dst, d...)
	}
	return append(dst, src...)
}

// isDropped tells characters that print nothing: controls, format characters
// such as the zero-width space, private use. Tab and line ends are handled
// before, as spaces.
func isDropped(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) }

// isPunctuation tells what stands alone. ASCII is handled before, but
// decomposition can give ASCII: the Greek question mark is a semicolon.
func isPunctuation(r rune) bool {
	return unicode.IsPunct(r) || r < utf8.RuneSelf && unicode.IsSymbol(r)
}

// isIdeograph tells the ideographs that BERT cuts one by one. Kana, Hangul and
// other scripts are cut like Latin. The gap from 2B820 to 2B91F is the one of the
// tokenizer that training used.
func isIdeograph(r rune) bool {
	return 0x4E00 <= r && r <= 0x9FFF || 0x3400 <= r && r <= 0x4DBF || 0xF900 <= r && r <= 0xFAFF ||
		0x20000 <= r && r <= 0x2A6DF || 0x2A700 <= r && r <= 0x2B81F || 0x2B920 <= r && r <= 0x2CEAF ||
		0x2F800 <= r && r <= 0x2FA1F
}
