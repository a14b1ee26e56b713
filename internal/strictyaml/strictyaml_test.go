package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// colour is a type that reads itself.
type colour string

func (c *colour) UnmarshalText(text []byte) error {
	if string(text) != "red" && string(text) != "blue" {
		return fmt.Errorf("%q is not a colour: want red or blue", text)
	}
	*c = colour(text)
	return nil
}

var _ encoding.TextUnmarshaler = (*colour)(nil)

type config struct {
	Name    string            `yaml:"name"`
	Count   int64             `yaml:"count"`
	Small   int8              `yaml:"small"`
	Share   float64           `yaml:"share"`
	On      bool              `yaml:"on"`
	Wait    time.Duration     `yaml:"wait"`
	Colour  colour            `yaml:"colour"`
	Tags    []string          `yaml:"tags"`
	Limits  map[string]int    `yaml:"limits"`
	Shades  map[colour]string `yaml:"shades"`
	Inner   inner             `yaml:"inner"`
	Pointer *inner            `yaml:"pointer"`
	Inners  []inner           `yaml:"inners"`
	Secret  string            `yaml:"-"`
	Plain   string
	hidden  string
}

type inner struct {
	X int `yaml:"x"`
}

func TestDecode(t *testing.T) {
	c := config{Name: "default", Count: 7, Inner: inner{X: 1}, hidden: "kept"}
	_, err := Decode("c.yaml", []byte(`
# a comment
count: 1_000
small: -128
share: 1e-3
on: true
wait: 1m30s
colour: blue
tags: [a, "2", 2026-01-01]
limits: {a: 1, "b.c": 2}
shades: {red: dark}
pointer:
inners:
  - x: 3
  - {}
plain: text
`), &c)
	if err != nil {
		t.Fatal(err)
	}
	want := config{Name: "default", Count: 1000, Small: -128, Share: 0.001, On: true, Wait: 90 * time.Second, Colour: "blue",
		Tags: []string{"a", "2", "2026-01-01"}, Limits: map[string]int{"a": 1, "b.c": 2}, Shades: map[colour]string{"red": "dark"},
		Inner: inner{X: 1}, Inners: []inner{{3}, {}}, Plain: "text", hidden: "kept"}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestDecodeEmpty(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n"} {
		c := config{Name: "default"}
		doc, err := Decode("c.yaml", []byte(text), &c)
		if err != nil || c.Name != "default" {
			t.Errorf("%q: %v", text, err)
		}
		if e := doc.Errorf("a.b", "wrong"); e.Line > 2 {
			t.Errorf("%q: %v", text, e)
		}
	}
}

