package pricing

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestBadOverlays holds the words in which mistakes are reported. The golden
// files are rewritten by go test ./pricing -run BadOverlays -update.
func TestBadOverlays(t *testing.T) {
	paths, err := filepath.Glob("testdata/overlays/*.bad.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			err := Check(path)
			if err == nil {
				t.Fatal("no mistake was found")
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestOverlay(t *testing.T) {
	c, err := LoadFiles("testdata/overlays/acme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c.Digest() == Default().Digest() {
		t.Error("an overlay does not change the digest")
	}
	again, err := LoadFiles("testdata/overlays/acme.yaml")
	if err != nil || again.Digest() != c.Digest() {
		t.Errorf("the same files give digests %s and %s (%v)", c.Digest(), again.Digest(), err)
	}
	at := func(s string) time.Time {
		d, err := ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return d.Time()
	}
	million := Usage{InputTokens: 1_000_000, OutputTokens: 1_000_000}
	for _, k := range []struct {
		model string
		u     Usage
		terms Terms
		want  string
	}{
		{"claude-opus-4-5", million, Terms{AsOf: at("2026-09-25")}, "25.5"},                               // 30 less 15%
		{"us.anthropic.claude-opus-4-5", million, Terms{AsOf: at("2026-09-25")}, "28.05"},                 // and a tenth more
		{"claude-opus-4-5", million, Terms{ServiceTier: Batch, AsOf: at("2026-09-25")}, "12.75"},          // and half of it
		{"claude-opus-5", million, Terms{ServiceTier: Fast, AsOf: at("2026-09-25")}, "51"},                // the tier's own rates too
		{"acme/summariser", million, Terms{AsOf: at("2026-11-30")}, "0.08"},                               //
		{"acme-summariser-2", million, Terms{AsOf: at("2026-12-01")}, "0.065"},                            // the next price
		{"acme/gpt-eu", Usage{InputTokens: 1_000}, Terms{Region: "eu", AsOf: at("2026-11-01")}, "0.0022"}, // 2 × 1.1 for a million
		{"gpt-6-sol", Usage{InputTokens: 1_000}, Terms{AsOf: at("2026-11-01")}, "0.002"},                  // ours is untouched
	} {
		offer, err := c.Resolve(k.model)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := offer.PriceTotal(k.u, k.terms)
		if err != nil || got.String() != k.want {
			t.Errorf("%s %+v: %s, %v; want %s", k.model, k.terms, got, err, k.want)
		}
	}
	if got := c.Model("openai", "gpt-5"); got.MaxOutputTokens != 16_384 || got.ContextWindow != 400_000 {
		t.Errorf("gpt-5 has limits %d and %d", got.MaxOutputTokens, got.ContextWindow)
	}
	if got := Default().Model("openai", "gpt-5").MaxOutputTokens; got != 128_000 {
		t.Errorf("the embedded gpt-5 now has %d", got)
	}
}

// TestDiscounts: they scale what came before them, one after the other, and leave
// alone what a file states itself.
func TestDiscounts(t *testing.T) {
	file := func(text string) File { return File{Name: "o.yaml", Data: []byte(text)} }
	tenth := file("discounts: [{provider: openai, multiplier: 0.9, source: s}]")
	own := file("models: [{provider: openai, id: gpt-5, prices: [{source: s, rates: {input: 1, output: 1}}]}]")
	limit := file("models: [{provider: openai, id: gpt-5, max_output_tokens: 100}]")
	like := file("models: [{provider: acme, id: mine, like: openai/gpt-5}]")
	for _, c := range []struct {
		name, model string
		files       []File
		want        string
	}{
		{"one", "gpt-5", []File{tenth}, "1.125"},
		{"two", "gpt-5", []File{tenth, tenth}, "1.0125"},
		{"own price after", "gpt-5", []File{tenth, own}, "1"},
		{"own price before", "gpt-5", []File{own, tenth}, "0.9"},
		{"another limit after", "gpt-5", []File{tenth, limit}, "1.125"},
		{"a model like it", "acme/mine", []File{tenth, like}, "1.25"},
	} {
		catalogue, err := Load(Default(), c.files...)
		if err != nil {
			t.Fatal(c.name, err)
		}
		o, err := catalogue.Resolve(c.model)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if got, err := o.PriceTotal(Usage{InputTokens: 1_000_000}, Terms{AsOf: on("2026-11-20")}); err != nil || got.String() != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

// TestSources checks that every source in the embedded catalogue is explained.
func TestSources(t *testing.T) {
	data, err := os.ReadFile("sources.yaml")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^"?([^ "\n]+?)"?:$`).FindAllStringSubmatch(string(data), -1) {
		known[m[1]] = true
	}
	check := func(m *Model, source string) {
		if !known[source] {
			t.Errorf("%s: source %q is not in sources.yaml", m.Ref(), source)
		}
	}
	for _, m := range Default().Models() {
		for _, p := range m.Periods {
			check(m, p.Source)
		}
		for _, p := range m.Tiers {
			check(m, p.Source)
		}
		for _, h := range m.Hosts {
			check(m, h.Source)
		}
		for _, s := range m.Sources {
			check(m, s)
		}
	}
}

func TestDefaultCatalogue(t *testing.T) {
	models, periods := Default().Models(), 0
	for i, m := range models {
		periods += len(m.Periods)
		if i > 0 && models[i-1].Ref() >= m.Ref() {
			t.Errorf("%s comes after %s", m.Ref(), models[i-1].Ref())
		}
		if m.Name == "" || m.ContextWindow == 0 || m.MaxInputTokens == 0 || m.Tokenizer == "" {
			t.Errorf("%s lacks a name, its context window or its tokenizer", m.Ref())
		}
		if offer, err := Default().Resolve(m.Ref()); err != nil || offer.Model != m {
			t.Errorf("%s does not resolve to itself: %v", m.Ref(), err)
		}
		if Default().Model(m.Provider, m.ID) != m {
			t.Errorf("%s is not found", m.Ref())
		}
	}
	if len(models) != 100 || periods != 116 {
		t.Errorf("%d models with %d price periods, want 100 with 116", len(models), periods)
	}
}

func TestRetired(t *testing.T) {
	m := Default().Model("anthropic", "claude-opus-4-1")
	day := func(d int) time.Time { return time.Date(2026, 8, d, 0, 0, 0, 0, time.UTC) }
	if m.RetiredAt(day(4)) || !m.RetiredAt(day(5)) {
		t.Errorf("retired on %s", m.Retired)
	}
	cost, err := m.Offer().Price(Usage{InputTokens: 1_000_000}, Terms{AsOf: day(6)})
	if err != nil || !cost.Retired || cost.Total != 15*Dollar {
		t.Errorf("%+v, %v: want its last price, marked", cost, err)
	}
}

func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/overlays/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("models: [{provider: a, id: b, prices: [{source: s, rates: {input: 1, output: 1}}]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Load(nil, File{Name: "fuzz.yaml", Data: data})
		if err != nil {
			return
		}
		for _, m := range c.Models() { // whatever loads must price without a panic
			_, _ = m.Offer().Price(benchUsage, Terms{AsOf: time.Date(2026, 9, 25, 3, 0, 0, 0, time.UTC)})
			_, _, _ = CountTokens(context.Background(), m, "some text")
		}
	})
}
