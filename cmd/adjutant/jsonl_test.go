package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// echo answers a line with itself, later for some lines than for others.
func echo(_ context.Context, dst, line []byte) ([]byte, bool) {
	for range len(line) % 7 {
		runtime.Gosched()
	}
	return append(append(dst, line...), '\n'), bytes.HasPrefix(line, []byte("refuse"))
}

func linesOf(answer answerLine) lines { return lines{answer: answer, most: maxLine, read: readSize} }

func TestLinesKeepOrder(t *testing.T) {
	var in strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&in, "line %d %s\n", i, strings.Repeat("x", 1+i%97))
	}
	readers := map[string]func(io.Reader) io.Reader{
		"whole":    func(r io.Reader) io.Reader { return r },
		"halves":   iotest.HalfReader,
		"one byte": iotest.OneByteReader,
		"data+EOF": iotest.DataErrReader,
	}
	for name, reader := range readers {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			got, err := linesOf(echo).pipe(t.Context(), reader(strings.NewReader(in.String())), &out)
			if err != nil || got != (tally{lines: 5000}) {
				t.Errorf("pipe = %+v, %v; want 5000 lines", got, err)
			}
			if out.String() != in.String() {
				t.Error("the answers are not in the order of the lines")
			}
		})
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine+1)
	tests := []struct {
		name, in, out string
		tally         tally
	}{
		{"nothing", "", "", tally{}},
		{"last line without newline", "a\nb", "a\nb\n", tally{2, 0}},
		{"blank lines are passed over", "\n \na\r\n\t\n\nb\n\n", "a\nb\n", tally{2, 0}},
		{"a refused line does not stop the rest", "a\nrefuse\nb\n", "a\nrefuse\nb\n", tally{3, 1}},
		{"longest line", long[1:] + "\nb\n", long[1:] + "\nb\n", tally{2, 0}},
		{"too long a line", "a\n" + long + "\nb\n", "a\nTOO LONG\nb\n", tally{3, 1}},
		{"far too long a line", "a\n" + long + long + long + "\nb", "a\nTOO LONG\nb\n", tally{3, 1}},
		{"too long a last line", "a\n" + long + long, "a\nTOO LONG\n", tally{2, 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			got, err := linesOf(echo).pipe(t.Context(), strings.NewReader(test.in), &out)
			if err != nil || got != test.tally {
				t.Errorf("pipe = %+v, %v; want %+v", got, err, test.tally)
			}
			answers := strings.ReplaceAll(out.String(), string(appendError(nil, linesOf(echo).tooLong())), "TOO LONG\n")
			if answers != test.out {
				t.Errorf("answers: %.200q, want %.200q", answers, test.out)
			}
		})
	}
}

// TestLinesStream asks one thing at a time, as a program at the other end of two
// pipes does: each answer comes before the next line is sent.
func TestLinesStream(t *testing.T) {
	questions, ask := io.Pipe()
	answer, answers := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := linesOf(echo).pipe(t.Context(), questions, answers)
		done <- err
	}()
	for i := range 100 {
		question := fmt.Sprintf("question %d\n", i)
		if _, err := io.WriteString(ask, question); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(question))
		if _, err := io.ReadFull(answer, got); err != nil || string(got) != question {
			t.Fatalf("answer %q, %v; want %q", got, err, question)
		}
	}
	ask.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// endless gives lines for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "ab\n"[i%3]
	}
	return len(p), nil
}

// hanging never gives anything.
type hanging struct{ until <-chan struct{} }

func (h hanging) Read([]byte) (int, error) { <-h.until; return 0, io.EOF }

func TestLinesEnd(t *testing.T) {
	t.Run("when nobody reads the answers", func(t *testing.T) {
		answer, answers := io.Pipe()
		answer.Close()
		if _, err := linesOf(echo).pipe(t.Context(), endless{}, answers); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("pipe: %v, want %v", err, io.ErrClosedPipe)
		}
	})
	t.Run("when interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := linesOf(echo).pipe(ctx, hanging{t.Context().Done()}, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("pipe: %v, want %v", err, context.Canceled)
		}
	})
	t.Run("when interrupted at work", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		answer := func(ctx context.Context, dst, line []byte) ([]byte, bool) { cancel(); return dst, false }
		if _, err := linesOf(answer).pipe(ctx, endless{}, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("pipe: %v, want %v", err, context.Canceled)
		}
	})
	t.Run("when reading fails, with the whole lines answered", func(t *testing.T) {
		var out bytes.Buffer
		broken := errors.New("broken disk")
		in := io.MultiReader(strings.NewReader("a\nb\nhalf a li"), iotest.ErrReader(broken))
		if _, err := linesOf(echo).pipe(t.Context(), in, &out); !errors.Is(err, broken) {
			t.Errorf("pipe: %v, want %v", err, broken)
		}
		if out.String() != "a\nb\n" {
			t.Errorf("answers: %q", out.String())
		}
	})
}

