package classifier

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a task is read word by word, in bytes. The rest is read for its
// structure only. The head and the tail of what is asked carry the ask: on the
// development set, n-grams of the first and last sentence alone do as well as
// those of the whole text.
const (
	headBytes     = 1400
	tailBytes     = 600
	materialBytes = 300
	contextBytes  = 240 // each of head and tail, of the turns before
	systemBytes   = 240
)

// zone says what part a word plays.
type zone uint8

const (
	zoneAsk      zone = iota // sentences that ask for something
	zoneRest                 // other prose of the last user turn
	zoneMaterial             // code, logs, tables, quotes: what is worked on
	zonePrevUser             // the user turn before
	zonePrevAsst             // the assistant turn before
	zoneSystem               // the system prompt
	zones

	zoneAside = zones // greetings and pleas: read by nothing
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

// reading is a task taken apart. It is reused between calls.
type reading struct {
	words    []word
	shape    shape // of the last user turn without what is set aside
	system   shape
	context  shape // all turns before
	harness  int   // bytes set aside
	turns    int   // user turns
	users    int   // index of the last user message
	inherits bool  // the ask leans on the turn before: "yes, do it"
	lastAsst bool  // an assistant turn stands before the ask
	tools    bool
	tokens   float64
	wideLang string // of a script that only one language uses
	keep     []segment
	para     uint16
	doc      int // 1: a short ask before a long text, 2: after it
}

// segment is a piece of a message: bytes start up to end.
type segment struct{ start, end int }

// shape counts the lines of a text by what they look like, and its bytes by
// class.
type shape struct {
	bytes                             int
	letters, digits, marks, wide      int // bytes
	lines, blank                      int
	prose, code, log, table, data     int // lines
	items, numbered, quotes, headings int
	fences                            int
	longest                           int // bytes of the longest line
	paragraphs                        int
}

// material is how many lines look like something to work on.
func (s *shape) material() int { return s.code + s.log + s.table + s.data + s.quotes }

// read takes a task apart.
func (r *reading) read(ctx context.Context, t Task) error {
	*r = reading{words: r.words[:0], keep: r.keep[:0], users: -1}
	last := -1
	for i := range t.Messages {
		switch t.Messages[i].Role {
		case System, Assistant:
		case Tool:
			r.tools = true
		default:
			last = i
			r.turns++
		}
	}
	if last < 0 {
		last = len(t.Messages) - 1
		if last < 0 {
			return ctx.Err()
		}
	}
	r.users = last
	prevUser, prevAsst, system := -1, -1, -1
	for i := last - 1; i >= 0; i-- {
		switch t.Messages[i].Role {
		case System:
		case Assistant:
			if prevAsst < 0 && prevUser < 0 {
				prevAsst = i
			}
		case Tool:
		default:
			if prevUser < 0 {
				prevUser = i
			}
		}
	}
	for i := range t.Messages {
		if err := ctx.Err(); err != nil {
			return err
		}
		m := &t.Messages[i]
		switch {
		case i == last:
			if err := r.readAsk(ctx, m.Content, i); err != nil {
				return err
			}
		case m.Role == System:
			if system < 0 {
				system = i
			}
			if err := r.system.scan(ctx, m.Content); err != nil {
				return err
			}
		default:
			if err := r.context.scan(ctx, m.Content); err != nil {
				return err
			}
		}
	}
	r.lastAsst = prevAsst >= 0
	if prevUser >= 0 {
		r.readEnds(t.Messages[prevUser].Content, prevUser, contextBytes, zonePrevUser)
	}
	if prevAsst >= 0 {
		r.readEnds(t.Messages[prevAsst].Content, prevAsst, contextBytes, zonePrevAsst)
	}
	r.inherit(prevUser, prevAsst)
	if system >= 0 {
		r.readEnds(t.Messages[system].Content, system, systemBytes, zoneSystem)
	}
	r.wideLang = scriptLanguage(r.words, t.Messages)
	r.tokens = r.shape.tokens() + r.system.tokens() + r.context.tokens() + float64(4*len(t.Messages)) + float64(r.harness)/4
	return nil
}

// harnessTags open blocks that an agent's harness wraps around what a person
// asked.
var harnessTags = []string{
	"system-reminder", "system_reminder", "environment_context", "environment_details", "environment",
	"env", "user_instructions", "available_tools", "tools", "tool_schemas", "functions", "function_results",
	"tool_result", "tool_results", "local-command-stdout", "command-name", "command-message", "command-args",
	"ide_opened_file", "ide_selection", "open_files", "workspace_info", "workspace", "context_window", "git_status", "cwd",
	"attached_files", "reminder", "reminders", "additional_data", "system_info", "available_skills", "todo_list", "session_info",
	"rules", "user_info", "project_layout", "recent_files", "agent_context", "memory", "memories", "editor_context",
}

// setAside finds the parts of s that are not harness blocks.
func (r *reading) setAside(s string) []segment {
	keep := r.keep[:0]
	pos := 0
	for range 64 {
		start, end := nextBlock(s, pos)
		if start < 0 {
			break
		}
		if start > pos {
			keep = append(keep, segment{pos, start})
		}
		r.harness += end - start
		pos = end
	}
	if pos < len(s) {
		keep = append(keep, segment{pos, len(s)})
	}
	r.keep = keep
	for _, k := range keep {
		if strings.TrimSpace(s[k.start:k.end]) != "" {
			return keep
		}
	}
	// Nothing but harness: then that is what there is to read.
	r.harness = 0
	keep = append(keep[:0], segment{0, len(s)})
	r.keep = keep
	return keep
}

// nextBlock finds the next harness block of s at or after pos; start is -1 where
// there is none.
func nextBlock(s string, pos int) (start, end int) {
	for range 256 {
		i := strings.IndexByte(s[pos:], '<')
		if i < 0 {
			return -1, 0
		}
		at := pos + i
		for _, tag := range harnessTags {
			rest := s[at+1:]
			if len(rest) <= len(tag) || rest[:len(tag)] != tag || (rest[len(tag)] != '>' && rest[len(tag)] != ' ') {
				continue
			}
			closing := "</" + tag + ">"
			if j := strings.Index(rest, closing); j >= 0 {
				return at, at + 1 + j + len(closing)
			}
		}
		pos = at + 1
	}
	return -1, 0
}

// readAsk reads the last user turn.
func (r *reading) readAsk(ctx context.Context, s string, message int) error {
	keep := r.setAside(s)
	total := 0
	for _, k := range keep {
		if err := r.shape.scan(ctx, s[k.start:k.end]); err != nil {
			return err
		}
		total += k.end - k.start
	}
	if total <= headBytes+tailBytes {
		for _, k := range keep {
			r.readLines(s, message, k.start, k.end, false)
		}
		r.markAsks()
		return nil
	}
	left := headBytes
	for _, k := range keep {
		n := min(left, k.end-k.start)
		r.readLines(s, message, k.start, k.start+n, false)
		if left -= n; left <= 0 {
			break
		}
	}
	left = tailBytes
	from := len(keep) - 1
	for ; from > 0 && left > keep[from].end-keep[from].start; from-- {
		left -= keep[from].end - keep[from].start
	}
	fenced := false
	for i := from; i < len(keep); i++ {
		start := keep[i].start
		if i == from {
			start = lineStart(s, max(start, keep[i].end-left))
			fenced = (r.shape.fences-strings.Count(s[start:], "```"))%2 == 1
		}
		r.readLines(s, message, start, keep[i].end, fenced)
		fenced = false
	}
	r.markAsks()
	return nil
}

// readEnds reads the first and the last n bytes of a message.
func (r *reading) readEnds(s string, message, n int, z zone) {
	if len(s) <= 2*n {
		r.tokenize(s, message, 0, len(s), z)
		return
	}
	r.tokenize(s, message, 0, n, z)
	r.tokenize(s, message, boundary(s, len(s)-n), len(s), z)
}

// lineStart moves i forward to the start of a line, or where that is far, of a
// rune.
func lineStart(s string, i int) int {
	if n := strings.IndexByte(s[i:min(len(s), i+200)], '\n'); n >= 0 && i > 0 {
		return i + n + 1
	}
	return boundary(s, i)
}

// boundary moves i forward to the start of a rune.
func boundary(s string, i int) int {
	for n := 0; n < utf8.UTFMax && i < len(s) && !utf8.RuneStart(s[i]); n++ {
		i++
	}
	return i
}

// readLines reads bytes start to end line by line: prose word by word, and
// the first bytes of what looks like material. fenced says that it begins inside
// a fence.
func (r *reading) readLines(s string, message, start, end int, fenced bool) {
	budget := materialBytes
	for start < end {
		stop := end
		if i := strings.IndexByte(s[start:end], '\n'); i >= 0 {
			stop = start + i
		}
		k := lineKind(s[start:stop])
		switch {
		case k == lineFence:
			fenced = !fenced
		case k == lineBlank && !fenced:
			r.para++
		case fenced || k.material():
			if n := min(budget, stop-start); n > 0 {
				r.tokenize(s, message, start, start+n, zoneMaterial)
				budget -= n
			}
		default:
			r.tokenize(s, message, start, stop, zoneRest)
		}
		start = stop + 1
	}
}

// markAsks decides which sentences ask for something: the first and the last,
// those that open with a verb of doing or address the model, and questions; where
// the first paragraph asks, others only count in the first and the last one. A
// short ask before or after a long text that asks for nothing makes that text
// material.
func (r *reading) markAsks() {
	ws := r.words
	r.setCourtesyAside()
	first, last, lastPara := -1, -1, -1
	firstAsks, lastAsks := false, false
	sentences, asking := 0, 0 // outside the first and the last paragraph
	var firstWords, lastWords, midWords int
	for pass := range 2 {
		for i := 0; i < len(ws); {
			j := i + 1
			for j < len(ws) && !ws[j].first {
				j++
			}
			if ws[i].zone == zoneRest {
				asks := ws[i].class.opens() || ws[j-1].class&classQuestionMark != 0
				addressed := ws[i].class.verb()
				for k := i; k < min(j, i+4); k++ {
					asks = asks || ws[k].class.verb()
					addressed = addressed || ws[k].class&(classPolite|classRole) != 0
				}
				para := int(ws[i].para)
				switch {
				case pass == 0:
					if first < 0 {
						first = i
					}
					if para == int(ws[first].para) {
						firstAsks = firstAsks || asks
					}
					if para != lastPara {
						lastAsks = false
					}
					lastAsks = lastAsks || asks
					last, lastPara = i, para
				case i == first, i == last, asks && (!firstAsks || para == int(ws[first].para) || para == lastPara), addressed:
					setZone(ws[i:j], zoneAsk)
				}
				if pass == 1 {
					switch para {
					case int(ws[first].para):
						firstWords += j - i
					case lastPara:
						lastWords += j - i
						fallthrough
					default:
						midWords += j - i
						sentences++
						if addressed || asks && ws[j-1].class&classQuestionMark != 0 {
							asking++
						}
					}
				}
			}
			i = j
		}
		if first < 0 {
			setZone(ws, zoneAsk)
			return
		}
	}
	if lastPara == int(ws[first].para) {
		return
	}
	switch {
	case firstAsks && firstWords <= 60 && midWords >= 2*firstWords && midWords > 30 && asking*6 <= sentences:
		for i := range ws {
			if int(ws[i].para) != int(ws[first].para) {
				ws[i].zone = zoneMaterial
			}
		}
		r.doc = 1
	case lastAsks && lastWords <= 50 && midWords+firstWords-lastWords >= 3*lastWords && midWords+firstWords-lastWords > 30 && asking <= 1 && !firstAsks:
		for i := range ws {
			if int(ws[i].para) != lastPara {
				ws[i].zone = zoneMaterial
			}
		}
		r.doc = 2
	}
}

// courtesyWords bounds a sentence that may be a greeting, thanks or a plea.
const courtesyWords = 16

// setCourtesyAside takes sentences away that consist of greetings, thanks and
// pleas for the best model, unless nothing else is left.
func (r *reading) setCourtesyAside() {
	ws := r.words
	other := false
	for pass := range 2 {
		for i := 0; i < len(ws); {
			j := i + 1
			for j < len(ws) && !ws[j].first {
				j++
			}
			if ws[i].zone == zoneRest {
				n, courteous := 0, 0
				for k := i; k < j; k++ {
					if ws[k].kind == kindMark {
						continue
					}
					n++
					if ws[k].class&classCourtesy != 0 {
						courteous++
					}
				}
				aside := n <= courtesyWords && courteous*5 >= n*4
				if pass == 0 {
					other = other || !aside
				} else if aside {
					setZone(ws[i:j], zoneAside)
				}
			}
			i = j
		}
		if !other {
			return
		}
	}
}

func setZone(ws []word, z zone) {
	for i := range ws {
		ws[i].zone = z
	}
}

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
				w := word{start: int32(i), end: int32(i + 1), message: int32(message), hash: markHash(rune(c)), zone: z, kind: kindMark, first: first}
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
		case rn == utf8.RuneError, rn == 0x200b, rn == 0x200c, rn == 0x200d, rn == 0xfeff, rn == 0xad:
			i += size // broken or invisible
		case ideographic(rn):
			h := markHash(rn)
			w := word{start: int32(i), end: int32(i + size), message: int32(message), hash: h, zone: z, kind: kindIdeo, first: first}
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
			w := word{start: int32(i), end: int32(i + size), message: int32(message), hash: markHash(rn), zone: z, kind: kindMark, first: first}
			first = false
			switch rn {
			case '？':
				w.class = classQuestionMark
				w.hash = markHash('?')
				first = true
			case '。', '！':
				first = true
			}
			if !unicode.IsSpace(rn) {
				r.words = append(r.words, w)
			}
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
		if ideographic(rn) || rn == utf8.RuneError || !(unicode.IsLetter(rn) || unicode.IsDigit(rn) || unicode.IsMark(rn) || rn == '_' || rn == '\'') {
			break
		}
		h = (h ^ uint64(foldRune(rn))) * prime
		j += size
	}
	if j == i {
		_, size := utf8.DecodeRuneInString(s[i:end])
		return i + size
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

// inheritWords bounds an ask that may lean on the turn before.
const inheritWords = 8

// proposalWords is how much of an assistant's turn is read as what it proposes.
const proposalWords = 30

// inherit makes an ask of what a short last turn approves or refers to: "yes, do
// it", "same for the rest".
func (r *reading) inherit(prevUser, prevAsst int) {
	if prevUser < 0 && prevAsst < 0 {
		return
	}
	n := 0
	var all, first class
	for i := range r.words {
		w := &r.words[i]
		if int(w.message) != r.users || w.kind == kindMark {
			continue
		}
		if n == 0 {
			first = w.class
		}
		n++
		all |= w.class
	}
	const asks = classWhat | classFact | classWhich | classHow | classWhy | classQuestionMark | classNegation
	if n == 0 || n > inheritWords || all&asks != 0 || (first&classAffirm == 0 && all&classAnaphor == 0) {
		return
	}
	r.inherits = true
	proposed := 0
	for i := len(r.words) - 1; i >= 0; i-- {
		w := &r.words[i]
		switch {
		case w.zone == zonePrevUser:
			w.zone = zoneAsk
		case w.zone == zonePrevAsst && first&classAffirm != 0 && proposed < proposalWords:
			// What was proposed stands at the end of the assistant's turn.
			proposed++
			w.zone = zoneAsk
		}
	}
}

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
