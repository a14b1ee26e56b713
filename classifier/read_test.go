package classifier

import (
	"context"
	"strings"
	"testing"
)

// zoneOf is the part that the first word of sub plays in the last message of t.
func zoneOf(t *testing.T, task Task, sub string) zone {
	t.Helper()
	var r reading
	if err := r.read(context.Background(), task); err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(task.Messages[r.users].Content, sub)
	for _, w := range r.words {
		if int(w.message) == r.users && int(w.start) == at {
			return w.zone
		}
	}
	t.Fatalf("%q is no word that is read", sub)
	return 0
}

func TestPartsOfAText(t *testing.T) {
	long := strings.Repeat("The board met in the small hall and heard the report. ", 12)
	lang := strings.Repeat("会议在小厅举行，财务主任读了全年的数字。", 12)
	code := "```go\n" + strings.Repeat("x := y + z\n", 30) + "```\n"
	var talk strings.Builder
	for range 3 {
		talk.WriteString("Ana Ruiz: Can we send it on Monday?\nOle: I would rather wait for the price.\n")
	}
	for _, tt := range []struct {
		name, text, sub string
		want            zone
	}{
		{"an ask before a long text", "Translate this.\n\n" + long, "Translate", zoneAsk},
		{"the long text", "Translate this.\n\n" + long, "board", zoneMaterial},
		{"an ask in Chinese", "翻译下面的文字。\n\n" + lang, "翻", zoneAsk},
		{"a long text in Chinese", "翻译下面的文字。\n\n" + lang, "财", zoneMaterial},
		{"list items belong to their own paragraph", "Shorten these notes.\n\n" + strings.Repeat("- the board met and heard the report of the year\n", 12), "heard", zoneMaterial},
		{"a plea stays aside beside material", "Translate this.\n\n" + long + "\n\nPlease, this is extremely important.", "extremely", zoneAside},
		{"a dialogue is material though it asks", "List what was agreed.\n\n" + talk.String(), "Monday", zoneMaterial},
		{"labels of a brief are not a dialogue", "Task: write a poem\nTone: warm\nLength: short\nReader: a child", "warm", zoneRest},
		{"a no-break space opens a sentence", code + "\u00a0Rename x to count.", "Rename", zoneAsk},
		{"backticks in a sentence close no fence", code + strings.Repeat("Some prose about the store. ", 80) + "\n\nReturn JSON only, starting with ```json.", "Return", zoneAsk},
		{"nor do other fences open one", "~~~\n" + strings.Repeat("x := y + z\n", 200) + "~~~\nRename x to count.", "Rename", zoneAsk},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := zoneOf(t, Prompt(tt.text), tt.sub); got != tt.want {
				t.Errorf("%q is read as part %d, want %d", tt.sub, got, tt.want)
			}
		})
	}
}

func TestApprovalsOfManyLanguages(t *testing.T) {
	for _, tt := range []struct{ assistant, user string }{
		{"Shall I go ahead?", "yes, do it"},
		{"Soll ich anfangen?", "ja, mach das"},
		{"需要我现在开始吗？", "好的，开始吧"},
		{"始めてもよいですか？", "はい"},
	} {
		var r reading
		task := Task{Messages: []Message{{Role: User, Content: "Rename the files."}, {Role: Assistant, Content: tt.assistant}, {Role: User, Content: tt.user}}}
		if err := r.read(context.Background(), task); err != nil {
			t.Fatal(err)
		}
		if !r.inherits {
			t.Errorf("%q does not inherit what it approves", tt.user)
		}
	}
}

func TestTypographicApostrophes(t *testing.T) {
	read := func(s string) (hashes []uint64) {
		var r reading
		r.tokenize(s, 0, 0, len(s), zoneAsk)
		for _, w := range r.words {
			hashes = append(hashes, w.hash)
		}
		return hashes
	}
	if straight, curly := read("don't"), read("don’t"); len(curly) != 1 || straight[0] != curly[0] {
		t.Errorf("don’t is read as %x, don't as %x", curly, straight)
	}
	if got := read("‘word’ next"); len(got) != 4 {
		t.Errorf("a closing quotation mark is read as %d words with what is beside it, want 4", len(got))
	}
}
