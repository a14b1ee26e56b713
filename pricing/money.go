package pricing

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Money is an amount in nano-dollars (1e-9 $): ±9.2 billion dollars.
type Money int64

// Dollar is one dollar.
const Dollar Money = 1_000_000_000

// ErrOverflow says that an amount does not fit into [Money].
var ErrOverflow = errors.New("the amount exceeds 9.2 billion dollars")

// ParseMoney reads a decimal number of dollars, such as 0.85 or -12, with at most
// nine decimals.
func ParseMoney(s string) (Money, error) {
	n, err := parseDecimal(s, 9)
	if err != nil {
		return 0, fmt.Errorf("%q is not an amount in dollars: %w", s, err)
	}
	return Money(n), nil
}

// UnmarshalText reads what [ParseMoney] reads.
func (m *Money) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMoney(string(text))
	return err
}

// String gives the dollars as the shortest exact decimal, without a sign for the
// currency: 0.85, 12, -0.000000001.
func (m Money) String() string {
	if m < 0 {
		return "-" + decimal(0, -uint64(m), 9)
	}
	return decimal(0, uint64(m), 9)
}

// Units gives whole dollars and the nano-dollars beyond them, of the same sign:
// the two fields of google.type.Money.
func (m Money) Units() (dollars int64, nanos int32) {
	return int64(m / Dollar), int32(m % Dollar)
}

// MoneyOf is the inverse of [Money.Units]. It fails where the parts differ in
// sign, nanos is not within ±999,999,999, or the sum does not fit.
func MoneyOf(dollars int64, nanos int32) (Money, error) {
	if nanos <= -int32(Dollar) || nanos >= int32(Dollar) {
		return 0, fmt.Errorf("nanos must be within ±999999999, not %d", nanos)
	}
	if dollars > 0 && nanos < 0 || dollars < 0 && nanos > 0 {
		return 0, errors.New("units and nanos must have the same sign")
	}
	const most = math.MaxInt64 / int64(Dollar)
	if dollars > most || dollars < -most || dollars == most && int64(nanos) > math.MaxInt64%int64(Dollar) || dollars == -most && int64(nanos) < math.MinInt64%int64(Dollar) {
		return 0, ErrOverflow
	}
	return Money(dollars)*Dollar + Money(nanos), nil
}

// Times gives n times m, such as a month's bill from one call's cost.
func (m Money) Times(n int64) (Money, error) {
	product := int64(m) * n
	if m != 0 && (product/int64(m) != n || m == -1 && n == math.MinInt64) {
		return 0, ErrOverflow
	}
	return Money(product), nil
}

// Plus gives the sum of two amounts.
func (m Money) Plus(n Money) (Money, error) {
	sum := m + n
	if (sum > m) != (n > 0) && n != 0 {
		return 0, ErrOverflow
	}
	return sum, nil
}

// Rate is the price of one token in atto-dollars (1e-18 $), so that 1e12 is a
// dollar for a million tokens. It is ≥ 0.
type Rate int64

// ParseRate reads a price in dollars for a million tokens, such as 0.075: ≥ 0,
// less than 9.2 million, with at most twelve decimals.
func ParseRate(usdPerMillion string) (Rate, error) {
	n, err := parseDecimal(usdPerMillion, 12)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a price in dollars for a million tokens: %w", usdPerMillion, err)
	case n < 0:
		return 0, fmt.Errorf("%s: a price must not be negative", usdPerMillion)
	}
	return Rate(n), nil
}

// USDPerMillion gives the rate as the shortest exact decimal number of dollars for
// a million tokens.
func (r Rate) USDPerMillion() string { return decimal(0, uint64(r), 12) }

// UnmarshalText reads what [ParseRate] reads.
func (r *Rate) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRate(string(text))
	return err
}

// scale gives r × by; ok is false where that needs more than twelve decimals of a
// dollar for a million tokens, or is too large.
func (r Rate) scale(by Multiplier) (scaled Rate, ok bool) {
	hi, lo := bits.Mul64(uint64(r), uint64(by))
	if hi >= uint64(Unchanged) {
		return 0, false
	}
	quotient, rest := bits.Div64(hi, lo, uint64(Unchanged))
	return Rate(quotient), rest == 0 && quotient <= math.MaxInt64
}

// Multiplier scales rates, in millionths: 1_100_000 is an uplift of a tenth. It is
// > 0.
type Multiplier int64

// Unchanged is the multiplier 1.
const Unchanged Multiplier = 1_000_000

