package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/pricing"
)

// textWidth is where sentences wrap, in characters.
const textWidth = 100

// align says how the cells of a column stand below each other.
type align uint8

const (
	left align = iota
	right
	decimal // at the decimal point
)

// writeTable prints rows in columns, two spaces apart. A first row in capitals is
// the reader's business; a row may be shorter than others.
func writeTable(w io.Writer, columns []align, rows [][]string) {
	width := make([]int, len(columns))
	fraction := make([]int, len(columns)) // of decimal columns: from the point on
	for _, row := range rows {
		for i, cell := range row {
			if columns[i] == decimal {
				fraction[i] = max(fraction[i], fractionWidth(cell))
			}
		}
	}
	padded := make([][]string, len(rows))
	for r, row := range rows {
		for i, cell := range row {
			if columns[i] == decimal && isNumber(cell) {
				cell += strings.Repeat(" ", fraction[i]-fractionWidth(cell))
			}
			padded[r] = append(padded[r], cell)
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range padded {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			space := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if columns[i] == left {
				line.WriteString(cell + space)
			} else {
				line.WriteString(space + cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

func isNumber(cell string) bool { return cell != "" && strings.Trim(cell, "$-+,.0123456789") == "" }

func fractionWidth(cell string) int {
	if point := strings.IndexByte(cell, '.'); point >= 0 && isNumber(cell) {
		return len(cell) - point
	}
	return 0
}

// facts prints names and what they are, one a line, long values wrapped.
func facts(w io.Writer, pairs [][2]string) {
	width := 0
	for _, pair := range pairs {
		width = max(width, len(pair[0]))
	}
	for _, pair := range pairs {
		first := fmt.Sprintf("%-*s  ", width, pair[0])
		wrapped(w, first, strings.Repeat(" ", len(first)), pair[1])
	}
}

// writeFacts prints facts in one write.
func writeFacts(w io.Writer, pairs [][2]string) error {
	var out bytes.Buffer
	facts(&out, pairs)
	_, err := w.Write(out.Bytes())
	return err
}

// wrapped prints text between words, the first line after first, the others after
// next.
func wrapped(w io.Writer, first, next, text string) {
	line := first
	for i, word := range strings.Fields(text) {
		if i > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > textWidth {
			fmt.Fprintln(w, strings.TrimRight(line, " "))
			line = next
		} else if i > 0 {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// writeClassification prints what Classify answered about a prompt.
func writeClassification(w io.Writer, prompt string, answer *adjutantv1.ClassifyResponse) error {
	var out bytes.Buffer
	classificationFacts(&out, prompt, answer.Classification)
	fmt.Fprintf(&out, "\nSnapshot %s.\n", answer.Snapshot)
	_, err := w.Write(out.Bytes())
	return err
}

func classificationFacts(out *bytes.Buffer, prompt string, c *adjutantv1.Classification) {
	var probabilities []string
	for _, t := range c.TierProbabilities {
		probabilities = append(probabilities, fmt.Sprintf("%s %.2f", tierName(t.Tier), t.Probability))
	}
	length := c.OutputTokens
	facts(out, [][2]string{
		{"tier", fmt.Sprintf("%s (%s)", tierName(c.Tier), strings.Join(probabilities, ", "))},
		{"stage", stageName(c.Stage)},
		{"split", fmt.Sprintf("pays with probability %.2f", c.SplitProbability)},
		{"input", fmt.Sprintf("about %s tokens", count(c.InputTokens))},
		{"output", outputLength(length)},
		{"language", c.Language},
		{"classifier", c.ClassifierVersion},
	})
	if len(c.Signals) == 0 {
		return
	}
	rows := [][]string{{"WEIGHT", "FOR", "SIGNAL", "IN"}}
	for _, s := range c.Signals {
		rows = append(rows, []string{fmt.Sprintf("%+.2f", s.Weight), tierName(s.Tier), s.Detail, words(prompt, s.Span)})
	}
	out.WriteByte('\n')
	writeTable(out, []align{decimal, left, left, left}, rows)
}

// words quotes what a signal rests on, shortened in the middle. The text is the
// user's own, on the user's own terminal.
func words(prompt string, span *adjutantv1.Span) string {
	if span == nil || span.StartByte < 0 || span.StartByte > span.EndByte || int(span.EndByte) > len(prompt) {
		return ""
	}
	text := []rune(strings.Join(strings.Fields(prompt[span.StartByte:span.EndByte]), " "))
	if len(text) > 40 {
		text = slices.Concat(text[:24], []rune(" ... "), text[len(text)-11:])
	}
	return strconv.Quote(string(text))
}

func outputLength(r *adjutantv1.TokenRange) string {
	if r.GetLow() == r.GetHigh() {
		return fmt.Sprintf("%s tokens, as given", count(r.GetMean()))
	}
	return fmt.Sprintf("about %s tokens (mean; one in ten below %s, half below %s, one in ten above %s)",
		count(r.Mean), count(r.Low), count(r.Median), count(r.High))
}

// writeDecision prints what Route answered about a prompt.
func writeDecision(w io.Writer, prompt string, answer *adjutantv1.RouteResponse) error {
	var out bytes.Buffer
	d := answer.Decision
	plan := d.Plan
	planned := plan.GetRecommended()
	lines := [][2]string{{"model", fmt.Sprintf("%s (tier %s)", ref(d.Model), tierName(d.Tier))}}
	if planned {
		lines = [][2]string{
			{"do", fmt.Sprintf("design with %s, execute with %s", ref(plan.Steps[0].Model), ref(plan.Steps[1].Model))},
			{"", fmt.Sprintf("%s for both steps; expected total %s, chance of failure %s", dollars(plan.Estimate), dollars(plan.ExpectedTotal), percent(plan.FailureProbability))},
			{"or", fmt.Sprintf("one call to %s (tier %s)", ref(d.Model), tierName(d.Tier))},
		}
	}
	lines = append(lines,
		[2]string{"price", priceRange(d.Estimate)},
		[2]string{"in the end", fmt.Sprintf("%s with time and failure; chance of failure %s", dollars(d.ExpectedTotal), percent(d.FailureProbability))},
	)
	if d.Baseline != nil {
		lines = append(lines,
			[2]string{"baseline", fmt.Sprintf("%s on %s", dollars(d.Baseline.Expected), ref(d.Baseline.Model))},
			[2]string{"savings", savings(d.Savings)},
		)
	}
	if len(d.Fallbacks) > 0 {
		var names []string
		for _, m := range d.Fallbacks {
			names = append(names, ref(m))
		}
		lines = append(lines, [2]string{"fallbacks", strings.Join(names, ", ")})
	}
	lines = append(lines, [2]string{"policy", fmt.Sprintf("%s, snapshot %s", d.Policy, d.Snapshot)})
	facts(&out, lines)

	if planned {
		for i, s := range plan.Steps {
			fmt.Fprintf(&out, "\nStep %d: %s with %s, %s\n", i+1, stageName(s.Stage), ref(s.Model), dollars(s.Estimate.GetExpected()))
			for paragraph := range strings.SplitSeq(s.Instruction, "\n") {
				wrapped(&out, "  | ", "  | ", paragraph)
			}
		}
	}
	if len(d.Reasons) > 0 {
		out.WriteString("\nWhy\n")
		for _, r := range d.Reasons {
			wrapped(&out, "  - ", "    ", r.Text)
		}
	}
	out.WriteString("\nWhat the task needs\n")
	var classification bytes.Buffer
	classificationFacts(&classification, prompt, d.Classification)
	for line := range strings.Lines(classification.String()) {
		if strings.TrimSpace(line) != "" {
			out.WriteString("  ")
		}
		out.WriteString(line)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// priceRange gives the expected amount and how far it may be off.
func priceRange(e *adjutantv1.CostEstimate) string {
	if exact(e.GetLow()) == exact(e.GetHigh()) {
		return dollars(e.GetExpected())
	}
	return fmt.Sprintf("%s (%s to %s)", dollars(e.GetExpected()), dollars(e.GetLow()), dollars(e.GetHigh()))
}

// detailedEstimates is up to how many models the line items are printed.
const detailedEstimates = 4

// writeEstimates prints what EstimateCost answered. Its amounts are exact.
func writeEstimates(w io.Writer, _ string, answer *adjutantv1.EstimateCostResponse) error {
	var out bytes.Buffer
	ranged, total, counted := false, false, false
	for _, e := range answer.Estimates {
		ranged = ranged || exact(e.Low) != exact(e.Expected) || exact(e.High) != exact(e.Expected)
		total = total || e.Total != nil
		counted = counted || e.TokensCountedBy != nil
	}
	header, columns := []string{"MODEL", "COST"}, []align{left, decimal}
	if ranged {
		header, columns = []string{"MODEL", "EXPECTED", "LOW", "HIGH"}, append(columns, decimal, decimal)
	}
	if total {
		header, columns = append(header, "ALL CALLS"), append(columns, decimal)
	}
	header, columns = append(header, "INPUT", "OUTPUT"), append(columns, right, right)
	if counted {
		header, columns = append(header, "COUNTED BY"), append(columns, left)
	}
	header, columns = append(header, "PRICES SINCE"), append(columns, left)
	rows := [][]string{header}
	for _, e := range answer.Estimates {
		row := []string{ref(e.Model), exact(e.Expected)}
		if ranged {
			row = append(row, exact(e.Low), exact(e.High))
		}
		if total {
			row = append(row, exact(e.Total))
		}
		row = append(row, count(e.Usage.GetInputTokens()), count(e.Usage.GetOutputTokens()))
		if counted {
			row = append(row, counter(e.TokensCountedBy))
		}
		since := day(e.PriceEffectiveFrom)
		if since == "" {
			since = "release"
		}
		if e.Retired {
			since += ", no longer sold"
		}
		rows = append(rows, append(row, since))
	}
	writeTable(&out, columns, rows)

	if len(answer.Estimates) <= detailedEstimates {
		for _, e := range answer.Estimates {
			rows := [][]string{{strings.ToUpper(ref(e.Model)), "TOKENS", "$ A MILLION", "AMOUNT"}}
			rows[0][0] = ref(e.Model)
			for _, item := range e.LineItems {
				rows = append(rows, []string{"  " + itemName(item), count(item.Tokens), item.UsdPerMillion, "$" + item.AmountUsd})
			}
			out.WriteByte('\n')
			writeTable(&out, []align{left, right, decimal, decimal}, rows)
		}
	}
	if len(answer.Alternatives) > 0 {
		out.WriteString("\nCheaper ways\n")
		for _, a := range answer.Alternatives {
			wrapped(&out, "  - ", "    ", a.Text)
		}
	}
	fmt.Fprintf(&out, "\nSnapshot %s.\n", answer.Snapshot)
	_, err := w.Write(out.Bytes())
	return err
}

// writeModels prints what ListModels answered.
func writeModels(w io.Writer, answer *adjutantv1.ListModelsResponse) error {
	var out bytes.Buffer
	rows := [][]string{{"MODEL", "TIER", "INPUT", "OUTPUT", "CACHE READ", "CONTEXT", "MAX OUTPUT", "NOTES"}}
	for _, m := range answer.Models {
		tier := "-"
		if m.Tier != adjutantv1.Tier_TIER_UNSPECIFIED {
			tier = tierName(m.Tier)
		}
		rows = append(rows, []string{
			ref(m.Ref), tier,
			rate(m.Price, adjutantv1.LineItemKind_LINE_ITEM_KIND_INPUT),
			rate(m.Price, adjutantv1.LineItemKind_LINE_ITEM_KIND_OUTPUT),
			rate(m.Price, adjutantv1.LineItemKind_LINE_ITEM_KIND_CACHE_READ),
			known(m.ContextWindowTokens), known(m.MaxOutputTokens), modelNotes(m),
		})
	}
	writeTable(&out, []align{left, left, decimal, decimal, decimal, right, right, left}, rows)
	fmt.Fprintf(&out, "\n%s models. Prices in USD for a million tokens; tiers are those of the policy. Snapshot %s.\n",
		count(int64(len(answer.Models))), answer.Snapshot)
	_, err := w.Write(out.Bytes())
	return err
}

func rate(p *adjutantv1.Price, kind adjutantv1.LineItemKind) string {
	for _, r := range p.GetRates() {
		if r.Kind == kind && r.CacheTtl == nil {
			return r.UsdPerMillion
		}
	}
	return "-"
}

func modelNotes(m *adjutantv1.Model) string {
	var notes []string
	if l := m.Lifecycle; l.GetRetired() {
		notes = append(notes, "retired "+day(l.Retires))
	} else if l.GetRetires() != nil {
		notes = append(notes, "retires "+day(l.Retires))
	} else if l.GetDeprecated() != nil {
		notes = append(notes, "deprecated "+day(l.Deprecated))
	}
	if m.Price == nil {
		notes = append(notes, "not on sale yet")
	}
	if bands := m.Price.GetBands(); len(bands) > 0 {
		notes = append(notes, fmt.Sprintf("dearer above %s tokens", count(bands[0].InputTokens)))
	}
	if next := m.ScheduledPrices; len(next) > 0 {
		notes = append(notes, "new price from "+day(next[0].EffectiveFrom))
	}
	return strings.Join(notes, "; ")
}

// errorText gives an error for people: a status without its code, and each field
// that is at fault on a line of its own.
func errorText(err error) string {
	s, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	text := s.Message()
	for _, detail := range s.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok && len(bad.FieldViolations) > 0 {
			text = "the request can't be answered:"
			for _, v := range bad.FieldViolations {
				text += fmt.Sprintf("\n  %s: %s", v.Field, v.Description)
			}
		}
	}
	return text
}

func tierName(t adjutantv1.Tier) string   { return short("TIER_", t.String()) }
func stageName(s adjutantv1.Stage) string { return short("STAGE_", s.String()) }

func itemName(item *adjutantv1.LineItem) string {
	name := strings.ReplaceAll(short("LINE_ITEM_KIND_", item.Kind.String()), "-", " ")
	if ttl := item.CacheTtl; ttl != nil {
		name += " for " + lifetime(ttl.AsDuration())
	}
	return name
}

// lifetime gives 5m or 1h where time.Duration would give 5m0s and 1h0m0s.
func lifetime(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func ref(m *adjutantv1.ModelRef) string { return m.GetProvider() + "/" + m.GetId() }

func day(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.DateOnly)
}

func counter(c *adjutantv1.TokenCounter) string {
	if c == nil || c.Exact {
		return c.GetName()
	}
	return fmt.Sprintf("%s, ±%s", c.Name, percent(c.ErrorBound))
}

func percent(fraction float64) string {
	text := strconv.FormatFloat(100*fraction, 'f', 1, 64)
	return strings.TrimSuffix(text, ".0") + "%"
}

// count gives a whole number with its thousands apart.
func count(n int64) string {
	digits, sign := strconv.FormatInt(n, 10), ""
	if n < 0 {
		digits, sign = digits[1:], "-"
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

func known(n int64) string {
	if n == 0 {
		return "-"
	}
	return count(n)
}

func savings(s *adjutantv1.Savings) string {
	return fmt.Sprintf("%s (%s)", dollars(s.GetAmount()), percent(s.GetFraction()))
}

// amount reads a Money of ours; they are always in range.
func amount(m *money.Money) pricing.Money {
	n, _ := pricing.MoneyOf(m.GetUnits(), m.GetNanos())
	return n
}

// exact gives every digit of an amount.
func exact(m *money.Money) string { return sign(cents(amount(m).String())) }

// cents gives $0.30 where the shortest form is $0.3.
func cents(number string) string {
	if point := strings.IndexByte(number, '.'); point >= 0 && len(number)-point == 2 {
		return number + "0"
	}
	return number
}

// dollars gives an amount as one reads it: cents from a dollar on, three significant
// digits below.
func dollars(m *money.Money) string {
	n := amount(m)
	size, unit := max(n, -n), pricing.Money(1)
	for size < pricing.Dollar && size/unit >= 1000 {
		unit *= 10
	}
	if size >= pricing.Dollar {
		unit = pricing.Dollar / 100
	}
	size = (size + unit/2) / unit * unit
	text := cents(size.String())
	if size >= pricing.Dollar {
		text = fmt.Sprintf("%s.%02d", count(int64(size/pricing.Dollar)), size%pricing.Dollar/(pricing.Dollar/100))
	}
	if n < 0 {
		text = "-" + text
	}
	return sign(text)
}

// sign puts the dollar sign before the digits.
func sign(number string) string {
	if digits, negative := strings.CutPrefix(number, "-"); negative {
		return "-$" + digits
	}
	return "$" + number
}
