// Package strictyaml decodes YAML files that people write by hand, and reports
// every mistake in them at once, each with its file, line and column.
//
// It differs from the plain decoder in what it refuses: unknown keys (it names
// the nearest known one), duplicate keys, values of another type than wanted,
// values left empty, several documents in one file, and anchors or aliases
// (they hide what a reader of the file should see, and can grow a small file
// into a huge one). Messages use the words of the file, never the names of Go
// types.
//
// A struct field takes the key of its `yaml` tag, or its lower-cased name.
// Values already in the struct are the defaults: a key that the file leaves out
// keeps them. Supported are structs, pointers, slices, maps with text keys,
// texts, whole and other numbers, true/false, [time.Duration] ("5m") and every
// type that implements [encoding.TextUnmarshaler], which receives the scalar
// exactly as written, so that 0.10 stays 0.10.
//
// Checks that need more than one value are the caller's; it reports them with
// [Document.Errorf], at the line where the value stands.
package strictyaml

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Error is one mistake in a file.
type Error struct {
	File   string // as given to [Decode]
	Line   int    // from 1; 0 if unknown
	Column int    // from 1; 0 if unknown
	Path   string // the value's place in the document, such as models[3].prices[0].from
	Msg    string // what is wrong and what would be right
}

// Error gives "file:line:column: path: message".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	b.WriteString(": ")
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	return b.String()
}

// Document remembers where each value of a decoded file stands.
type Document struct {
	file string
	root *yaml.Node // nil for an empty file
}

// Decode reads the single YAML document in data into the struct that v points
// to. All mistakes are reported together: the error joins one [*Error] for each,
// in the order of their lines. The Document is never nil, so that checks can go
// on after a failed Decode. File is used in messages only.
func Decode(file string, data []byte, v any) (*Document, error) {
	doc := &Document{file: file}
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return doc, fmt.Errorf("strictyaml: Decode wants a pointer to a struct, not %T", v)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return doc, nil // an empty file: the defaults hold
	case err != nil:
		return doc, syntaxError(file, err)
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return doc, syntaxError(file, err)
	default:
		return doc, &Error{File: file, Line: second.Line, Column: second.Column, Msg: "a second document starts here: put it into a file of its own"}
	}
	doc.root = first.Content[0]
	d := decoding{file: file}
	d.decode(doc.root, target.Elem(), "")
	sort.SliceStable(d.errs, func(i, j int) bool { return d.errs[i].Line < d.errs[j].Line })
	joined := make([]error, len(d.errs))
	for i, e := range d.errs {
		joined[i] = e
	}
	return doc, errors.Join(joined...)
}

// Errorf makes an [*Error] at the place where the value at path stands. A path
// joins keys by dots and list positions, from 0, in brackets:
// models[3].prices[0].from. A key that holds a dot or a bracket is quoted in
// brackets: tiers["gpt-5.4"]; [Key] does that. Where the path does not exist, the
// nearest value around it is taken.
func (d *Document) Errorf(path, format string, args ...any) *Error {
	e := &Error{File: d.file, Path: path, Msg: fmt.Sprintf(format, args...)}
	if node := d.find(path); node != nil {
		e.Line, e.Column = node.Line, node.Column
	}
	return e
}

