package classifier

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"
)

type line uint8

const (
	lineBlank line = iota
	lineProse
	lineCode
	lineLog
	lineTable
	lineData
	lineQuote
	lineFence
	lineItem
	lineNumbered
	lineHeading
)

// material tells lines that are worked on rather than read as an ask.
func (k line) material() bool {
	return k == lineCode || k == lineLog || k == lineTable || k == lineData || k == lineQuote
}

// Byte classes are counted four at once, in 16-bit lanes of one word.
const (
	laneLetter = 1
	laneDigit  = 1 << 16
	laneMark   = 1 << 32
	laneWide   = 1 << 48
)

var byteLanes = func() (t [256]uint64) {
	for c := range t {
		switch {
		case c >= 0x80:
			t[c] = laneWide
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			t[c] = laneLetter
		case '0' <= c && c <= '9':
			t[c] = laneDigit
		case c > ' ' && c < 0x7f:
			t[c] = laneMark
		}
	}
	return t
}()

// scanChunk is how many bytes are scanned between looks at the context.
const scanChunk = 32 << 10

// scan adds the lines and bytes of s to the shape.
func (a *shape) scan(ctx context.Context, s string) error {
	a.bytes += len(s)
	fenced, blankBefore := false, true
	checked := 0
	var speakers [4]uint64 // who spoke last
	turn := 0
	for pos := 0; pos < len(s); {
		if pos-checked > scanChunk {
			if err := ctx.Err(); err != nil {
				return err
			}
			checked = pos
		}
		n := strings.IndexByte(s[pos:min(len(s), pos+scanChunk)], '\n')
		if n < 0 {
			n = min(len(s)-pos, scanChunk)
		}
		ln := s[pos : pos+n]
		pos += n + 1
		var lanes uint64
		for i := range len(ln) {
			lanes += byteLanes[ln[i]]
		}
		a.letters += int(lanes & 0xffff)
		a.digits += int(lanes >> 16 & 0xffff)
		a.marks += int(lanes >> 32 & 0xffff)
		a.wide += int(lanes >> 48)
		a.lines++
		k := lineKind(ln)
		if k == lineFence {
			a.fences++
			fenced = !fenced
			continue
		}
		if fenced {
			k = lineCode
		}
		if k == lineBlank {
			a.blank++
			blankBefore = true
			continue
		}
		if blankBefore {
			a.paragraphs++
			blankBefore = false
		}
		switch k {
		case lineProse:
			if who := speaker(ln); who != 0 {
				if slices.Contains(speakers[:], who) {
					a.speech++
				} else {
					speakers[turn%len(speakers)] = who
					turn++
				}
			}
		case lineCode:
			a.code++
		case lineLog:
			a.log++
		case lineTable:
			a.table++
		case lineData:
			a.data++
		case lineQuote:
			a.quotes++
		case lineItem:
			a.items++
		case lineNumbered:
			a.numbered++
		}
	}
	return nil
}

// dialogue is how many lines by speakers who spoke before make a text a dialogue.
const dialogue = 4

// speakerBytes and speakerSpaces bound a speaker's name.
const speakerBytes, speakerSpaces = 32, 3

// speaker gives the hash of who says a line, "Ana Ruiz: I'd wait."; 0 where it is
// not said by anyone.
func speaker(ln string) uint64 {
	ln = strings.TrimLeft(ln, " \t*")
	h, spaces := uint64(seed), 0
	for i := range min(len(ln)-2, speakerBytes) {
		switch c := ln[i]; {
		case c == ':' && i > 0 && (ln[i+1] == ' ' || ln[i+1] == '*'):
			return h
		case c == ' ' && spaces < speakerSpaces:
			spaces++
		case c == ' ', c == ',', c == ':', c == '?', c == '=', i == 0 && c < utf8.RuneSelf && asciiWord[c] == 0:
			return 0
		}
		h = (h ^ uint64(ln[i])) * prime
	}
	return 0
}

// tokens approximates how many tokens the scanned bytes are: about four letters
// to a token, three digits, one and a half marks, and for scripts beyond ASCII
// a token to 2.6 bytes. Model-independent, and meant to be within 25% on prose
// and code.
func (a *shape) tokens() float64 {
	return float64(a.letters)/4.1 + float64(a.digits)/2.4 + float64(a.marks)/1.6 + float64(a.wide)/2.6
}

