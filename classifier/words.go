package classifier

import (
	"unicode"
	"unicode/utf8"
)

// word is a token of the text: a run of letters or digits, one ideograph, or
// one mark of punctuation.
type word struct {
	start, end int32 // bytes within its message
	message    int32
	hash       uint64 // of the folded text
	class      class  // from the lexicon
	zone       zone
	kind       wordKind
	first      bool   // opens a sentence
	para       uint16 // paragraph of the last user turn
}

type wordKind uint8

const (
	kindLatin  wordKind = iota // letters of a script that separates words
	kindIdeo                   // one character of a script that doesn't
	kindNumber                 // digits
	kindMark                   // punctuation
)

// tokenize appends the words of s[start:end].
func (r *reading) tokenize(s string, message, start, end int, z zone) {
	first := true
	for i := start; i < end; {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case asciiWord[c] != 0:
				h := uint64(seed)
				j := i
				digits := true
				for j < end && s[j] < utf8.RuneSelf && asciiWord[s[j]] != 0 {
					f := asciiWord[s[j]]
					digits = digits && f == '0'
					h = (h ^ uint64(f)) * prime
					j++
				}
				if j < end && s[j] >= utf8.RuneSelf {
					// A word that goes on in another alphabet, "für": hash it by runes.
					i = r.wideWord(s, message, i, end, z, first)
					first = false
					continue
				}
				w := word{start: int32(i), end: int32(j), message: int32(message), hash: h, zone: z, first: first, para: r.para}
				if digits {
					w.kind = kindNumber
				} else {
					w.class = lexicon.lookup(h)
				}
				r.words = append(r.words, w)
				first = false
				i = j
			case c == '\n':
				first = true
				i++
			case c <= ' ' || c == 0x7f:
				i++
			default:
				w := word{start: int32(i), end: int32(i + 1), message: int32(message), hash: markHash(rune(c)), zone: z, kind: kindMark, first: first, para: r.para}
				first = false
				switch c {
				case '?':
					w.class = classQuestionMark
					first = true
				case '.', '!':
					first = i+1 >= end || s[i+1] <= ' '
				}
				r.words = append(r.words, w)
				i++
			}
			continue
		}
		rn, size := utf8.DecodeRuneInString(s[i:end])
		switch {
		case rn == utf8.RuneError, rn == 0x200b, rn == 0x200c, rn == 0x200d, rn == 0xfeff, rn == 0xad, unicode.IsSpace(rn):
			i += size // broken or invisible
		case ideographic(rn):
			h := markHash(rn)
			w := word{start: int32(i), end: int32(i + size), message: int32(message), hash: h, zone: z, kind: kindIdeo, first: first, para: r.para}
			if n := len(r.words); n > 0 && r.words[n-1].kind == kindIdeo && int(r.words[n-1].end) == i && r.words[n-1].message == int32(message) {
				w.class = lexicon.lookup(pairHash(r.words[n-1].hash, h))
			}
			r.words = append(r.words, w)
			first = false
			i += size
		case unicode.IsLetter(rn) || unicode.IsDigit(rn):
			i = r.wideWord(s, message, i, end, z, first)
			first = false
		default:
			w := word{start: int32(i), end: int32(i + size), message: int32(message), hash: markHash(rn), zone: z, kind: kindMark, first: first, para: r.para}
			first = false
			switch rn {
			case '？':
				w.class = classQuestionMark
				w.hash = markHash('?')
				first = true
			case '。', '！':
				first = true
			}
			r.words = append(r.words, w)
			i += size
		}
	}
}

// Words are hashed by FNV-1a over their folded runes.
const seed, prime = 14695981039346656037, 1099511628211

// markHash is the hash of a word of one rune.
func markHash(r rune) uint64 { return (seed ^ uint64(r)) * prime }

// pairHash is the hash of two ideographs that stand side by side.
func pairHash(a, b uint64) uint64 { return (a ^ b>>7) * 0x9e3779b97f4a7c15 }