// Key appends a mapping's key to a path, quoted where it needs to be.
func Key(path, key string) string {
	switch {
	case key == "" || strings.ContainsAny(key, `.[]"`):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// Index appends a list position, from 0, to a path.
func Index(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

func (d *Document) find(path string) *yaml.Node {
	node := d.root
	for node != nil && path != "" {
		var next *yaml.Node
		if path[0] == '[' && !strings.HasPrefix(path, `["`) {
			digits, rest, _ := strings.Cut(path[1:], "]")
			path = rest
			i, err := strconv.Atoi(digits)
			if err == nil && node.Kind == yaml.SequenceNode && i >= 0 && i < len(node.Content) {
				next = node.Content[i]
			}
		} else {
			var key string
			key, path = cutKey(path)
			if node.Kind == yaml.MappingNode {
				for i := 0; i+1 < len(node.Content); i += 2 {
					if node.Content[i].Value == key {
						next = node.Content[i+1]
						if next.Kind != yaml.ScalarNode {
							// A nested block starts on the line after its key,
							// where a reader would not look for it.
							if path == "" {
								return node.Content[i]
							}
						}
						break
					}
				}
			}
		}
		if next == nil {
			return node
		}
		node = next
	}
	return node
}

// cutKey takes the first key off a path.
func cutKey(path string) (key, rest string) {
	path = strings.TrimPrefix(path, ".")
	if strings.HasPrefix(path, `["`) {
		if quoted, err := strconv.QuotedPrefix(path[1:]); err == nil {
			key, _ = strconv.Unquote(quoted)
			return key, strings.TrimPrefix(path[1+len(quoted):], "]")
		}
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path, ""
	}
	if end == 0 {
		end = 1 // a malformed path still gets shorter
	}
	return path[:end], path[end:]
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxError gives the YAML parser's complaint our form.
func syntaxError(file string, err error) error {
	e := &Error{File: file, Msg: err.Error()}
	if m := yamlLine.FindStringSubmatch(e.Msg); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Msg = e.Msg[len(m[0]):]
	}
	e.Msg = "not valid YAML: " + e.Msg
	return e
}

// decoding collects the mistakes of one document.
type decoding struct {
	file string
	errs []*Error
}

func (d *decoding) fail(node *yaml.Node, path, format string, args ...any) {
	d.errs = append(d.errs, &Error{File: d.file, Line: node.Line, Column: node.Column, Path: path, Msg: fmt.Sprintf(format, args...)})
}

var durationType = reflect.TypeFor[time.Duration]()

// decode puts the value of node into v, which can be set.
func (d *decoding) decode(node *yaml.Node, v reflect.Value, path string) {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		d.fail(node, path, "anchors (&) and aliases (*) are not supported: write the value out")
		return
	}
	if v.Kind() == reflect.Pointer {
		if isNull(node) {
			return
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.decode(node, v.Elem(), path)
		return
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		if !d.scalar(node, path, "a single value") {
			return
		}
		if err := u.UnmarshalText([]byte(node.Value)); err != nil {
			d.fail(node, path, "%s", err)
		}
		return
	}
	if v.Type() == durationType {
		if !d.scalar(node, path, `a duration such as "5m"`) {
			return
		}
		duration, err := time.ParseDuration(node.Value)
		if err != nil {
			d.fail(node, path, `wants a duration such as "250ms", "30s" or "5m", not %s`, describe(node))
			return
		}
		v.SetInt(int64(duration))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(node, v, path)
	case reflect.Map:
		d.mapping(node, v, path)
	case reflect.Slice:
		d.list(node, v, path)
	case reflect.String:
		if !d.scalar(node, path, "a text") {
			return
		}
		switch node.ShortTag() {
		case "!!int", "!!float", "!!bool":
			d.fail(node, path, "wants a text: put %s in quotes", node.Value)
			return
		}
		v.SetString(node.Value)
	case reflect.Bool:
		if node.Kind != yaml.ScalarNode || node.Value != "true" && node.Value != "false" {
			d.fail(node, path, "wants true or false, not %s", describe(node))
			return
		}
		v.SetBool(node.Value == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(strings.ReplaceAll(node.Value, "_", ""), 10, 64)
		if node.Kind != yaml.ScalarNode || err != nil && !errors.Is(err, strconv.ErrRange) {
			d.fail(node, path, "wants a whole number, not %s", describe(node))
			return
		}
		if err != nil || v.OverflowInt(n) {
			d.fail(node, path, "%s is out of range", node.Value)
			return
		}
		v.SetInt(n)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(node.Value, 64)
		if node.Kind != yaml.ScalarNode || err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			d.fail(node, path, "wants a number, not %s", describe(node))
			return
		}
		v.SetFloat(f)
	default:
		d.fail(node, path, "this key cannot be read from a file (%s)", v.Kind())
	}
}

// scalar reports whether node is a single value, and says what was wanted if not.
func (d *decoding) scalar(node *yaml.Node, path, wanted string) bool {
	if node.Kind != yaml.ScalarNode || isNull(node) {
		d.fail(node, path, "wants %s, not %s", wanted, describe(node))
		return false
	}
	return true
}

func (d *decoding) structure(node *yaml.Node, v reflect.Value, path string) {
	if isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		d.fail(node, path, "wants a mapping (lines of key: value), not %s", describe(node))
		return
	}
	fields := make(map[string]int, v.NumField())
	for i := range v.NumField() {
		if name := fieldKey(v.Type().Field(i)); name != "" {
			fields[name] = i
		}
	}
	d.pairs(node, path, func(key, value *yaml.Node) {
		i, ok := fields[key.Value]
		if !ok {
			names := make([]string, 0, len(fields))
			for name := range fields {
				names = append(names, name)
			}
			sort.Strings(names)
			if near := Nearest(key.Value, names); near != "" {
				d.fail(key, Key(path, key.Value), "unknown key; did you mean %q?", near)
			} else {
				d.fail(key, Key(path, key.Value), "unknown key; known here: %s", strings.Join(names, ", "))
			}
			return
		}
		d.decode(value, v.Field(i), Key(path, key.Value))
	})
}

func (d *decoding) mapping(node *yaml.Node, v reflect.Value, path string) {
	if isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		d.fail(node, path, "wants a mapping (lines of key: value), not %s", describe(node))
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), len(node.Content)/2))
	}
	d.pairs(node, path, func(key, value *yaml.Node) {
		k := reflect.New(v.Type().Key()).Elem()
		if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](k.Addr()); ok {
			if err := u.UnmarshalText([]byte(key.Value)); err != nil {
				d.fail(key, Key(path, key.Value), "%s", err)
				return
			}
		} else {
			k.SetString(key.Value)
		}
		element := reflect.New(v.Type().Elem()).Elem()
		if old := v.MapIndex(k); old.IsValid() {
			element.Set(old)
		}
		d.decode(value, element, Key(path, key.Value))
		v.SetMapIndex(k, element)
	})
}

