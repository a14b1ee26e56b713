package classifier

import (
	"context"
	"strings"
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
	bytes                        int
	letters, digits, marks, wide int // bytes
	lines, blank                 int
	code, log, table, data       int // lines
	items, numbered, quotes      int
	speech                       int // lines of a dialogue, by those who spoke before
	fences                       int
	paragraphs                   int
}

// material is how many lines look like something to work on.
func (s *shape) material() int { return s.code + s.log + s.table + s.data + s.quotes }

// read takes a task apart.
func (r *reading) read(ctx context.Context, t Task) error {
	*r = reading{words: r.words[:0], keep: r.keep[:0], users: -1}
	last := -1
	for i := range t.Messages {
		switch t.Messages[i].Role {
		case System, Assistant, Tool:
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
	var unclosed uint64
	for range 64 {
		start, end := nextBlock(s, pos, &unclosed)
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
// there is none. A tag that is not closed further on is not looked for again:
// unclosed has a bit for each of harnessTags.
func nextBlock(s string, pos int, unclosed *uint64) (start, end int) {
	for range 256 {
		i := strings.IndexByte(s[pos:], '<')
		if i < 0 {
			return -1, 0
		}
		at := pos + i
		for k, tag := range harnessTags {
			rest := s[at+1:]
			if *unclosed>>k&1 != 0 || len(rest) <= len(tag) || rest[:len(tag)] != tag || (rest[len(tag)] != '>' && rest[len(tag)] != ' ') {
				continue
			}
			closing := "</" + tag + ">"
			if j := strings.Index(rest, closing); j >= 0 {
				return at, at + 1 + j + len(closing)
			}
			*unclosed |= 1 << k
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
	r.para++
	keep[from].start = lineStart(s, max(keep[from].start, keep[from].end-left))
	opened := r.shape.fences
	for _, k := range keep[from:] {
		opened -= fences(s[k.start:k.end])
	}
	for _, k := range keep[from:] {
		r.readLines(s, message, k.start, k.end, opened%2 == 1)
		opened = 0
	}
	r.markAsks()
	return nil
}

// fences counts the lines of s that open or close a fence.
func fences(s string) (n int) {
	for ln := range strings.Lines(s) {
		if lineKind(ln) == lineFence {
			n++
		}
	}
	return n
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
		case fenced || k.material() || k == lineProse && r.shape.speech >= dialogue && speaker(s[start:stop]) != 0:
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
	sentences, asking := 0, 0 // outside the first paragraph
	var firstWords, lastWords, otherWords int
	for pass := range 2 {
		for i := 0; i < len(ws); {
			j := i + 1
			for j < len(ws) && !ws[j].first {
				j++
			}
			if ws[i].zone == zoneRest {
				asks := classAt(ws, i).opens() || ws[j-1].class&classQuestionMark != 0
				addressed := classAt(ws, i).verb()
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
						otherWords += j - i
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
	case firstAsks && firstWords <= 60 && otherWords >= 2*firstWords && otherWords > 30 && asking*6 <= sentences:
		for i := range ws {
			if int(ws[i].para) != int(ws[first].para) && ws[i].zone != zoneAside {
				ws[i].zone = zoneMaterial
			}
		}
		r.doc = 1
	case lastAsks && lastWords <= 50 && otherWords+firstWords-lastWords >= 3*lastWords && otherWords+firstWords-lastWords > 30 && asking <= 1 && !firstAsks:
		for i := range ws {
			if int(ws[i].para) != lastPara && ws[i].zone != zoneAside {
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

// classAt is the class of the word at i. Ideographs have that of their pair, which
// is kept with the second.
func classAt(ws []word, i int) class {
	c := ws[i].class
	if ws[i].kind == kindIdeo && i+1 < len(ws) && ws[i+1].kind == kindIdeo {
		c |= ws[i+1].class
	}
	return c
}

func setZone(ws []word, z zone) {
	for i := range ws {
		ws[i].zone = z
	}
}

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
			first = classAt(r.words, i)
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
