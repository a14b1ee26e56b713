package routing

import (
	"math"
	"strconv"

	"github.com/adjutant-dev/adjutant/pricing"
)

// words is a sentence in the making. Sentences are written one after another into
// the decision's buffer, so that each costs one allocation, its text.
type words []byte

// say begins a sentence. It ends the one before: only one is in the making.
func (d *deciding) say() words { return d.buffer[:0] }

func (w words) s(text string) words { return append(w, text...) }

func (w words) n(v int64) words { return strconv.AppendInt(w, v, 10) }

func (w words) f(v float64, decimals int) words {
	return strconv.AppendFloat(w, v, 'f', decimals, 64)
}

func (w words) quoted(text string) words { return strconv.AppendQuote(w, text) }

// usd writes an amount of nano-dollars: cents from a dollar up, three digits below.
func (w words) usd(nanos float64) words {
	dollars := nanos / float64(pricing.Dollar)
	decimals := 2
	if size := math.Abs(dollars); size > 0 && size < 1 {
		decimals = min(9, 2-int(math.Floor(math.Log10(size))))
	}
	return append(w, '$').f(dollars, decimals)
}

// percent writes a chance as a percentage with one decimal.
func (w words) percent(p float64) words { return append(w.f(100*p, 1), '%') }

// chance writes a probability with two decimals.
func (w words) chance(p float64) words { return w.f(p, 2) }

// up writes a threshold with two decimals, rounded up, so that what is written is
// enough.
func (w words) up(p float64) words { return w.f(math.Ceil(p*100-1e-9)/100, 2) }

// stop ends the sentence.
func (w words) stop() string { return string(append(w, '.')) }

// usd is an amount on its own.
func usd(nanos pricing.Money) string { return string(words(nil).usd(float64(nanos))) }