// pairs calls use for every key of a mapping that is a plain text and not a duplicate.
func (d *decoding) pairs(node *yaml.Node, path string, use func(key, value *yaml.Node)) {
	seen := make(map[string]int, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			d.fail(key, path, "a key must be a plain text; merge keys (<<) are not supported")
			continue
		}
		if line, ok := seen[key.Value]; ok {
			d.fail(key, Key(path, key.Value), "duplicate key; first given on line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		use(key, value)
	}
}

func (d *decoding) list(node *yaml.Node, v reflect.Value, path string) {
	if isNull(node) {
		return
	}
	if node.Kind != yaml.SequenceNode {
		d.fail(node, path, "wants a list (lines that start with -), not %s", describe(node))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		d.decode(item, out.Index(i), Index(path, i))
	}
	v.Set(out)
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// describe says in a reader's words what a value is.
func describe(node *yaml.Node) string {
	switch {
	case node.Kind == yaml.MappingNode:
		return "a mapping"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(node):
		return "an empty value"
	}
	value := node.Value
	if len(value) > 40 {
		value = strings.ToValidUTF8(value[:40], "") + "..."
	}
	return strconv.Quote(value)
}

// fieldKey gives the key of a struct field, "" for one that files cannot set.
func fieldKey(f reflect.StructField) string {
	if !f.IsExported() {
		return ""
	}
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	switch name {
	case "-":
		return ""
	case "":
		return strings.ToLower(f.Name)
	}
	return name
}

// Nearest gives the candidate that a reader most likely meant by name: at most a
// third of its letters differ (at least one may). It is "" if there is none.
func Nearest(name string, candidates []string) string {
	if len(name) > 64 {
		return ""
	}
	best, bestDistance := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if n := distance(strings.ToLower(name), strings.ToLower(c), bestDistance); n < bestDistance {
			best, bestDistance = c, n
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with the
// neighbour that turn a into b, or limit if it is not less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(last[j]+1, current[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, last, current = last, current, before
	}
	return min(last[len(b)], limit)
}