// TestLineErrors shows what a refused line gives, and that it never quotes the text
// of a task.
func TestLineErrors(t *testing.T) {
	const marker = "SECRET text"
	tests := []struct{ name, line, want string }{
		{"not JSON", `{"task": {"prompt": "SECRET text}`, `the line is not JSON: it goes wrong at byte 33`},
		{"not an object", `"SECRET text"`, `the line is not a request: write one JSON object, such as {\"task\": {\"prompt\": \"...\"}}, on one line of UTF-8`},
		{"unknown field", `{"task": {"promt": "SECRET text"}}`, `the line is not a request: unknown field \"promt\", at column 11`},
		{"text as a field's name", `{"task": {"SECRET text": 1}}`, `the line is not a request: write one JSON object, such as {\"task\": {\"prompt\": \"...\"}}, on one line of UTF-8`},
		{"text where a number stands", `{"task": {"expectedOutputTokens": "SECRET text"}}`, `the line is not a request: invalid value for int64 field expectedOutputTokens, at column 35`},
		{"text where an enum stands", `{"task": {"stage": "SECRET text"}}`, `the line is not a request: invalid value for enum field stage, at column 20`},
		{"two inputs", `{"task": {"prompt": "SECRET text", "conversation": {}}}`, `the line is not a request: error parsing \"conversation\", oneof adjutant.v1.Task.input is already set, at column 36`},
		{"bad UTF-8", "{\"task\": {\"prompt\": \"SECRET text \xff\"}}", `the line is not a request: write one JSON object, such as {\"task\": {\"prompt\": \"...\"}}, on one line of UTF-8`},
	}
	answer := lineOf(func(context.Context, *adjutantv1.ClassifyRequest) (*adjutantv1.ClassifyResponse, error) {
		t.Error("a bad line was asked")
		return nil, nil
	})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, refused := answer(t.Context(), nil, []byte(test.line))
			want := `{"error":{"code":"INVALID_ARGUMENT","message":"` + test.want + `"}}` + "\n"
			if !refused || string(got) != want {
				t.Errorf("got  %swant %s", got, want)
			}
			if strings.Contains(string(got), marker) {
				t.Error("the answer quotes the task")
			}
		})
	}
}

func TestLineTooLargeAMessage(t *testing.T) {
	answer := lineOf(func(context.Context, *adjutantv1.ClassifyRequest) (*adjutantv1.ClassifyResponse, error) {
		return &adjutantv1.ClassifyResponse{}, nil
	})
	for _, test := range []struct {
		bytes   int
		refused bool
	}{{maxMessage - 100, false}, {maxMessage, true}} {
		line := `{"task": {"prompt": "` + strings.Repeat("x", test.bytes) + `"}}`
		if got, refused := answer(t.Context(), nil, []byte(line)); refused != test.refused {
			t.Errorf("%d bytes: refused = %t, answer %.200s", test.bytes, refused, got)
		}
	}
}

func TestLineDetails(t *testing.T) {
	answer := lineOf(func(context.Context, *adjutantv1.ClassifyRequest) (*adjutantv1.ClassifyResponse, error) {
		return nil, status.Error(codes.NotFound, `no model "a<b"`)
	})
	got, refused := answer(t.Context(), []byte("before\n"), []byte(`{}`))
	if want := "before\n" + `{"error":{"code":"NOT_FOUND","message":"no model \"a<b\""}}` + "\n"; string(got) != want || !refused {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzLines holds that each line has its answer, however the lines come in and wherever
// they are cut, with limits that are small enough to be met.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\n\nc"), uint8(3))
	f.Add([]byte("\n0123456789 too long\n    \n  trimmed \r\n0123456789 too long"), uint8(1))
	small := lines{answer: echo, most: 10, read: 4}
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		var want []byte
		for line := range bytes.SplitSeq(in, []byte("\n")) {
			if len(line) > small.most {
				want = appendError(want, small.tooLong())
			} else if line = bytes.TrimSpace(line); len(line) > 0 {
				want = append(append(want, line...), '\n')
			}
		}
		var got bytes.Buffer
		if _, err := small.pipe(t.Context(), &slow{in, int(size)%16 + 1}, &got); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%q gives\n%q, %v; want\n%q", in, got.Bytes(), err, want)
		}
	})
}

// slow gives at most so many bytes at once.
type slow struct {
	left []byte
	size int
}

func (s *slow) Read(p []byte) (int, error) {
	n := copy(p[:min(s.size, len(p))], s.left)
	s.left = s.left[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
