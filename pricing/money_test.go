package pricing

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		text, want string
	}{
		{"0", "0"}, {"0.85", "0.85"}, {"-12", "-12"}, {"4.220", "4.22"}, {"0.000000001", "0.000000001"}, {"-0.000000001", "-0.000000001"},
		{"9223372036.854775807", "9223372036.854775807"}, {"007.50", "7.5"}, {"1.0000000000000", "1"},
	} {
		m, err := ParseMoney(c.text)
		if err != nil || m.String() != c.want {
			t.Errorf("%q is %s, %v; want %s", c.text, m, err, c.want)
		}
		back, err := ParseMoney(m.String())
		if err != nil || back != m {
			t.Errorf("%s comes back as %s, %v", m, back, err)
		}
		dollars, nanos := m.Units()
		if again, err := MoneyOf(dollars, nanos); err != nil || again != m {
			t.Errorf("%s in units is %d and %d, and comes back as %s, %v", m, dollars, nanos, again, err)
		}
	}
	for _, bad := range []string{"", ".", "1.", ".5", "1,5", "1e3", "+1", "--1", "0.0000000001", "9223372036.854775808", "$1", " 1", "1 ", "١"} {
		if m, err := ParseMoney(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, m)
		}
	}
	if got := Money(math.MinInt64).String(); got != "-9223372036.854775808" {
		t.Error(got)
	}
	for _, c := range []struct {
		dollars int64
		nanos   int32
	}{{1, -1}, {-1, 1}, {0, 1_000_000_000}, {math.MaxInt64, 0}, {9_223_372_036, 854_775_808}, {math.MinInt64, 0}} {
		if m, err := MoneyOf(c.dollars, c.nanos); err == nil {
			t.Errorf("%d and %d make %s", c.dollars, c.nanos, m)
		}
	}
}

func TestMoneyOverflow(t *testing.T) {
	if _, err := Money(math.MaxInt64).Plus(1); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
	if _, err := Money(math.MinInt64).Plus(-1); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
	if _, err := Money(math.MinInt64).Times(-1); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
	if _, err := Money(-1).Times(math.MinInt64); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
	if m, err := Money(-3).Times(5); err != nil || m != -15 {
		t.Error(m, err)
	}
	if _, err := (amount{math.MaxUint64, 0}).plus(amount{math.MaxUint64, 0}); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
	if _, err := price(math.MaxInt64, math.MaxInt64, 1000*Unchanged); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
}

// TestRounding holds the one rounding: half to even, to the nano-dollar.
func TestRounding(t *testing.T) {
	const nano = 1_000_000_000_000_000 // in yocto-dollars
	for _, c := range []struct {
		yocto uint64
		want  Money
	}{{0, 0}, {nano/2 - 1, 0}, {nano / 2, 0}, {nano/2 + 1, 1}, {nano + nano/2, 2}, {2*nano + nano/2, 2}, {3*nano + nano/2, 4}, {nano - 1, 1}} {
		if got, err := (amount{0, c.yocto}).round(); err != nil || got != c.want {
			t.Errorf("%d yocto-dollars round to %d nano-dollars, %v; want %d", c.yocto, got, err, c.want)
		}
	}
	if _, err := (amount{1 << 63, 0}).round(); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
	if _, err := (amount{nano - 1, 0}).round(); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
}

// TestAmountsAgainstBig compares the 128-bit arithmetic with arithmetic of any size.
func TestAmountsAgainstBig(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	value := func(a amount) *big.Int {
		v := new(big.Int).SetUint64(a.hi)
		return v.Lsh(v, 64).Add(v, new(big.Int).SetUint64(a.lo))
	}
	limit := new(big.Int).Lsh(big.NewInt(1), 128)
	for range 20_000 {
		tokens, rate, by := r.Int64()>>r.IntN(63), Rate(r.Int64()>>r.IntN(63)), Multiplier(1+r.Int64N(1_000_000_000))
		want := new(big.Int).Mul(big.NewInt(tokens), big.NewInt(int64(rate)))
		want.Mul(want, big.NewInt(int64(by)))
		got, err := price(tokens, rate, by)
		if want.Cmp(limit) >= 0 {
			if !errors.Is(err, ErrOverflow) {
				t.Fatalf("%d × %d × %d gives %s, want an overflow", tokens, rate, by, got)
			}
			continue
		}
		if err != nil || value(got).Cmp(want) != 0 {
			t.Fatalf("%d × %d × %d = %s, %v; want %s", tokens, rate, by, value(got), err, want)
		}
		text := new(big.Rat).SetFrac(want, new(big.Int).Exp(big.NewInt(10), big.NewInt(24), nil))
		if back, ok := new(big.Rat).SetString(got.String()); !ok || back.Cmp(text) != 0 {
			t.Fatalf("%s is written %s", text.FloatString(24), got)
		}
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"0.85", "-12", "9223372036.854775807", "1e9", "..", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMoney(s)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		got, _ := new(big.Rat).SetString(m.String())
		if !ok || want.Cmp(got) != 0 {
			t.Fatalf("%q is read as %s", s, m)
		}
	})
}
