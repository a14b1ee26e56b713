package encoder

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// The file of weights, little-endian, written by export.py:
//
//	offset  bytes
//	     0      8  magic, the last byte is the version of the format
//	     8     24  layers, hidden, heads, ffn, tokens, positions: six uint32
//	    32     32  SHA-256 of all that follows
//	    64         vocabulary: each token as one length byte and its UTF-8
//	               token embeddings, position embeddings: table
//	               normalisation of their sum
//	               each layer: query+key+value, output: matrix; normalisation;
//	                           up, down: matrix; normalisation
//	               tier head: 3 × hidden float32, 3 float32
//
//	table          a float32 scale for each row, then rows of int8
//	matrix         a float32 scale and a float32 bias for each output channel,
//	               then int8 in tiles of 16 channels, in the order of [matrix]
//	normalisation  hidden float32 gains, hidden float32 biases
const (
	magic      = "adjenc\x00\x01"
	headerSize = 64
)

// shape says how large the parts of a network are.
type shape struct {
	layers, hidden, heads, ffn, tokens, positions int
}

// table is an embedding table.
type table struct {
	scale []float32
	rows  []byte
}

// layer is one transformer block. Each normalisation follows the residual sum.
type layer struct {
	queryKeyValue, output matrix
	afterAttention        normalisation
	up, down              matrix
	afterFeedForward      normalisation
}

// Load reads an encoder from weights as export.py writes them. It keeps weights
// and reads the matrices where they are, so the caller must not change them
// after. Damaged or foreign bytes give an error.
func Load(weights []byte) (*Encoder, error) {
	if len(weights) < headerSize || string(weights[:len(magic)]) != magic {
		return nil, errors.New("encoder: not a file of encoder weights, or of another version: write it anew with export.py")
	}
	var n [6]int
	for i := range n {
		n[i] = int(binary.LittleEndian.Uint32(weights[8+4*i:]))
	}
	e := &Encoder{shape: shape{layers: n[0], hidden: n[1], heads: n[2], ffn: n[3], tokens: n[4], positions: n[5]}}
	if err := e.check(); err != nil {
		return nil, err
	}
	if sha256.Sum256(weights[headerSize:]) != [32]byte(weights[32:headerSize]) {
		return nil, errors.New("encoder: the weights are damaged (their SHA-256 differs): fetch the file again")
	}
	r := &reader{rest: weights[headerSize:]}
	vocabulary, err := r.vocabulary(e.tokens)
	if err != nil {
		return nil, err
	}
	e.vocabulary = vocabulary
	e.token = r.table(e.tokens, e.hidden)
	e.position = r.table(e.positions, e.hidden)
	e.afterEmbedding = r.normalisation(e.hidden)
	e.blocks = make([]layer, e.layers)
	for i := range e.blocks {
		e.blocks[i] = layer{
			queryKeyValue:    r.matrix(e.hidden, 3*e.hidden),
			output:           r.matrix(e.hidden, e.hidden),
			afterAttention:   r.normalisation(e.hidden),
			up:               r.matrix(e.hidden, e.ffn),
			down:             r.matrix(e.ffn, e.hidden),
			afterFeedForward: r.normalisation(e.hidden),
		}
	}
	e.tier = r.floats(3 * e.hidden)
	e.tierBias = r.floats(3)
	switch {
	case r.short:
		return nil, errors.New("encoder: the weights end early: fetch the file again")
	case len(r.rest) > 0:
		return nil, fmt.Errorf("encoder: %d bytes follow the weights: fetch the file again", len(r.rest))
	case r.notFinite:
		return nil, errors.New("encoder: the weights hold NaN or infinity: train anew")
	}
	e.scratch.New = func() any { return newScratch(e.shape) }
	return e, nil
}

// check tells whether the kernel and the tokenizer can work with the shape.
// The limits also bound what a hostile header can make Load allocate.
func (s shape) check() error {
	switch {
	case s.layers < 1 || s.layers > 48:
		return fmt.Errorf("encoder: %d layers: must be 1 to 48", s.layers)
	case s.hidden < tileColumns || s.hidden > maxInputs || s.hidden%tileColumns != 0:
		return fmt.Errorf("encoder: hidden size %d: must be a multiple of %d up to %d", s.hidden, tileColumns, maxInputs)
	case s.heads < 1 || s.hidden%s.heads != 0 || s.hidden/s.heads%tileColumns != 0:
		return fmt.Errorf("encoder: %d heads: each must get a multiple of %d of the %d dimensions", s.heads, tileColumns, s.hidden)
	case s.ffn < tileColumns || s.ffn > maxInputs || s.ffn%tileColumns != 0:
		return fmt.Errorf("encoder: feed-forward size %d: must be a multiple of %d up to %d", s.ffn, tileColumns, maxInputs)
	case s.tokens < 3 || s.tokens > 1<<16:
		return fmt.Errorf("encoder: vocabulary of %d: must be 3 to %d", s.tokens, 1<<16)
	case s.positions < maxTokens || s.positions > 512:
		return fmt.Errorf("encoder: %d positions: must be %d to 512", s.positions, maxTokens)
	}
	return nil
}

// reader takes the parts of the file in order. It remembers a failure, so that
// Load checks once.
type reader struct {
	rest             []byte
	short, notFinite bool
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) floats(n int) []float32 {
	b := r.bytes(4 * n)
	f := make([]float32, len(b)/4)
	for i := range f {
		f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		r.notFinite = r.notFinite || f[i]-f[i] != 0
	}
	return f
}

func (r *reader) table(rows, columns int) table {
	return table{scale: r.floats(rows), rows: r.bytes(rows * columns)}
}

func (r *reader) matrix(in, out int) matrix {
	m := matrix{in: in, out: out, scale: r.floats(out), bias: r.floats(out), weights: r.bytes(in * out)}
	if !r.short {
		m.setCross()
	}
	return m
}

func (r *reader) normalisation(n int) normalisation {
	return normalisation{gain: r.floats(n), bias: r.floats(n)}
}

func (r *reader) vocabulary(n int) (*vocabulary, error) {
	v := &vocabulary{
		whole: make(map[string]int32, n), rest: make(map[string]int32, n/4),
		unknown: -1, start: -1, end: -1,
	}
	for id := range int32(n) {
		size := r.bytes(1)
		if r.short {
			break
		}
		token := string(r.bytes(int(size[0])))
		if token == "" || !utf8.ValidString(token) {
			return nil, fmt.Errorf("encoder: token %d is empty or not UTF-8: write the file anew with export.py", id)
		}
		switch token {
		case "[UNK]":
			v.unknown = id
			continue
		case "[CLS]":
			v.start = id
			continue
		case "[SEP]":
			v.end = id
			continue
		}
		pieces := v.whole
		if piece, ok := strings.CutPrefix(token, "##"); ok && piece != "" {
			pieces, token = v.rest, piece
		}
		if _, ok := pieces[token]; ok {
			return nil, fmt.Errorf("encoder: token %d occurs twice: write the file anew with export.py", id)
		}
		pieces[token] = id
		v.longest = max(v.longest, len(token))
	}
	if v.unknown < 0 || v.start < 0 || v.end < 0 {
		return nil, errors.New("encoder: the vocabulary lacks [UNK], [CLS] or [SEP]: write the file anew with export.py")
	}
	return v, nil
}
