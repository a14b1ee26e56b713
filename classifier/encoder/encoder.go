package encoder

import (
	"context"
	_ "embed"
	"encoding/binary"
	"math"
	"sync"
	"unicode/utf8"
)

// What the encoder reads of a task, in tokens: less than in training, which costs no
// accuracy (docs/decisions/0003-classifier.md). train.py has the same figures; a change
// needs new scores of unseen rows and a new mixture, which is fitted to them.
const (
	headTokens    = 32 // of the ask, its beginning
	tailTokens    = 24 // and its end, when it is longer than both
	turnTokens    = 16 // of each turn before
	contextTokens = 34 // of all turns before, with a separator after each
	// maxTokens is all of it: start, turns, head, one dot, tail, end; rounded up.
	maxTokens = 96

	headRunes = 6000 // of the ask, its beginning, in code points
	tailRunes = 6000 // and of the rest, its end
	turnRunes = 400  // of each turn before
)

// Encoder reads text and says how it leans between the tiers. It is immutable
// and safe for concurrent use.
type Encoder struct {
	shape
	vocabulary      *vocabulary
	token, position table
	afterEmbedding  normalisation
	blocks          []layer
	tier, tierBias  []float32
	scratch         sync.Pool
}

//go:embed encoder.bin
var published []byte

// Default returns the encoder whose weights are in the binary (26 MB). The
// first call reads them, later ones return the same encoder.
var Default = sync.OnceValue(func() *Encoder {
	e, err := Load(published)
	if err != nil {
		panic(err) // only a broken build gets here; a test reads the same bytes
	}
	return e
})

// Quick says whether this machine's processor has the instructions that make the
// encoder take milliseconds. Without them it gives the same answers, thirty times
// as slowly.
func Quick() bool { return hasAVX2 }

// Logits returns the natural-log odds, up to a common constant, of the tiers
// repetition, making and judgment. softmax makes them probabilities, which are
// not calibrated.
//
// ask is the last turn of the user, as the user sent it. before holds what
// training saw in front of it, oldest first: the first system prompt, then the
// last two other turns; it may be empty. Of a long ask the head and the tail
// are read, of each turn before only the head, so that time and memory are
// bounded whatever the length.
//
// The only error is ctx's; ctx is looked at before each layer.
func (e *Encoder) Logits(ctx context.Context, ask string, before ...string) ([3]float32, error) {
	s := e.scratch.Get().(*scratch)
	defer e.scratch.Put(s)
	e.tokenise(s, ask, before)
	return e.forward(ctx, s)
}

// tokenise sets s.ids to what the network reads: [CLS], the last 34 tokens of
// (the first 16 tokens of each turn before and [SEP]), the ask, [SEP]. An ask
// of more than 56 tokens becomes its first 32, a dot and its last 24.
func (e *Encoder) tokenise(s *scratch, ask string, before []string) {
	v := e.vocabulary
	ids := s.ids[:0]
	ids = append(ids, v.start)
	for _, turn := range before {
		s.text, s.word = v.appendTokens(s.text[:0], s.word, firstRunes(turn, turnRunes))
		ids = append(ids, s.text[:min(len(s.text), turnTokens)]...)
		ids = append(ids, v.end)
		if over := len(ids) - 1 - contextTokens; over > 0 {
			ids = append(ids[:1], ids[1+over:]...)
		}
	}
	s.text, s.word = v.appendTokens(s.text[:0], s.word, firstRunes(ask, headRunes))
	if rest := ask[len(firstRunes(ask, headRunes)):]; rest != "" {
		s.text, s.word = v.appendTokens(s.text, s.word, lastRunes(rest, tailRunes))
	}
	if text := s.text; len(text) > headTokens+tailTokens {
		ids = append(ids, text[:headTokens]...)
		ids, s.word = v.appendTokens(ids, s.word, ".")
		ids = append(ids, text[len(text)-tailTokens:]...)
	} else {
		ids = append(ids, text...)
	}
	ids = append(ids, v.end)
	s.ids = ids
}

// firstRunes returns the first n code points of s.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// lastRunes returns the last n code points of s.
func lastRunes(s string, n int) string {
	i := len(s)
	for ; n > 0 && i > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return s[i:]
}

// scratch is the memory of one call, 2 MB for the published encoder.
// Rows are tokens; their number is rounded up to whole tiles, and what the
// rows above the last token hold is never read back.
type scratch struct {
	ids, text []int32
	word      []byte

	x       []float32   // rows × hidden: what the layers add to
	wide    []float32   // rows × max(3·hidden, ffn): query, key and value; then the feed-forward
	narrow  []float32   // rows × hidden: what a layer is about to add
	in      activations // rows × max(hidden, ffn): what meets a matrix; one head's queries
	keys    matrix      // one head's keys: tokens are the channels
	key     []int16     // head: one of them
	scores  []float32   // tileRows × rows
	weights activations // tileRows × rows: softmax of the scores, in 1/oneWeight
	values  matrix      // one head's values: tokens are the inputs
	most    []float32   // head: the largest magnitude of each dimension of the values
	inverse []float32   // head: 1 / the values' scale
}

func newScratch(s shape) *scratch {
	head := s.hidden / s.heads
	empty := func(in, out int) matrix {
		return matrix{in, out, make([]byte, in*out), make([]float32, out), make([]float32, out), make([]int32, out)}
	}
	return &scratch{
		ids:     make([]int32, 0, maxTokens+contextTokens),
		x:       make([]float32, maxTokens*s.hidden),
		wide:    make([]float32, maxTokens*max(3*s.hidden, s.ffn)),
		narrow:  make([]float32, maxTokens*s.hidden),
		in:      newActivations(maxTokens, max(s.hidden, s.ffn)),
		keys:    empty(head, maxTokens),
		key:     make([]int16, head),
		scores:  make([]float32, tileRows*maxTokens),
		weights: newActivations(tileRows, maxTokens),
		values:  empty(maxTokens, head),
		most:    make([]float32, head),
		inverse: make([]float32, head),
	}
}