// wideWord appends the word at i, which holds letters beyond ASCII, and gives
// its end.
func (r *reading) wideWord(s string, message, i, end int, z zone, first bool) int {
	h := uint64(seed)
	j := i
	for j < end {
		rn, size := rune(s[j]), 1
		if rn >= utf8.RuneSelf {
			rn, size = utf8.DecodeRuneInString(s[j:end])
		}
		if rn == 0x200b || rn == 0x200d || rn == 0xad {
			j += size
			continue
		}
		if rn == '’' {
			// Typographic, as in "don’t", unless it closes a quotation.
			if next, _ := utf8.DecodeRuneInString(s[j+size : end]); !unicode.IsLetter(next) {
				break
			}
			rn = '\''
		}
		if ideographic(rn) || rn == utf8.RuneError || !(unicode.IsLetter(rn) || unicode.IsDigit(rn) || unicode.IsMark(rn) || rn == '_' || rn == '\'') {
			break
		}
		h = (h ^ uint64(foldRune(rn))) * prime
		j += size
	}
	r.words = append(r.words, word{start: int32(i), end: int32(j), message: int32(message), hash: h, class: lexicon.lookup(h), zone: z, first: first, para: r.para})
	return j
}

// foldRune lowers a letter and takes accents off Latin ones, so that "Résumé"
// and "resume" meet.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		if '0' <= r && r <= '9' {
			r = '0'
		}
		return r
	}
	r = unicode.ToLower(r)
	if r >= 0xe0 && r <= 0xff {
		return rune(latinBase[r-0xe0])
	}
	return r
}

const latinBase = "aaaaaaaceeeeiiiidnooooo/ouuuuyty"

// ideographic tells characters that are words by themselves: Chinese, Japanese,
// Korean syllables, Thai.
func ideographic(r rune) bool {
	return r >= 0x0e00 && (r <= 0x0e7f || (r >= 0x3040 && r <= 0x30ff) || (r >= 0x3400 && r <= 0x9fff) || (r >= 0xac00 && r <= 0xd7a3) || (r >= 0x20000 && r <= 0x3ffff))
}

// asciiWord folds the ASCII bytes that words are made of; 0 for the others.
// Digits are one and the same.
var asciiWord = func() (t [utf8.RuneSelf]byte) {
	for c := range t {
		switch {
		case 'a' <= c && c <= 'z', c == '_', c == '\'':
			t[c] = byte(c)
		case 'A' <= c && c <= 'Z':
			t[c] = byte(c) + 'a' - 'A'
		case '0' <= c && c <= '9':
			t[c] = '0'
		}
	}
	return t
}()

// scriptLanguage names the language of a text whose script gives it away, by its
// asked words; empty where it doesn't.
func scriptLanguage(ws []word, ms []Message) string {
	han, kana, hangul, thai, arabic, hebrew, hindi, greek, latin := 0, 0, 0, 0, 0, 0, 0, 0, 0
	for i := range ws {
		w := &ws[i]
		if w.zone != zoneAsk || w.kind == kindMark || w.kind == kindNumber {
			continue
		}
		r, _ := utf8.DecodeRuneInString(ms[w.message].Content[w.start:w.end])
		switch {
		case r < utf8.RuneSelf:
			latin++
		case r >= 0x3040 && r <= 0x30ff:
			kana++
		case r >= 0xac00 && r <= 0xd7a3:
			hangul++
		case r >= 0x0e00 && r <= 0x0e7f:
			thai++
		case ideographic(r):
			han++
		case r >= 0x0600 && r <= 0x06ff:
			arabic++
		case r >= 0x0590 && r <= 0x05ff:
			hebrew++
		case r >= 0x0900 && r <= 0x097f:
			hindi++
		case r >= 0x0370 && r <= 0x03ff:
			greek++
		}
	}
	switch most := max(han+kana, hangul, thai, arabic, hebrew, hindi, greek); {
	case most == 0 || most < latin:
		return ""
	case most == han+kana && kana*8 > han:
		return "ja"
	case most == han+kana:
		return "zh"
	case most == hangul:
		return "ko"
	case most == thai:
		return "th"
	case most == arabic:
		return "ar"
	case most == hebrew:
		return "he"
	case most == hindi:
		return "hi"
	default:
		return "el"
	}
}
