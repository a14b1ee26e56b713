package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/adjutant-dev/adjutant/classifier"
)

// Row is one labelled task.
type Row struct {
	// ID, Source, Licence and Kind are empty in rows of the corpus, which name a
	// domain instead.
	ID, Source, Licence, Kind, Domain string
	// Lang is an ISO 639-1 code.
	Lang  string
	Task  classifier.Task
	Tier  classifier.Tier
	Stage classifier.Stage
	Split bool
	// OutputTokens is the labelled length of a good answer; 0 means no label.
	OutputTokens int64
	// part says what may be done with the row, origin is the index of the row that
	// it was derived from, or its own. Reading leaves both zero.
	part, origin int
}

// form is what rows that look alike have in common: the source, where the commit
// messages of all repositories are one.
func (r *Row) form() string {
	if strings.HasPrefix(r.Source, "commits_") {
		return "commits"
	}
	return r.Source
}

// rowJSON is a row as a file spells it.
type rowJSON struct {
	ID       string `json:"id"`
	Source   string `json:"source"`
	Licence  string `json:"licence"`
	Kind     string `json:"kind"`
	Domain   string `json:"domain"`
	Lang     string `json:"lang"`
	Text     string `json:"text"`
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
	Tier         string `json:"tier"`
	Stage        string `json:"stage"`
	Split        bool   `json:"split"`
	OutputTokens int64  `json:"output_tokens"`
}

// maxRowBytes bounds a line of a file of rows.
const maxRowBytes = 16 << 20

// maxRowErrors is how many bad lines are named before reading gives up.
const maxRowErrors = 20

// ReadRows reads labelled rows, one JSON object a line: "text" or "messages",
// and "tier". "stage", "split", "output_tokens", "lang", "source", "kind" and
// "id" are optional. The error names each bad line of the file by its number.
func ReadRows(name string, r io.Reader) ([]Row, error) {
	var rows []Row
	var errs []error
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), maxRowBytes)
	line := 0
	for sc.Scan() {
		line++
		if len(errs) == maxRowErrors {
			errs = append(errs, fmt.Errorf("%s: not read further than line %d, after %d bad lines", name, line-1, maxRowErrors))
			break
		}
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		row, err := parseRow(sc.Bytes())
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", name, line, err))
			continue
		}
		rows = append(rows, row)
	}
	switch err := sc.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		errs = append(errs, fmt.Errorf("%s:%d: the line is longer than %d MiB", name, line+1, maxRowBytes>>20))
	case err != nil:
		errs = append(errs, fmt.Errorf("%s:%d: %w", name, line+1, err))
	}
	return rows, errors.Join(errs...)
}

func parseRow(line []byte) (Row, error) {
	var j rowJSON
	if err := json.Unmarshal(line, &j); err != nil {
		// The error of encoding/json may quote the row's text; say less.
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return Row{}, fmt.Errorf("%s: not the kind of value that belongs there", wrong.Field)
		}
		return Row{}, errors.New("not a JSON object with the fields of a row")
	}
	row := Row{ID: j.ID, Source: j.Source, Licence: j.Licence, Kind: j.Kind, Domain: j.Domain, Lang: j.Lang, Split: j.Split, OutputTokens: j.OutputTokens}
	var err error
	if row.Tier, err = classifier.ParseTier(j.Tier); err != nil {
		return row, err
	}
	if j.Stage != "" {
		if row.Stage, err = classifier.ParseStage(j.Stage); err != nil {
			return row, err
		}
	}
	switch {
	case j.Text == "" && len(j.Messages) == 0:
		return row, errors.New(`needs "text" or "messages"`)
	case j.Text != "" && len(j.Messages) > 0:
		return row, errors.New(`has both "text" and "messages": use one`)
	case j.Text != "":
		row.Task = classifier.Prompt(j.Text)
	}
	for _, m := range j.Messages {
		role, err := classifier.ParseRole(m.Role)
		if err != nil {
			return row, err
		}
		row.Task.Messages = append(row.Task.Messages, classifier.Message{Role: role, Content: m.Content})
	}
	return row, nil
}
