package classifier

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"sync"
)

// The columns of the weights: one for each thing that is scored.
const (
	ColumnTier   = 0
	ColumnStage  = ColumnTier + Tiers
	ColumnSplit  = ColumnStage + Stages
	ColumnLength = ColumnSplit + 1
	Columns      = ColumnLength + 1
)

// LengthBins is how many bands of predicted length have residuals of their own.
const LengthBins = 3

// Weights are what training finds.
type Weights struct {
	// Matrix has FeatureCount rows of Columns weights.
	Matrix []float32
	// TierScale and TierBias turn scores into calibrated ones:
	// softmax(scale*score + bias).
	TierScale float32
	TierBias  [Tiers]float32
	// SplitScale and SplitBias do so for the split: sigmoid(scale*score + bias).
	SplitScale, SplitBias float32
	// LengthEdges part the predicted logarithms of length into bands.
	LengthEdges [LengthBins - 1]float32
	// Lengths holds, for each band, what is added to the predicted logarithm to
	// give the 10th, 50th and 90th percentile and the logarithm of the mean.
	Lengths [LengthBins][4]float32
}

// magic names the format and, by its last digits, the features: weights for
// other features don't fit.
const magic = "ADJUTANT-W01-F02"

const weightsBytes = len(magic) + 4*Columns + Buckets*Columns + 4*denseCount*Columns + 4*(1+Tiers+2+LengthBins-1+4*LengthBins)

// Encode writes the weights as Load reads them: hashed features in 8 bits with
// one scale a column, named ones and calibration in 32-bit floats, little-endian.
func (w *Weights) Encode() []byte {
	b := make([]byte, 0, weightsBytes)
	b = append(b, magic...)
	put := func(f float32) { b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f)) }
	var scales [Columns]float32
	for i, x := range w.Matrix[:Buckets*Columns] {
		c := i % Columns
		scales[c] = max(scales[c], float32(math.Abs(float64(x))))
	}
	// The tiers share a scale, so that their bytes can be compared.
	for c := range Tiers {
		scales[c] = max(scales[0], scales[1], scales[2])
	}
	for c := range scales {
		scales[c] /= 127
		put(scales[c])
	}
	for i, x := range w.Matrix[:Buckets*Columns] {
		q := float32(0)
		if s := scales[i%Columns]; s > 0 {
			q = x / s
		}
		b = append(b, byte(int8(math.RoundToEven(float64(q)))))
	}
	for _, x := range w.Matrix[Buckets*Columns:] {
		put(x)
	}
	put(w.TierScale)
	for _, x := range w.TierBias {
		put(x)
	}
	put(w.SplitScale)
	put(w.SplitBias)
	for _, x := range w.LengthEdges {
		put(x)
	}
	for _, bin := range w.Lengths {
		for _, x := range bin {
			put(x)
		}
	}
	return b
}

// Load reads weights as [Weights.Encode] writes them. The error says what is wrong
// with them and what to do. It keeps no reference to the bytes.
func Load(weights []byte) (*Classifier, error) {
	if len(weights) < len(magic) || string(weights[:len(magic)]) != magic {
		return nil, fmt.Errorf("these are not weights of this version (they should begin with %q): train them again with this binary", magic)
	}
	if len(weights) != weightsBytes {
		return nil, fmt.Errorf("weights have %d bytes instead of %d: the file is cut short or of another version", len(weights), weightsBytes)
	}
	sum := sha256.Sum256(weights)
	c := &Classifier{version: hex.EncodeToString(sum[:6])}
	b := weights[len(magic):]
	bad := false
	get := func() float32 {
		f := math.Float32frombits(binary.LittleEndian.Uint32(b))
		b = b[4:]
		if f != f || f > 1e6 || f < -1e6 {
			bad = true
		}
		return f
	}
	for i := range c.scale {
		c.scale[i] = get()
	}
	c.hashed = make([]uint64, Buckets)
	for i := range c.hashed {
		c.hashed[i] = binary.LittleEndian.Uint64(b) ^ 0x8080808080808080
		b = b[Columns:]
	}
	for i := range c.dense {
		for k := range c.dense[i] {
			c.dense[i][k] = get()
		}
	}
	c.tierScale = get()
	for i := range c.tierBias {
		c.tierBias[i] = get()
	}
	c.splitScale, c.splitBias = get(), get()
	for i := range c.lengthEdges {
		c.lengthEdges[i] = get()
	}
	for i := range c.lengths {
		for k := range c.lengths[i] {
			c.lengths[i][k] = get()
		}
	}
	if bad {
		return nil, errors.New("weights hold a value that is not a number or out of range: the file is damaged")
	}
	return c, nil
}

//go:embed weights.bin
var weightsBin []byte

var embedded = sync.OnceValues(func() (*Classifier, error) { return Load(weightsBin) })

// Default gives the classifier with the embedded weights. They are read once; a
// test holds that they can be.
func Default() *Classifier {
	c, err := embedded()
	if err != nil {
		panic("classifier: embedded weights: " + err.Error())
	}
	return c
}