// TestMistakes holds the words of every complaint, and that all come at once.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"nmae: x", `c.yaml:1:1: nmae: unknown key; did you mean "name"?`},
		{"zzzzzz: x", "c.yaml:1:1: zzzzzz: unknown key; known here: colour, count, inner, inners, limits, name, on, plain, pointer, shades, share, small, tags, wait"},
		{"name: a\nname: b", "c.yaml:2:1: name: duplicate key; first given on line 1"},
		{"name: 4", "c.yaml:1:7: name: wants a text: put 4 in quotes"},
		{"name: [a]", "c.yaml:1:7: name: wants a text, not a list"},
		{"name:", "c.yaml:1:6: name: wants a text, not an empty value"},
		{"count: many", `c.yaml:1:8: count: wants a whole number, not "many"`},
		{"count: 1.5", `c.yaml:1:8: count: wants a whole number, not "1.5"`},
		{"count: 99999999999999999999", "c.yaml:1:8: count: 99999999999999999999 is out of range"},
		{"small: 128", "c.yaml:1:8: small: 128 is out of range"},
		{"share: .nan", `c.yaml:1:8: share: wants a number, not ".nan"`},
		{"on: yes", `c.yaml:1:5: on: wants true or false, not "yes"`},
		{"wait: 5", `c.yaml:1:7: wait: wants a duration such as "250ms", "30s" or "5m", not "5"`},
		{"colour: green", `c.yaml:1:9: colour: "green" is not a colour: want red or blue`},
		{"shades: {green: x}", `c.yaml:1:10: shades.green: "green" is not a colour: want red or blue`},
		{"tags: a", `c.yaml:1:7: tags: wants a list (lines that start with -), not "a"`},
		{"limits: [1]", "c.yaml:1:9: limits: wants a mapping (lines of key: value), not a list"},
		{"inners:\n  - x: 1\n  - y: 2", `c.yaml:3:5: inners[1].y: unknown key; did you mean "x"?`},
		{"limits: {b.c: x}", `c.yaml:1:15: limits["b.c"]: wants a whole number, not "x"`},
		{"inner: &a {x: 1}\npointer: *a", "c.yaml:1:8: inner: anchors (&) and aliases (*) are not supported: write the value out\nc.yaml:2:10: pointer: anchors (&) and aliases (*) are not supported: write the value out"},
		{"inner: {<<: {x: 1}}", "c.yaml:1:9: inner: a key must be a plain text; merge keys (<<) are not supported"},
		{"- a", "c.yaml:1:1: wants a mapping (lines of key: value), not a list"},
		{"name: a\n---\nname: b", "c.yaml:2:1: a second document starts here: put it into a file of its own"},
		{"name: [", "c.yaml:1: not valid YAML: did not find expected node content"},
		{"count: x\nnmae: y\nsmall: z", "c.yaml:1:8: count: wants a whole number, not \"x\"\nc.yaml:2:1: nmae: unknown key; did you mean \"name\"?\nc.yaml:3:8: small: wants a whole number, not \"z\""},
	} {
		var v config
		_, err := Decode("c.yaml", []byte(c.text), &v)
		if err == nil || err.Error() != c.want {
			t.Errorf("%q:\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestErrorf(t *testing.T) {
	text := "name: a\nlimits:\n  b.c: 1\ninners:\n  - x: 1\n  - x: 2\n"
	var v config
	doc, err := Decode("c.yaml", []byte(text), &v)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path         string
		line, column int
	}{
		{"", 1, 1},
		{"name", 1, 7},
		{"limits", 2, 1}, // the key, not the line after it
		{Key("limits", "b.c"), 3, 8},
		{"inners[1]", 6, 5},
		{Index("inners", 1) + ".x", 6, 8},
		{"inners[1].y.z", 6, 5}, // the nearest around it
		{"inners[7]", 5, 3},
		{"inners[x]", 5, 3},
		{"nowhere", 1, 1},
		{`limits["b.c`, 3, 3}, // malformed,
	} {
		e := doc.Errorf(c.path, "wrong by %d", 3)
		if e.Line != c.line || e.Column != c.column || e.Msg != "wrong by 3" {
			t.Errorf("%s is at %d:%d, want %d:%d", c.path, e.Line, e.Column, c.line, c.column)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"models", "mode", "prices"}
	for name, want := range map[string]string{"model": "models", "Models": "models", "pirces": "prices", "xyz": "", "": "", strings.Repeat("m", 100): ""} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// FuzzDecode checks that no text panics, and that every complaint names its file.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{"name: a", "inners: [{x: 1}]", "a: &b [*b]", "limits: {? [a] : 1}", "name: a\n---\n", "{", "? x\n: y", "name: !!binary aGk=", "\"\\xff\": 1"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v config
		doc, err := Decode("c.yaml", data, &v)
		_ = doc.Errorf("inners[0].x", "checked after")
		if err == nil {
			return
		}
		list := []error{err}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			list = joined.Unwrap()
		}
		for _, err := range list {
			var e *Error
			if !errors.As(err, &e) || e.File != "c.yaml" || e.Msg == "" {
				t.Fatalf("%T: %v", err, err)
			}
		}
	})
}