// ParseMultiplier reads a multiplier such as 0.5 or 1.1: more than 0, at most
// 1000, with at most six decimals.
func ParseMultiplier(s string) (Multiplier, error) {
	n, err := parseDecimal(s, 6)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a multiplier: %w", s, err)
	case n <= 0 || n > 1000*int64(Unchanged):
		return 0, fmt.Errorf("%s: a multiplier must be more than 0 and at most 1000", s)
	}
	return Multiplier(n), nil
}

// UnmarshalText reads what [ParseMultiplier] reads.
func (m *Multiplier) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMultiplier(string(text))
	return err
}

// String gives the multiplier as the shortest exact decimal.
func (m Multiplier) String() string { return decimal(0, uint64(m), 6) }

// times multiplies two multipliers; ok is false where the product needs more than
// six decimals or exceeds a million.
func (m Multiplier) times(n Multiplier) (product Multiplier, ok bool) {
	hi, lo := bits.Mul64(uint64(m), uint64(n))
	if hi != 0 || lo%uint64(Unchanged) != 0 || lo/uint64(Unchanged) > 1e12 {
		return 0, false
	}
	return Multiplier(lo / uint64(Unchanged)), true
}

// amount is an exact amount in yocto-dollars (1e-24 $), ≥ 0.
type amount struct{ hi, lo uint64 }

// price gives tokens × rate × multiplier, each ≥ 0.
func price(tokens int64, rate Rate, by Multiplier) (amount, error) {
	hi, lo := bits.Mul64(uint64(tokens), uint64(rate))
	carry, low := bits.Mul64(lo, uint64(by))
	over, high := bits.Mul64(hi, uint64(by))
	high, c := bits.Add64(high, carry, 0)
	if over != 0 || c != 0 {
		return amount{}, ErrOverflow
	}
	return amount{high, low}, nil
}

// plus adds two amounts.
func (a amount) plus(b amount) (amount, error) {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, over := bits.Add64(a.hi, b.hi, carry)
	if over != 0 {
		return amount{}, ErrOverflow
	}
	return amount{hi, lo}, nil
}

// times gives n × a; n is ≥ 0.
func (a amount) times(n int64) (amount, error) {
	carry, lo := bits.Mul64(a.lo, uint64(n))
	over, hi := bits.Mul64(a.hi, uint64(n))
	hi, c := bits.Add64(hi, carry, 0)
	if over != 0 || c != 0 {
		return amount{}, ErrOverflow
	}
	return amount{hi, lo}, nil
}

// round gives the nearest nano-dollar, half to even: the one rounding there is.
func (a amount) round() (Money, error) {
	const yoctoPerNano = 1_000_000_000_000_000
	if a.hi >= yoctoPerNano {
		return 0, ErrOverflow
	}
	nano, rest := bits.Div64(a.hi, a.lo, yoctoPerNano)
	if rest > yoctoPerNano/2 || rest == yoctoPerNano/2 && nano&1 == 1 {
		nano++
	}
	if nano > math.MaxInt64 {
		return 0, ErrOverflow
	}
	return Money(nano), nil
}

// String gives the amount in dollars as the shortest exact decimal.
func (a amount) String() string { return decimal(a.hi, a.lo, 24) }

// decimal writes the 128-bit number hi:lo with its last places digits behind the
// point, without trailing zeros.
func decimal(hi, lo uint64, places int) string {
	var digits [40]byte // 2^128 has 39
	i := len(digits)
	for hi > 0 || lo > 0 || len(digits)-i <= places {
		var rest uint64
		hi, rest = hi/10, hi%10
		lo, rest = bits.Div64(rest, lo, 10)
		i--
		digits[i] = '0' + byte(rest)
	}
	whole, fraction := string(digits[i:len(digits)-places]), strings.TrimRight(string(digits[len(digits)-places:]), "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// parseDecimal reads a plain decimal number and gives it times 10^places.
func parseDecimal(s string, places int) (int64, error) {
	unsigned, negative := strings.CutPrefix(s, "-")
	whole, fraction, dot := strings.Cut(unsigned, ".")
	if whole == "" || dot && fraction == "" {
		return 0, errors.New("want digits, such as 0.5")
	}
	if len(fraction) > places {
		if strings.Trim(fraction[places:], "0") != "" {
			return 0, fmt.Errorf("more than %d decimals", places)
		}
		fraction = fraction[:places]
	}
	digits := whole + fraction + strings.Repeat("0", places-len(fraction))
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, errors.New("want digits, such as 0.5")
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, errors.New("too large")
	}
	if negative {
		n = -n
	}
	return n, nil
}
