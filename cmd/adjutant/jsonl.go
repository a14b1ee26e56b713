package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"sync"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	// maxMessage is what a request may have as a message, in bytes: the server's
	// limit, so that a line is answered here exactly when it is answered there.
	maxMessage = 4<<20 + 64<<10
	// maxPrompt is what a task on the command line may have, in bytes.
	maxPrompt = 4 << 20
	// maxLine is what a request may have as a line of JSON, in bytes. JSON escapes,
	// so a message within its limit can be a longer line.
	maxLine = 8 << 20
	// readSize is how much is read at once, in bytes: enough lines that handing
	// them to a core costs little, few enough that the answers of a slow writer are
	// not held up.
	readSize = 32 << 10
)

// answerLine answers one line by appending one line to dst.
type answerLine func(ctx context.Context, dst, line []byte) (answer []byte, refused bool)

// tally counts lines; blank ones are left out.
type tally struct{ lines, refused int64 }

// lines answers a stream of lines.
type lines struct {
	answer answerLine
	// most is the longest line, in bytes without its end.
	most int
	// read is how much is read at once, in bytes.
	read int
}

// chunk is a run of whole lines that one core answers.
type chunk struct {
	lines   []byte
	tooLong bool // lines is empty and stands for one line above the longest
	answers []byte
	tally
	done chan struct{}
}

