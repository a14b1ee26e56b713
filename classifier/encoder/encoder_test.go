package encoder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tinyShape is the smallest network that takes all paths: two heads, two
// tiles of channels in each, two layers.
var tinyShape = shape{layers: 2, hidden: 64, heads: 2, ffn: 96, tokens: 100, positions: maxTokens}

// tinyTokens are the pieces of the synthetic vocabulary; fillers follow.
var tinyTokens = strings.Fields(`[PAD] [UNK] [CLS] [SEP] a b c the fix test un able ing cafe straße
	##a ##b ##c ##able ##ing ##s . , ! ? - ; $ 中 文 # ᄒ ##ᅡ ##ᆫ ᄀ ##ᅳ ##ᆯ 한 й и привет か ##か [ ] sep`)

// synthetic writes a file of random weights, in the format of export.py.
func synthetic(s shape, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	var body []byte
	float := func(x float64) { body = binary.LittleEndian.AppendUint32(body, math.Float32bits(float32(x))) }
	floats := func(n int, mean, deviation float64) {
		for range n {
			float(mean + deviation*r.NormFloat64())
		}
	}
	int8s := func(n int) {
		for range n {
			body = append(body, byte(r.IntN(256)))
		}
	}
	scale := 1.5 / 74 / math.Sqrt(float64(s.hidden)) // random int8 deviate by 74
	matrix := func(in, out int) {
		floats(out, scale, scale/10)
		floats(out, 0, 0.1)
		int8s(in * out)
	}
	norm := func() {
		floats(s.hidden, 1, 0.1)
		floats(s.hidden, 0, 0.1)
	}
	for i := range s.tokens {
		token := "[filler" + string(rune('A'+i/26)) + string(rune('A'+i%26))
		if i < len(tinyTokens) {
			token = tinyTokens[i]
		}
		body = append(body, byte(len(token)))
		body = append(body, token...)
	}
	floats(s.tokens, 0.01, 0.001)
	int8s(s.tokens * s.hidden)
	floats(s.positions, 0.01, 0.001)
	int8s(s.positions * s.hidden)
	norm()
	for range s.layers {
		matrix(s.hidden, 3*s.hidden)
		matrix(s.hidden, s.hidden)
		norm()
		matrix(s.hidden, s.ffn)
		matrix(s.ffn, s.hidden)
		norm()
	}
	floats(3*s.hidden, 0, 0.1)
	floats(3, 0, 0.1)
	return seal(s, body)
}

// seal puts a header before body.
func seal(s shape, body []byte) []byte {
	file := []byte(magic)
	for _, n := range []int{s.layers, s.hidden, s.heads, s.ffn, s.tokens, s.positions} {
		file = binary.LittleEndian.AppendUint32(file, uint32(n))
	}
	sum := sha256.Sum256(body)
	return append(append(file, sum[:]...), body...)
}