// forward runs the network on s.ids.
func (e *Encoder) forward(ctx context.Context, s *scratch) (logits [3]float32, err error) {
	rows := len(s.ids)
	for i, id := range s.ids {
		x := s.x[i*e.hidden:][:e.hidden]
		word, place := e.token.rows[int(id)*e.hidden:][:e.hidden], e.position.rows[i*e.hidden:][:e.hidden]
		wordScale, placeScale := e.token.scale[id], e.position.scale[i]
		y := s.narrow[:e.hidden]
		for j := range x {
			x[j] = wordScale * float32(int8(word[j]))
			y[j] = placeScale * float32(int8(place[j]))
		}
		e.afterEmbedding.add(x, y)
	}
	for i := range e.blocks {
		if err := ctx.Err(); err != nil {
			return logits, err
		}
		b := &e.blocks[i]
		b.queryKeyValue.multiply(s.wide, s.x, s, rows)
		e.attend(s, rows)
		b.output.multiply(s.wide, s.narrow, s, rows)
		for r := range rows {
			b.afterAttention.add(s.x[r*e.hidden:][:e.hidden], s.wide[r*e.hidden:])
		}
		b.up.multiply(s.wide, s.x, s, rows)
		gelu(s.wide[:rows*e.ffn])
		b.down.multiply(s.narrow, s.wide, s, rows)
		for r := range rows {
			b.afterFeedForward.add(s.x[r*e.hidden:][:e.hidden], s.narrow[r*e.hidden:])
		}
	}
	// The head reads the mean of all tokens.
	var sums [3]float64
	for j := range e.hidden {
		var sum float64
		for i := range rows {
			sum += float64(s.x[i*e.hidden+j])
		}
		for c := range sums {
			sums[c] += float64(sum * float64(e.tier[c*e.hidden+j]))
		}
	}
	for c, sum := range sums {
		logits[c] = float32(sum/float64(rows)) + e.tierBias[c]
	}
	return logits, nil
}

// multiply sets y, rows × out, to x, rows × in, times the matrix, plus bias.
// A tile of weights is used for all rows before the next is read, so weights
// pass through the cache once.
func (m *matrix) multiply(y, x []float32, s *scratch, rows int) {
	s.in.stride = m.in
	for r := range rows {
		s.in.set(r, x[r*m.in:][:m.in])
	}
	for c := 0; c < m.out; c += tileColumns {
		for r := 0; r < rows; r += tileRows {
			product(y[r*m.out+c:], m.out, &s.in, r, m, c)
		}
	}
}

// attend sets s.narrow to the attention of all heads over s.wide, which holds
// query, key and value of each token. Keys and values become int8 matrices, so
// that both products run on the kernel of the weights.
func (e *Encoder) attend(s *scratch, rows int) {
	head, width := e.hidden/e.heads, 3*e.hidden
	root := float32(1 / math.Sqrt(float64(head)))
	s.in.stride = head
	s.values.in = (rows + 3) &^ 3
	clear(s.wide[rows*width : s.values.in*width]) // the inputs that no token fills
	// Scores are made by whole tiles. The bias keeps those out that belong to no token.
	scored := (rows + tileColumns - 1) / tileColumns * tileColumns
	clear(s.keys.bias[:rows])
	for c := rows; c < scored; c++ {
		s.keys.bias[c] = float32(math.Inf(-1))
	}
	for h := range e.heads {
		query, key, value := s.wide[h*head:], s.wide[e.hidden+h*head:], s.wide[2*e.hidden+h*head:]
		clear(s.most)
		for r := range rows {
			s.in.set(r, query[r*width:][:head])
			s.in.step[r] *= root
			s.setKey(r, key[r*width:][:head])
			widen(s.most, value[r*width:])
		}
		for d, m := range s.most {
			s.values.scale[d] = max(m, tiny) / 127
			s.inverse[d] = 1 / s.values.scale[d]
		}
		clear(s.values.cross)
		for r := 0; r < rows; r += 4 {
			for d := 0; d < head; d += tileColumns {
				s.values.roundFour(d, r, value[r*width+d:], width, (*[tileColumns]float32)(s.inverse[d:]))
			}
		}
		for r := 0; r < rows; r += tileRows {
			for c := 0; c < rows; c += tileColumns {
				product(s.scores[c:], maxTokens, &s.in, r, &s.keys, c)
			}
			for i := range min(tileRows, rows-r) {
				weights := s.weights.q[i*maxTokens:][:scored]
				s.weights.step[i] = softmax(weights, s.scores[i*maxTokens:][:scored])
				s.weights.cross[i] = cross(weights)
			}
			for d := 0; d < head; d += tileColumns {
				product(s.narrow[r*e.hidden+h*head+d:], e.hidden, &s.weights, 0, &s.values, d)
			}
		}
	}
}

// setKey makes x, rounded to int8, channel c of s.keys.
func (s *scratch) setKey(c int, x []float32) {
	m := max(largest(x), tiny)
	round(s.key, x, 127/m)
	s.keys.scale[c], s.keys.cross[c] = m/127, cross(s.key)
	tile := s.keys.weights[c/tileColumns*tileColumns*len(x)+c%tileColumns*2:]
	for d := 0; d+1 < len(s.key); d += 2 {
		binary.LittleEndian.PutUint16(tile[d*tileColumns:], uint16(byte(s.key[d]))|uint16(s.key[d+1])<<8)
	}
}
