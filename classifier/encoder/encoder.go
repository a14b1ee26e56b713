package encoder

import (
	"context"
	_ "embed"
	"math"
	"sync"
	"unicode/utf8"
)

// What the encoder reads of a task, in tokens. Training cut its texts alike, in
// train.py; a change here needs a new training.
const (
	headTokens    = 64 // of the ask, its beginning
	tailTokens    = 32 // and its end, when it is longer than both
	turnTokens    = 24 // of each turn before
	contextTokens = 60 // of all turns before, with a separator after each
	// maxTokens is all of it: start, turns, head, one dot, tail, end; rounded up.
	maxTokens = 160

	headRunes = 6000  // of the ask, its beginning, in code points
	tailRunes = 6000  // and its end, when it has longRunes or more
	longRunes = 12000 //
	turnRunes = 400   // of each turn before
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

// Default returns the encoder whose weights are in the binary (15 MB). The
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

// tokenise sets s.ids to what the network reads: [CLS], the last 60 tokens of
// (the first 24 tokens of each turn before and [SEP]), the ask, [SEP]. An ask
// of more than 96 tokens becomes its first 64, a dot and its last 32.
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
	if len(firstRunes(ask, longRunes-1)) < len(ask) {
		s.text, s.word = v.appendTokens(s.text, s.word, lastRunes(ask, tailRunes))
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

	x       []float32 // rows × hidden: what the layers add to
	wide    []float32 // rows × max(3·hidden, ffn): query, key and value; then the feed-forward
	narrow  []float32 // rows × hidden: what a layer is about to add
	q       []int16   // rows × max(hidden, ffn): the quantised input of a matrix
	qScale  []float32 // rows
	keys    []byte    // one head's keys as tiles: 16 tokens are the channels
	kScale  []float32 // rows
	values  []byte    // one head's values as tiles: its dimensions are the channels
	largest []uint32  // head: bits of the largest magnitude of each dimension of the values
	vScale  []float32 // head
	inverse []float32 // head: 1 / vScale
	weights []int16   // tileRows × rows: softmax of one tile, in 1/oneWeight
	scores  []float32 // tileRows × rows
}

func newScratch(s shape) *scratch {
	head := s.hidden / s.heads
	return &scratch{
		ids:     make([]int32, 0, maxTokens+contextTokens),
		x:       make([]float32, maxTokens*s.hidden),
		wide:    make([]float32, maxTokens*max(3*s.hidden, s.ffn)),
		narrow:  make([]float32, maxTokens*s.hidden),
		q:       make([]int16, maxTokens*max(s.hidden, s.ffn)),
		qScale:  make([]float32, maxTokens),
		keys:    make([]byte, maxTokens*head),
		kScale:  make([]float32, maxTokens),
		values:  make([]byte, maxTokens*head),
		largest: make([]uint32, head),
		vScale:  make([]float32, head),
		inverse: make([]float32, head),
		weights: make([]int16, tileRows*maxTokens),
		scores:  make([]float32, tileRows*maxTokens),
	}
}

// forward runs the network on s.ids.
//
// Products of floats are converted explicitly before they are added. That
// forbids fused multiply-add, so that every machine gets the same bits.
func (e *Encoder) forward(ctx context.Context, s *scratch) (logits [3]float32, err error) {
	rows := len(s.ids)
	for i, id := range s.ids {
		x := s.x[i*e.hidden:][:e.hidden]
		word, place := e.token.rows[int(id)*e.hidden:][:e.hidden], e.position.rows[i*e.hidden:][:e.hidden]
		wordScale, placeScale := e.token.scale[id], e.position.scale[i]
		for j := range x {
			x[j] = float32(wordScale*float32(int8(word[j]))) + float32(placeScale*float32(int8(place[j])))
		}
		e.afterEmbedding.apply(x)
	}
	for i := range e.blocks {
		if err := ctx.Err(); err != nil {
			return logits, err
		}
		b := &e.blocks[i]
		b.queryKeyValue.multiply(s.wide, s.x, s, rows)
		e.attend(s, rows)
		b.output.multiply(s.wide, s.narrow, s, rows)
		b.afterAttention.add(s.x, s.wide, rows)
		b.up.multiply(s.wide, s.x, s, rows)
		gelu(s.wide[:rows*e.ffn])
		b.down.multiply(s.narrow, s.wide, s, rows)
		b.afterFeedForward.add(s.x, s.narrow, rows)
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
	for r := range rows {
		s.qScale[r] = quantise(s.q[r*m.in:], x[r*m.in:][:m.in])
	}
	var sums [tileRows * tileColumns]int32
	for c := 0; c < m.out; c += tileColumns {
		weights := m.weights[c*m.in:][:tileColumns*m.in]
		scale, bias := (*[tileColumns]float32)(m.scale[c:]), (*[tileColumns]float32)(m.bias[c:])
		for r := 0; r < rows; r += tileRows {
			dot(&sums, s.q[r*m.in:], m.in, weights)
			for i := range min(tileRows, rows-r) {
				out := (*[tileColumns]float32)(y[(r+i)*m.out+c:])
				sum := (*[tileColumns]int32)(sums[i*tileColumns:])
				step := s.qScale[r+i]
				for j := range out {
					out[j] = float32(float32(sum[j])*float32(step*scale[j])) + bias[j]
				}
			}
		}
	}
}

// attend sets s.narrow to the attention of all heads over s.wide, which holds
// query, key and value of each token. Keys and values become int8 tiles, so
// that both products run on the kernel of the matrices.
func (e *Encoder) attend(s *scratch, rows int) {
	head, width := e.hidden/e.heads, 3*e.hidden
	even := (rows + 1) &^ 1
	root := float32(1 / math.Sqrt(float64(head)))
	var sums [tileRows * tileColumns]int32
	for h := range e.heads {
		// Queries, keys, and the range of each dimension of the values.
		clear(s.largest)
		for r := range rows {
			query := s.wide[r*width+h*head:][:head]
			s.qScale[r] = quantise(s.q[r*head:], query) * root
			key := s.wide[r*width+e.hidden+h*head:][:head]
			m := max(largest(key), tiny)
			s.kScale[r] = m / 127
			inverse := 127 / m
			tile := s.keys[r/tileColumns*tileColumns*head+r%tileColumns*2:]
			for d := 0; d < head; d += 2 {
				tile[d*tileColumns] = quantise8(key[d], inverse)
				tile[d*tileColumns+1] = quantise8(key[d+1], inverse)
			}
			for d, v := range s.wide[r*width+2*e.hidden+h*head:][:head] {
				s.largest[d] = max(s.largest[d], math.Float32bits(v)&^(1<<31))
			}
		}
		for d, bits := range s.largest {
			s.vScale[d] = max(math.Float32frombits(bits), tiny) / 127
			s.inverse[d] = 1 / s.vScale[d]
		}
		if rows < even {
			clear(s.values[:head*even]) // the odd place that no token fills
		}
		for r := range rows {
			tile := s.values[r/2*2*tileColumns+r%2:]
			for d, v := range s.wide[r*width+2*e.hidden+h*head:][:head] {
				tile[d/tileColumns*tileColumns*even+d%tileColumns*2] = quantise8(v, s.inverse[d])
			}
		}
		for r := 0; r < rows; r += tileRows {
			for c := 0; c < rows; c += tileColumns {
				dot(&sums, s.q[r*head:], head, s.keys[c*head:][:tileColumns*head])
				n := min(tileColumns, rows-c)
				for i := range min(tileRows, rows-r) {
					step := s.qScale[r+i]
					scores := s.scores[i*maxTokens+c:][:n]
					for j, k := range s.kScale[c:][:n] {
						scores[j] = float32(sums[i*tileColumns+j]) * float32(step*k)
					}
				}
			}
			var inverse [tileRows]float32
			for i := range min(tileRows, rows-r) {
				weights := s.weights[i*maxTokens:][:even]
				weights[even-1] = 0
				inverse[i] = softmax(weights, s.scores[i*maxTokens:][:rows])
			}
			for d := 0; d < head; d += tileColumns {
				dot(&sums, s.weights, maxTokens, s.values[d*even:][:tileColumns*even])
				for i := range min(tileRows, rows-r) {
					out := s.narrow[(r+i)*e.hidden+h*head+d:][:tileColumns]
					for j, step := range s.vScale[d:][:tileColumns] {
						out[j] = float32(sums[i*tileColumns+j]) * float32(step*inverse[i])
					}
				}
			}
		}
	}
}

// apply normalises x to mean 0 and variance 1, then scales and shifts it.
func (n *normalisation) apply(x []float32) {
	// Four sums each, so that additions don't wait for one another.
	var a, b [4]float32
	for i := 0; i < len(x); i += 4 {
		for j, v := range (*[4]float32)(x[i:]) {
			a[j] += v
		}
	}
	mean := (a[0] + a[1] + a[2] + a[3]) / float32(len(x))
	for i := 0; i < len(x); i += 4 {
		for j, v := range (*[4]float32)(x[i:]) {
			v -= mean
			b[j] += float32(v * v)
		}
	}
	variance := (b[0] + b[1] + b[2] + b[3]) / float32(len(x))
	scale := float32(1 / math.Sqrt(float64(variance)+1e-12))
	gain, bias := n.gain[:len(x)], n.bias[:len(x)]
	for i, v := range x {
		x[i] = float32(float32((v-mean)*scale)*gain[i]) + bias[i]
	}
}

// add adds y to x and normalises, row by row.
func (n *normalisation) add(x, y []float32, rows int) {
	hidden := len(n.gain)
	for r := range rows {
		row, more := x[r*hidden:][:hidden], y[r*hidden:][:hidden]
		for i, v := range more {
			row[i] += v
		}
		n.apply(row)
	}
}

// Softmax and GELU read tables, made at start from the functions of package
// math. Steps are powers of two, so that an index is exact.
const (
	oneWeight  = 1 << 14 // quantised softmax: the weight of the largest score
	expSteps   = 1 << 10 // entries per unit; half a step is 0.05% of a weight
	expEntries = 10 * expSteps
	geluBound  = 6 // beyond ±6, GELU is 0 or x within 6e-9
	geluSteps  = 1 << 8
)

// expTable[i] is exp(-i/expSteps) in 1/oneWeight; it rounds to 0 at 10.4.
// geluTable[i] is GELU(i/geluSteps - geluBound).
var expTable, geluTable = func() (exp [expEntries]int16, gelu [2*geluBound*geluSteps + 2]float32) {
	for i := range exp {
		exp[i] = int16(math.Round(oneWeight * math.Exp(-float64(i)/expSteps)))
	}
	for i := range gelu {
		x := float64(i)/geluSteps - geluBound
		gelu[i] = float32(x / 2 * (1 + math.Erf(x/math.Sqrt2)))
	}
	return exp, gelu
}()

// softmax sets weights to exp(score - largest score) in 1/oneWeight, and
// returns the inverse of their sum, which makes a weighted sum a mean.
func softmax(weights []int16, scores []float32) float32 {
	most := scores[0]
	for _, v := range scores {
		if v > most {
			most = v
		}
	}
	var sum int32
	for i, v := range scores {
		var w int16
		// Written so that NaN, which only strange weights give, is left out.
		if below := float32((most-v)*expSteps) + 0.5; below < expEntries {
			w = expTable[int(below)]
		}
		weights[i] = w
		sum += int32(w)
	}
	return 1 / float32(sum)
}

// gelu replaces each x by x times the normal distribution function at x, read
// from a table with linear interpolation (error below 2e-6).
func gelu(x []float32) {
	for i, v := range x {
		switch {
		case v >= geluBound:
		case v > -geluBound:
			at := float32((v + geluBound) * geluSteps)
			k := int(at)
			x[i] = geluTable[k] + float32((at-float32(k))*(geluTable[k+1]-geluTable[k]))
		default:
			x[i] = 0
		}
	}
}