func tinyEncoder(tb testing.TB) *Encoder {
	tb.Helper()
	e, err := Load(synthetic(tinyShape, 1))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// kernels lists what this machine can run.
func kernels() []string {
	if hasAVX2 {
		return []string{"avx2", "go"}
	}
	return []string{"go"}
}

// use switches to a kernel; what it returns switches back.
func use(kernel string) (restore func()) {
	old := hasAVX2
	hasAVX2 = kernel == "avx2"
	return func() { hasAVX2 = old }
}

// plainLogits is the network in float64, written down as the papers have it,
// with nothing quantised but the weights. It reads e's weights tile by tile.
func plainLogits(e *Encoder, ids []int32) (logits [3]float64) {
	linear := func(m *matrix, x []float64) []float64 {
		y := make([]float64, m.out)
		for c := range y {
			for i, v := range x {
				w := m.weights[c/16*16*m.in+i/2*32+c%16*2+i%2]
				y[c] += v * float64(int8(w)) * float64(m.scale[c])
			}
			y[c] += float64(m.bias[c])
		}
		return y
	}
	normalise := func(n *normalisation, x []float64) {
		var mean, variance float64
		for _, v := range x {
			mean += v / float64(len(x))
		}
		for _, v := range x {
			variance += (v - mean) * (v - mean) / float64(len(x))
		}
		for i := range x {
			x[i] = (x[i]-mean)/math.Sqrt(variance+1e-12)*float64(n.gain[i]) + float64(n.bias[i])
		}
	}
	xs := make([][]float64, len(ids))
	for t, id := range ids {
		xs[t] = make([]float64, e.hidden)
		for j := range xs[t] {
			xs[t][j] = float64(e.token.scale[id])*float64(int8(e.token.rows[int(id)*e.hidden+j])) +
				float64(e.position.scale[t])*float64(int8(e.position.rows[t*e.hidden+j]))
		}
		normalise(&e.afterEmbedding, xs[t])
	}
	head := e.hidden / e.heads
	for b := range e.blocks {
		block := &e.blocks[b]
		var qkv [][]float64
		for _, x := range xs {
			qkv = append(qkv, linear(&block.queryKeyValue, x))
		}
		for t, x := range xs {
			mixed := make([]float64, e.hidden)
			for h := range e.heads {
				scores, sum := make([]float64, len(xs)), 0.0
				for u := range xs {
					for d := range head {
						scores[u] += qkv[t][h*head+d] * qkv[u][e.hidden+h*head+d]
					}
					scores[u] = math.Exp(scores[u] / math.Sqrt(float64(head)))
					sum += scores[u]
				}
				for u := range xs {
					for d := range head {
						mixed[h*head+d] += scores[u] / sum * qkv[u][2*e.hidden+h*head+d]
					}
				}
			}
			for j, v := range linear(&block.output, mixed) {
				x[j] += v
			}
			normalise(&block.afterAttention, x)
			wide := linear(&block.up, x)
			for j, v := range wide {
				wide[j] = v / 2 * (1 + math.Erf(v/math.Sqrt2))
			}
			for j, v := range linear(&block.down, wide) {
				x[j] += v
			}
			normalise(&block.afterFeedForward, x)
		}
	}
	for c := range logits {
		for j := range e.hidden {
			for _, x := range xs {
				logits[c] += x[j] * float64(e.tier[c*e.hidden+j]) / float64(len(xs))
			}
		}
		logits[c] += float64(e.tierBias[c])
	}
	return logits
}

// texts gives asks of all lengths around the sizes of tiles.
func texts() (asks []string) {
	for _, words := range []int{1, 2, 3, 13, 14, 15, 31} {
		asks = append(asks, strings.Repeat("fix ", words))
	}
	return append(asks, strings.Repeat("test a b c ", 100), "한글 中文 привет \x00 \xff", "")
}

func TestLogitsAreThoseOfThePlainNetwork(t *testing.T) {
	for seed := range uint64(2) {
		e, err := Load(synthetic(tinyShape, seed))
		if err != nil {
			t.Fatal(err)
		}
		s := newScratch(e.shape)
		for _, ask := range texts() {
			before := []string{"a b c", ask}[:len(ask)%3]
			got, err := e.Logits(t.Context(), ask, before...)
			if err != nil {
				t.Fatal(err)
			}
			e.tokenise(s, ask, before)
			for c, want := range plainLogits(e, s.ids) {
				// int8 keys and values are the coarsest step: 1 in 127.
				if d := math.Abs(float64(got[c]) - want); !(d < 0.03) {
					t.Errorf("seed %d, %d tokens: logit %d is %v, want %v", seed, len(s.ids), c, got[c], want)
				}
			}
		}
	}
}

// TestDefaultAgreesWithPyTorch holds the published weights to what export.py
// wrote down: the tokens exactly, and the logits of the float network within
// what int8 costs. Prompts on which two tiers tie may fall either way.
func TestDefaultAgreesWithPyTorch(t *testing.T) {
	e := Default()
	s := newScratch(e.shape)
	file, err := os.ReadFile("testdata/reference.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(file), []byte("\n"))
	var sum float64
	differ := 0
	for i, line := range lines {
		var want struct {
			Ask    string     `json:"ask"`
			Before []string   `json:"before"`
			IDs    []int32    `json:"ids"`
			Logits [3]float32 `json:"logits"`
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		e.tokenise(s, want.Ask, want.Before)
		if !slices.Equal(s.ids, want.IDs) {
			t.Errorf("line %d: tokens %v\nwant %v", i+1, s.ids, want.IDs)
		}
		got, err := e.Logits(t.Context(), want.Ask, want.Before...)
		if err != nil {
			t.Fatal(err)
		}
		for c := range got {
			d := math.Abs(float64(got[c] - want.Logits[c]))
			sum += d
			if d > 0.2 {
				t.Errorf("line %d: logits %v, want %v", i+1, got, want.Logits)
			}
		}
		if slices.Index(got[:], slices.Max(got[:])) != slices.Index(want.Logits[:], slices.Max(want.Logits[:])) {
			differ++
		}
	}
	mean := sum / float64(3*len(lines))
	t.Logf("%d prompts: mean distance %.4f, %d of another tier", len(lines), mean, differ)
	if mean > 0.03 || differ > len(lines)/100 {
		t.Errorf("mean distance %.4f, %d of %d prompts of another tier", mean, differ, len(lines))
	}
}

func TestLogitsAreTheSameOnEveryKernel(t *testing.T) {
	e := tinyEncoder(t)
	for _, ask := range texts() {
		var want [3]float32
		for i, kernel := range kernels() {
			restore := use(kernel)
			got, err := e.Logits(t.Context(), ask, "system", ask)
			restore()
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				want = got
			}
			if got != want {
				t.Errorf("%s gives %v, %s gives %v", kernel, got, kernels()[0], want)
			}
		}
	}
}

func TestTokenise(t *testing.T) {
	e := tinyEncoder(t)
	id := func(token string) int32 { return int32(slices.Index(tinyTokens, token)) }
	repeat := func(token string, n int) []int32 { return slices.Repeat([]int32{id(token)}, n) }
	cls, sep := repeat("[CLS]", 1), repeat("[SEP]", 1)
	tests := []struct {
		name   string
		ask    string
		before []string
		want   []int32
	}{
		{"empty", "", nil, slices.Concat(cls, sep)},
		{"short", "fix the test", nil, slices.Concat(cls, repeat("fix", 1), repeat("the", 1), repeat("test", 1), sep)},
		{"just fits", strings.Repeat("a ", 56), nil, slices.Concat(cls, repeat("a", 56), sep)},
		{
			"head and tail", strings.Repeat("a ", 32) + "b" + strings.Repeat(" c", 24), nil,
			slices.Concat(cls, repeat("a", 32), repeat(".", 1), repeat("c", 24), sep),
		},
		{
			"the middle of a long ask is not read", strings.Repeat("a ", 3000) + strings.Repeat("b ", 9000) + strings.Repeat("c ", 3000), nil,
			slices.Concat(cls, repeat("a", 32), repeat(".", 1), repeat("c", 24), sep),
		},
		{
			"the end of one over 6,000 code points is", strings.Repeat("a ", 3000) + strings.Repeat("b ", 100) + strings.Repeat("c ", 32), nil,
			slices.Concat(cls, repeat("a", 32), repeat(".", 1), repeat("c", 24), sep),
		},
		{"a turn before", "a", []string{"b"}, slices.Concat(cls, repeat("b", 1), sep, repeat("a", 1), sep)},
		{"an empty turn", "a", []string{""}, slices.Concat(cls, sep, repeat("a", 1), sep)},
		{
			"turns lose their ends, and the first is not read", "a", []string{strings.Repeat("the ", 50), strings.Repeat("b ", 50), strings.Repeat("c ", 50)},
			slices.Concat(cls, repeat("b", 16), sep, repeat("c", 16), sep, repeat("a", 1), sep),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScratch(e.shape)
			e.tokenise(s, tt.ask, tt.before)
			if !slices.Equal(s.ids, tt.want) {
				t.Errorf("got %v\nwant %v", s.ids, tt.want)
			}
			if len(s.ids) > maxTokens {
				t.Errorf("%d tokens, more than %d", len(s.ids), maxTokens)
			}
		})
	}
}

func TestLogitsStopWhenTheContextIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tinyEncoder(t).Logits(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestLogitsAreSafeForConcurrentUse(t *testing.T) {
	e := tinyEncoder(t)
	asks := texts()
	want := make([][3]float32, len(asks))
	for i, ask := range asks {
		want[i], _ = e.Logits(t.Context(), ask)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i, ask := range asks {
				if got, err := e.Logits(t.Context(), ask); err != nil || got != want[i] {
					t.Errorf("text %d: got %v, %v, want %v", i, got, err, want[i])
				}
			}
		})
	}
	wg.Wait()
}

