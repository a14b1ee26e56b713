package encoder

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWordPieces(t *testing.T) {
	v := tinyEncoder(t).vocabulary
	tests := []struct{ name, text, want string }{
		{"empty", " \t\r\n\u00a0\u3000", ""},
		{"words", "fix the test", "fix the test"},
		{"case", "FIX The tesT ПРИВЕТ", "fix the test привет"},
		{"accents", "Café the cafe\u0301", "cafe the cafe"},
		{"no accent on й but one in й", "й", "и"},
		{"longest first", "unable", "un ##able"},
		{"pieces", "fixing tests fixab", "fix ##ing test ##s fix ##a ##b"},
		{"a part unknown makes the word unknown", "fixz the", "[UNK] the"},
		{"punctuation stands alone", "fix,the.test!$a", "fix , the . test ! $ a"},
		{"symbols beyond ASCII don't", "a€", "[UNK]"},
		{"decomposed punctuation", "a\u037eb", "a ; b"},
		{"ideographs stand alone", "中文a", "中 文 a"},
		{"kana don't", "かか", "か ##か"},
		{"Hangul is cut into its letters", "한", "ᄒ ##ᅡ ##ᆫ"},
		{"controls go", "f\x00i\u200bx\x7f \x85t\ufeffest\ue000", "fix test"},
		{"broken UTF-8 goes", "f\xffix \xc3", "fix"},
		{"special tokens are text", "[SEP]", "[ sep ]"},
		{"the mark of a piece is text", "##a", "# # a"},
		{"100 characters", strings.Repeat("a", 100), "a" + strings.Repeat(" ##a", 99)},
		{"101 characters", strings.Repeat("a", 101), "[UNK]"},
		{"100 accented characters", strings.Repeat("a\u0301", 100), "a" + strings.Repeat(" ##a", 99)},
		{"a megabyte", strings.Repeat("ü", 1<<19), "[UNK]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ids, word := v.appendTokens(nil, nil, tt.text)
			var got []string
			for _, id := range ids {
				got = append(got, tinyTokens[id])
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), tt.want)
			}
			if cap(word) > 1<<10 {
				t.Errorf("the buffer has grown to %d bytes", cap(word))
			}
		})
	}
}

// FuzzWordPieces: any bytes give known ids, at most one for each code point
// after decomposition, and cutting at a space changes nothing.
func FuzzWordPieces(f *testing.F) {
	for _, s := range []string{"", "fix the café", "한글 中文\x00\xff", strings.Repeat("ab", 60), "\u1e9b\u0323", "İ", "\U0002f868"} {
		f.Add(s, " a")
	}
	v := tinyEncoder(f).vocabulary
	f.Fuzz(func(t *testing.T, a, b string) {
		first, _ := v.appendTokens(nil, nil, a)
		second, _ := v.appendTokens(nil, nil, b)
		both, _ := v.appendTokens(nil, nil, a+" "+b)
		if !slices.Equal(both, slices.Concat(first, second)) {
			t.Errorf("%v and %v make %v", first, second, both)
		}
		if n := 4 * (utf8.RuneCountInString(a) + utf8.RuneCountInString(b)); len(both) > n {
			t.Errorf("%d tokens of %d code points", len(both), n/4)
		}
		for _, id := range both {
			if id < 0 || int(id) >= tinyShape.tokens {
				t.Errorf("id %d", id)
			}
		}
	})
}