// lineKind says what a line looks like. It reads at most its first 160 bytes.
func lineKind(s string) line {
	s = s[:min(len(s), 160)]
	indent := 0 // columns; a tab is four
	for i := 0; i < len(s) && (s[i] == ' ' || s[i] == '\t'); i++ {
		indent++
		if s[i] == '\t' {
			indent += 3
		}
	}
	t := strings.TrimSpace(s)
	if t == "" {
		return lineBlank
	}
	c := t[0]
	end := t[len(t)-1]
	switch c {
	case '`':
		if strings.HasPrefix(t, "```") {
			return lineFence
		}
	case '~':
		if strings.HasPrefix(t, "~~~") {
			return lineFence
		}
	case '>':
		return lineQuote
	case '|':
		return lineTable
	case '#':
		if len(t) > 1 && (t[1] == ' ' || t[1] == '#') {
			return lineHeading
		}
		return lineCode
	case '-', '*', '+':
		if len(t) > 2 && t[1] == ' ' {
			return lineItem
		}
		if strings.HasPrefix(t, "+++ ") || strings.HasPrefix(t, "--- a/") {
			return lineCode
		}
	case '{', '}', ']':
		return lineData
	case '[':
		if end == ']' || end == ',' || len(t) > 1 && '0' <= t[1] && t[1] <= '9' {
			return lineData
		}
	case '"', '\'':
		if (end == ',' || end == '{' || end == '[') && strings.Contains(t, "\":") {
			return lineData
		}
	case '<':
		if end == '>' {
			return lineData
		}
	case '@':
		if indent == 0 && len(t) < 40 && !strings.Contains(t, " ") {
			return lineCode
		}
	}
	if '0' <= c && c <= '9' {
		i := 0
		for i < len(t) && '0' <= t[i] && t[i] <= '9' {
			i++
		}
		if i <= 3 && i+1 < len(t) && (t[i] == '.' || t[i] == ')') && t[i+1] == ' ' {
			return lineNumbered
		}
		if i == 4 && len(t) >= 10 && (t[4] == '-' || t[4] == '/') && strings.Count(t[:min(len(t), 32)], ":") >= 1 {
			return lineLog
		}
		if i == 2 && len(t) >= 8 && t[2] == ':' && t[5] == ':' {
			return lineLog
		}
	}
	commas, bars, symbols, spaces, tabs := 0, 0, 0, 0, 0
	for i := range len(t) {
		switch t[i] {
		case ',', ';':
			commas++
		case '|':
			bars++
		case ' ':
			spaces++
		case '\t':
			tabs++
		case '(', ')', '{', '}', '=', '<', '>', '_', '[', ']', '&', '*', '\\', '$':
			symbols++
		}
	}
	switch {
	case end == '{' || end == '}' || (end == ';' && (symbols > 0 || spaces < 5)):
		return lineCode
	case bars >= 2 || tabs >= 2:
		return lineTable
	case commas >= 3 && spaces <= commas/2:
		return lineTable
	case logWord(t):
		return lineLog
	case codeWord(t) && (symbols > 0 || end == ':'):
		return lineCode
	case symbols >= 3 && symbols*6 > len(t) && spaces < symbols*2:
		return lineCode
	case indent >= 4 && symbols >= 2:
		return lineCode
	}
	return lineProse
}

func logWord(t string) bool {
	for _, p := range []string{"INFO", "WARN", "ERROR", "DEBUG", "FATAL", "Traceback (most", "at java.", "at org.", "at com.", "goroutine ", "Caused by:", "File \"/"} {
		if strings.HasPrefix(t, p) {
			return true
		}
	}
	return false
}

func codeWord(t string) bool {
	for _, p := range []string{"def ", "class ", "import ", "from ", "func ", "return ", "if ", "for ", "while ", "var ", "let ", "const ", "public ", "private ", "static ", "package ", "#include", "SELECT ", "INSERT ", "CREATE ", "elif ", "else:", "try:", "except", "@", "//", "/*", "export ", "function ", "type ", "struct ", "fn ", "use ", "namespace ", "using ", "template"} {
		if strings.HasPrefix(t, p) {
			return true
		}
	}
	return false
}