// TestLogitsAllocateNothing leaves out the pool, which drops what it holds at
// random under the race detector.
func TestLogitsAllocateNothing(t *testing.T) {
	e := tinyEncoder(t)
	ask := strings.Repeat("fix the café, 한글 ", 200)
	before := []string{"a", "b"}
	s := newScratch(e.shape)
	n := testing.AllocsPerRun(10, func() {
		e.tokenise(s, ask, before)
		if _, err := e.forward(t.Context(), s); err != nil {
			t.Error(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations a call, want 0", n)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := synthetic(tinyShape, 1)
	change := func(f func(*shape)) []byte {
		s := tinyShape
		f(&s)
		return seal(s, good[headerSize:])
	}
	tests := []struct {
		name, want string
		file       []byte
	}{
		{"nothing", "not a file of encoder weights", nil},
		{"a header only", "SHA-256", good[:headerSize]},
		{"another version", "another version", append([]byte("adjenc\x00\x02"), good[8:]...)},
		{"a damaged byte", "SHA-256", append(slices.Clone(good[:len(good)-1]), good[len(good)-1]^1)},
		{"an early end", "end early", seal(tinyShape, good[headerSize:len(good)-1])},
		{"bytes that follow", "1 bytes follow", seal(tinyShape, append(slices.Clone(good[headerSize:]), 0))},
		{"no layer", "0 layers", change(func(s *shape) { s.layers = 0 })},
		{"too many layers", "layers", change(func(s *shape) { s.layers = 1 << 31 })},
		{"an odd size", "hidden size 65", change(func(s *shape) { s.hidden = 65 })},
		{"sums that overflow", "feed-forward size 4096", change(func(s *shape) { s.ffn = 4096 })},
		{"heads that don't divide", "3 heads", change(func(s *shape) { s.heads = 3 })},
		{"heads too small for a tile", "8 heads", change(func(s *shape) { s.heads = 8 })},
		{"too few positions", "95 positions", change(func(s *shape) { s.positions = 95 })},
		{"too small a vocabulary", "lacks", change(func(s *shape) { s.tokens = 3 })},
		{"too large a vocabulary", "vocabulary of", change(func(s *shape) { s.tokens = 1 << 20 })},
		{"a token twice", "occurs twice", seal(tinyShape, bytes.Replace(good[headerSize:], []byte("\x01b\x01c"), []byte("\x01b\x01b"), 1))},
		{"a token of no text", "not UTF-8", seal(tinyShape, bytes.Replace(good[headerSize:], []byte("\x01b\x01c"), []byte("\x01b\x01\xff"), 1))},
		{"not a number", "NaN", seal(tinyShape, append(slices.Clone(good[headerSize:len(good)-4]), 0, 0, 0xc0, 0x7f))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Load(tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// FuzzLoad changes the file anywhere and seals it again, so that what follows
// the digest is reached. What loads must answer.
func FuzzLoad(f *testing.F) {
	good := synthetic(tinyShape, 1)
	f.Add(uint32(8), []byte{3, 0, 0, 0})
	f.Add(uint32(headerSize), []byte{0xff})
	f.Add(uint32(9000), []byte{0xff, 0xff, 0x7f, 0x7f})
	f.Add(uint32(len(good)), []byte("more"))
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		file := slices.Clone(good)
		at %= uint32(len(file) + 1)
		file = append(file[:at], append(change, file[min(len(file), int(at)+len(change)):]...)...)
		if len(file) >= headerSize {
			sum := sha256.Sum256(file[headerSize:])
			copy(file[32:], sum[:])
		}
		if e, err := Load(file); err == nil {
			if _, err := e.Logits(t.Context(), "fix the test", "a"); err != nil {
				t.Error(err)
			}
		}
	})
}