// pipe answers the lines of in and writes the answers to out in order. The first
// come while in is still open. It holds a bounded number of chunks, so that a slow
// reader of out slows the reading of in. A final line needs no newline; blank lines
// are passed over.
//
// It returns when all is answered, when reading or writing fails, or when ctx is
// done. In the last two cases it does not wait for a read that hangs.
func (l lines) pipe(ctx context.Context, in io.Reader, out io.Writer) (tally, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	var (
		total   tally
		work    = make(chan *chunk)
		inOrder = make(chan *chunk, 2*workers)
		readErr error // set before inOrder is closed
		waiting sync.WaitGroup
	)
	for range workers {
		waiting.Go(func() {
			for {
				select {
				case c, ok := <-work:
					if !ok {
						return
					}
					l.answerChunk(ctx, c)
					close(c.done)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() {
		defer close(inOrder)
		defer close(work)
		readErr = l.chunks(in, func(c *chunk) error {
			c.done = make(chan struct{})
			// In this order, so that a full queue stops the reading.
			for _, queue := range []chan *chunk{inOrder, work} {
				select {
				case queue <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	for {
		select {
		case c, ok := <-inOrder:
			if !ok {
				cancel()
				waiting.Wait()
				return total, readErr
			}
			select {
			case <-c.done:
			case <-ctx.Done():
				return total, ctx.Err()
			}
			// A chunk that was interrupted lacks answers.
			if err := ctx.Err(); err != nil {
				return total, err
			}
			if _, err := out.Write(c.answers); err != nil {
				return total, fmt.Errorf("writing answers: %w", err)
			}
			total.lines += c.tally.lines
			total.refused += c.tally.refused
		case <-ctx.Done():
			return total, ctx.Err()
		}
	}
}

// chunks cuts in into runs of whole lines and hands each to send as soon as it
// is read. The error is send's, or in's if that is not io.EOF.
func (l lines) chunks(in io.Reader, send func(*chunk) error) error {
	buffer := make([]byte, 0, l.read)
	skipping := false // inside a line that is too long
	for {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, make([]byte, cap(buffer))...)[:len(buffer)]
		}
		n, err := in.Read(buffer[len(buffer):cap(buffer)])
		read := buffer[len(buffer) : len(buffer)+n]
		buffer = buffer[:len(buffer)+n]
		if skipping {
			end := bytes.IndexByte(read, '\n')
			if end < 0 && err == nil {
				buffer = buffer[:0]
				continue
			}
			skipping = false
			buffer = append(buffer[:0], read[end+1:]...)
			if end < 0 {
				buffer = buffer[:0]
			}
		}
		end := bytes.LastIndexByte(buffer, '\n') + 1
		if errors.Is(err, io.EOF) {
			end = len(buffer)
		}
		if end > 0 {
			rest := buffer[end:]
			if err := send(&chunk{lines: buffer[:end:end]}); err != nil {
				return err
			}
			buffer = append(make([]byte, 0, max(l.read, 2*len(rest))), rest...)
		}
		if len(buffer) > l.most {
			if err := send(&chunk{tooLong: true}); err != nil {
				return err
			}
			buffer, skipping = make([]byte, 0, l.read), true
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading requests: %w", err)
		}
	}
}

// answerChunk fills in the answers of a chunk.
func (l lines) answerChunk(ctx context.Context, c *chunk) {
	if c.tooLong {
		c.tally = tally{1, 1}
		c.answers = appendError(nil, l.tooLong())
		return
	}
	for line := range bytes.Lines(c.lines) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		// Before white space goes, so that it does not depend on how the line came in.
		tooLong := len(line) > l.most
		line = bytes.TrimSpace(line)
		if len(line) == 0 && !tooLong {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		var refused bool
		if tooLong {
			c.answers, refused = appendError(c.answers, l.tooLong()), true
		} else {
			c.answers, refused = l.answer(ctx, c.answers, line)
		}
		c.tally.lines++
		if refused {
			c.tally.refused++
		}
	}
	c.lines = nil
}

func (l lines) tooLong() error {
	return status.Errorf(codes.InvalidArgument, "the line is longer than %d bytes: give the size of long material as task.material instead of its text", l.most)
}

// lineOf makes an answerLine of an RPC: a request as protojson in, an answer as
// protojson out.
func lineOf[Q any, A proto.Message](ask func(context.Context, *Q) (A, error)) answerLine {
	return func(ctx context.Context, dst, line []byte) ([]byte, bool) {
		request := new(Q)
		message := any(request).(proto.Message)
		if err := protojson.Unmarshal(line, message); err != nil {
			return appendError(dst, notARequest(line, err)), true
		}
		if size := proto.Size(message); size > maxMessage {
			return appendError(dst, status.Errorf(codes.InvalidArgument, "the request has %d bytes, the most is %d: give the size of long material as task.material instead of its text", size, maxMessage)), true
		}
		answer, err := ask(ctx, request)
		if err != nil {
			return appendError(dst, err), true
		}
		return appendJSON(dst, answer), false
	}
}

// protojsonError takes an error of protojson apart: "(line 1:2): what is wrong". It
// matches only what is sure to quote no text of a task.
var protojsonError = regexp.MustCompile(`\(line \d+:(\d+)\): (unknown field "\w{1,64}"|duplicate field "\w{1,64}"|` +
	`error parsing "\w{1,64}", oneof \S+ is already set|invalid value for \S+ (?:field|key) \w+)`)

// notARequest says what is wrong with a line. It never quotes the line beyond the
// names of fields: what protojson would quote may be text of a task.
func notARequest(line []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(line, new(json.RawMessage))); ok {
		return status.Errorf(codes.InvalidArgument, "the line is not JSON: it goes wrong at byte %d", syntax.Offset)
	}
	if m := protojsonError.FindStringSubmatch(err.Error()); m != nil {
		return status.Errorf(codes.InvalidArgument, "the line is not a request: %s, at column %s", m[2], m[1])
	}
	return status.Error(codes.InvalidArgument, "the line is not a request: write one JSON object, such as {\"task\": {\"prompt\": \"...\"}}, on one line of UTF-8")
}

// appendJSON adds m as one line of JSON. protojson varies its white space from
// build to build on purpose; equal answers are to be equal bytes.
func appendJSON(dst []byte, m proto.Message) []byte {
	text, err := protojson.Marshal(m)
	if err != nil {
		return appendError(dst, status.Error(codes.Internal, "the answer can't be written as JSON"))
	}
	return appendCompact(dst, text)
}

func appendCompact(dst, text []byte) []byte {
	out := bytes.NewBuffer(dst)
	// The text comes from a marshaller: it is JSON.
	_ = json.Compact(out, text)
	out.WriteByte('\n')
	return out.Bytes()
}

// appendError adds err as one line of JSON.
func appendError(dst []byte, err error) []byte {
	return appendCompact(dst, errorJSON(err))
}

// errorJSON gives {"error": {"code", "message", "details"}}, the details as
// protojson has them.
func errorJSON(err error) []byte {
	s := status.Convert(err)
	var answer struct {
		Error struct {
			Code    string            `json:"code"`
			Message string            `json:"message"`
			Details []json.RawMessage `json:"details,omitempty"`
		} `json:"error"`
	}
	answer.Error.Code, answer.Error.Message = code.Code(s.Code()).String(), s.Message()
	for _, detail := range s.Proto().GetDetails() {
		if text, err := protojson.Marshal(detail); err == nil {
			answer.Error.Details = append(answer.Error.Details, text)
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		// It holds strings and JSON that protojson wrote, so this is out of reach.
		return []byte(`{"error":{"code":"INTERNAL","message":"the error can't be written as JSON"}}`)
	}
	return out.Bytes()
}
