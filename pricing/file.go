package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/adjutant-dev/adjutant/internal/strictyaml"
)

// File is the text of one catalogue file.
type File struct {
	Name string // for messages
	Data []byte
}

// catalogueFile is a catalogue file as written. docs/prices.md explains it.
type catalogueFile struct {
	Provider  string         `yaml:"provider"`  // of every model that names no other
	Reseller  bool           `yaml:"reseller"`  // ids need the provider in front: they are another maker's names
	Prefixes  []string       `yaml:"prefixes"`  // other names for the provider in front of a model's name
	Hosts     []hostEntry    `yaml:"hosts"`     // where every model of the file is sold besides
	Models    []modelEntry   `yaml:"models"`    //
	Discounts []discountRule `yaml:"discounts"` // on models of earlier files
}

// discountRule scales every rate of the models that it names: those of a provider,
// or those listed.
type discountRule struct {
	Provider   string     `yaml:"provider"`
	Models     []string   `yaml:"models"` // provider/id
	Multiplier Multiplier `yaml:"multiplier"`
	Source     string     `yaml:"source"`
}

type modelEntry struct {
	Provider string   `yaml:"provider"`
	ID       string   `yaml:"id"`
	Like     string   `yaml:"like"` // provider/id of a model that this one equals, but for what is stated here
	Name     string   `yaml:"name"`
	Aliases  []string `yaml:"aliases"`

	ContextWindow      int64 `yaml:"context_window"`
	MaxInputTokens     int64 `yaml:"max_input_tokens"`
	MaxOutputTokens    int64 `yaml:"max_output_tokens"`
	MinCacheableTokens int64 `yaml:"min_cacheable_tokens"`

	Can    []Capability `yaml:"can"`
	Cannot []Capability `yaml:"cannot"` // what is in neither list is unknown

	Released   Date   `yaml:"released"`
	Deprecated Date   `yaml:"deprecated"`
	Retired    Date   `yaml:"retired"`
	Successor  string `yaml:"successor"`

	Tokenizer string                `yaml:"tokenizer"`
	Prices    []periodEntry         `yaml:"prices"`
	Tiers     []tierEntry           `yaml:"service_tiers"`
	Regions   map[string]Multiplier `yaml:"regions"`
	Hosts     []hostEntry           `yaml:"hosts"`
	Fees      map[string]Money      `yaml:"fees_per_thousand"`
	Note      string                `yaml:"note"`
	Sources   []string              `yaml:"sources"`
}

// rateEntry maps input, output, cache_read, cache_write, cache_write_1h, ... to
// dollars for a million tokens.
type rateEntry map[string]Rate

type periodEntry struct {
	From   Date          `yaml:"from"`
	Until  Date          `yaml:"until"`
	Rates  rateEntry     `yaml:"rates"`
	Bands  []bandEntry   `yaml:"bands"`
	Hours  []windowEntry `yaml:"hours"`
	Source string        `yaml:"source"`
	Note   string        `yaml:"note"`
}

type bandEntry struct {
	Over  int64     `yaml:"over"` // more than so many input tokens
	From  int64     `yaml:"from"` // so many or more
	Rates rateEntry `yaml:"rates"`
}

type windowEntry struct {
	From  clockTime `yaml:"from"`
	To    clockTime `yaml:"to"`
	Days  []weekday `yaml:"days"` // empty: every day
	Rates rateEntry `yaml:"rates"`
	Note  string    `yaml:"note"`
}

type tierEntry struct {
	Tier       ServiceTier   `yaml:"tier"`
	AlsoCalled []ServiceTier `yaml:"also_called"`
	From       Date          `yaml:"from"`
	Until      Date          `yaml:"until"`
	Multiplier Multiplier    `yaml:"multiplier"`
	AppliesTo  []string      `yaml:"applies_to"` // empty: everything
	Rates      rateEntry     `yaml:"rates"`
	Bands      []bandEntry   `yaml:"bands"`
	Source     string        `yaml:"source"`
	Note       string        `yaml:"note"`
}

type hostEntry struct {
	Host       string     `yaml:"host"`
	Profile    string     `yaml:"profile"`
	Multiplier Multiplier `yaml:"multiplier"`
	Source     string     `yaml:"source"`
	Note       string     `yaml:"note"`
}

// clockTime is a time of day as HH:MM; 24:00 is the end of the day.
type clockTime time.Duration

func (c *clockTime) UnmarshalText(text []byte) error {
	if string(text) == "24:00" {
		*c = clockTime(24 * time.Hour)
		return nil
	}
	t, err := time.Parse("15:04", string(text))
	if err != nil {
		return fmt.Errorf("%q is not a time of day in UTC: want HH:MM", text)
	}
	*c = clockTime(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute)
	return nil
}

// weekday is a day of the week as mon, tue, ...
type weekday time.Weekday

func (d *weekday) UnmarshalText(text []byte) error {
	days := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	i := slices.Index(days, string(text))
	if i < 0 {
		return fmt.Errorf("%q is not a weekday: want one of %s", text, strings.Join(days, ", "))
	}
	*d = weekday(i)
	return nil
}

// loader turns files into models and collects what is wrong with them.
type loader struct {
	models    map[string]*loadedModel // by provider/id
	order     []string
	prefixes  map[string]string // prefix → provider
	resellers map[string]bool
	files     []string
	errs      []error
	undecoded map[string]bool // places whose value, or a part of it, could not be read
}

// loadedModel is a model with the text that it came from.
type loadedModel struct {
	entry    modelEntry
	doc      *strictyaml.Document
	path     string
	order    int // of the files, so that a clash is the later one's
	discount Multiplier
}

// fail notes a mistake, unless decoding has complained of the same place: a value that
// could not be read is not also a missing one.
func (l *loader) fail(doc *strictyaml.Document, path, format string, args ...any) {
	e := doc.Errorf(path, format, args...)
	if !l.undecoded[e.File+":"+path] {
		l.errs = append(l.errs, e)
	}
}

// unread takes in the mistakes of decoding.
func (l *loader) unread(err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		l.errs = append(l.errs, err)
		return
	}
	for _, err := range joined.Unwrap() {
		l.errs = append(l.errs, err)
		if e, ok := errors.AsType[*strictyaml.Error](err); ok {
			l.undecoded[e.File+":"+e.Path] = true
			if dot := strings.LastIndexByte(e.Path, '.'); dot >= 0 {
				l.undecoded[e.File+":"+e.Path[:dot]] = true
			}
		}
	}
}

// read takes in one file, on top of those before it.
func (l *loader) read(f File) {
	var file catalogueFile
	doc, err := strictyaml.Decode(f.Name, f.Data, &file)
	if err != nil {
		l.unread(err)
	}
	l.files = append(l.files, f.Name)
	if file.Provider != "" {
		l.prefix(doc, "provider", file.Provider, file.Provider)
		if file.Reseller {
			l.resellers[file.Provider] = true
		}
		for i, prefix := range file.Prefixes {
			l.prefix(doc, strictyaml.Index("prefixes", i), prefix, file.Provider)
		}
	} else if len(file.Prefixes) > 0 || file.Reseller {
		l.fail(doc, "prefixes", "prefixes and reseller need a provider at the top of the file")
	}
	// Discounts come before the models: a price that this file states is final.
	for i, rule := range file.Discounts {
		l.discount(doc, strictyaml.Index("discounts", i), rule)
	}
	for i, entry := range file.Models {
		path := strictyaml.Index("models", i)
		if entry.Provider == "" {
			entry.Provider = file.Provider
		}
		if entry.Provider == "" || entry.ID == "" {
			l.fail(doc, path, "a model needs a provider (here or at the top of the file) and an id")
			continue
		}
		l.prefix(doc, path+".provider", entry.Provider, entry.Provider)
		if strings.ContainsAny(entry.ID, " \t\n") || len(entry.ID) > maxName {
			l.fail(doc, path+".id", "an id has no spaces and at most %d characters", maxName)
		}
		ref := entry.Provider + "/" + entry.ID
		ownPrices := len(entry.Prices) > 0
		if entry.Like != "" {
			like := l.models[entry.Like]
			if like == nil {
				l.fail(doc, path+".like", "%s", l.unknown(entry.Like))
				continue
			}
			base := like.entry
			base.Aliases, base.Hosts = nil, nil // its names and its cloud hosts stay its own
			inherit(&entry, &base)
		}
		old := l.models[ref]
		switch {
		case old == nil:
			l.order = append(l.order, ref)
		case old.doc == doc:
			l.fail(doc, path+".id", "model %s is given twice", ref)
			continue
		default: // an overlay replaces what it states and keeps the rest
			inherit(&entry, &old.entry)
		}
		if len(entry.Prices) == 0 {
			l.fail(doc, path, "model %s has no prices", ref)
		}
		for _, h := range file.Hosts {
			if !slices.ContainsFunc(entry.Hosts, func(own hostEntry) bool { return own.Host == h.Host && own.Profile == h.Profile }) {
				entry.Hosts = append(slices.Clip(entry.Hosts), h)
			}
		}
		discount := Unchanged
		if old != nil && !ownPrices {
			discount = old.discount
		}
		l.models[ref] = &loadedModel{entry: entry, doc: doc, path: path, order: len(l.files), discount: discount}
	}
}

func (l *loader) discount(doc *strictyaml.Document, path string, rule discountRule) {
	if rule.Multiplier == 0 {
		l.fail(doc, path, "a discount needs a multiplier, such as 0.85 for 15%% off")
		return
	}
	if rule.Source == "" {
		l.fail(doc, path, "a discount needs a source: the contract it comes from")
	}
	if (rule.Provider == "") == (len(rule.Models) == 0) {
		l.fail(doc, path, "a discount names either a provider or models")
		return
	}
	refs := rule.Models
	if rule.Provider != "" {
		for _, ref := range l.order {
			if l.models[ref].entry.Provider == rule.Provider {
				refs = append(refs, ref)
			}
		}
		if len(refs) == 0 {
			l.fail(doc, path+".provider", "no model of provider %q is known", rule.Provider)
		}
	}
	for i, ref := range refs {
		m := l.models[ref]
		if m == nil {
			l.fail(doc, strictyaml.Index(path+".models", i), "%s", l.unknown(ref))
			continue
		}
		by, ok := m.discount.times(rule.Multiplier)
		if !ok {
			l.fail(doc, path+".multiplier", "together with an earlier discount on %s it needs more than six decimals", ref)
			continue
		}
		m.discount = by
	}
}

func (l *loader) unknown(ref string) string {
	if near := strictyaml.Nearest(ref, l.order); near != "" {
		return fmt.Sprintf("unknown model %q; did you mean %q?", ref, near)
	}
	return fmt.Sprintf("unknown model %q: write provider/id", ref)
}

// prefix takes in a name that may stand in front of a model's, for a provider.
func (l *loader) prefix(doc *strictyaml.Document, path, name, provider string) {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) {
		l.fail(doc, path, "%q: use lower-case letters, digits, - and _", name)
		return
	}
	if other, ok := l.prefixes[name]; ok && other != provider {
		l.fail(doc, path, "%q is taken: it stands for provider %s", name, other)
		return
	}
	l.prefixes[name] = provider
}

// inherit fills the fields that entry leaves out from base.
func inherit(entry, base *modelEntry) {
	to, from := reflect.ValueOf(entry).Elem(), reflect.ValueOf(base).Elem()
	for i := range to.NumField() {
		if to.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}

// build makes the models, sorted by provider and id.
func (l *loader) build() []*Model {
	models := make([]*Model, 0, len(l.order))
	for _, ref := range l.order {
		models = append(models, l.model(l.models[ref]))
	}
	sort.Slice(models, func(i, j int) bool {
		a, b := models[i], models[j]
		return a.Provider < b.Provider || a.Provider == b.Provider && a.ID < b.ID
	})
	return models
}

func (l *loader) model(lm *loadedModel) *Model {
	e, doc, path := &lm.entry, lm.doc, lm.path
	fail := func(key, format string, args ...any) { l.fail(doc, path+key, format, args...) }
	m := &Model{
		Provider: e.Provider, ID: e.ID, Name: e.Name, Aliases: e.Aliases,
		ContextWindow: e.ContextWindow, MaxInputTokens: e.MaxInputTokens, MaxOutputTokens: e.MaxOutputTokens, MinCacheableTokens: e.MinCacheableTokens,
		Released: e.Released, Deprecated: e.Deprecated, Retired: e.Retired, Successor: e.Successor,
		Tokenizer: e.Tokenizer, Note: e.Note, Sources: e.Sources, Discount: lm.discount, Fees: e.Fees,
	}
	if m.Name == "" {
		m.Name = m.ID
	}
	for i, alias := range e.Aliases {
		if alias == "" || len(alias) > maxName || strings.ContainsAny(alias, " \t\n") {
			fail(strictyaml.Index(".aliases", i), "an alias has no spaces and 1 to %d characters", maxName)
		}
	}
	for _, limit := range []struct {
		key string
		n   int64
	}{{".context_window", e.ContextWindow}, {".max_input_tokens", e.MaxInputTokens}, {".max_output_tokens", e.MaxOutputTokens}, {".min_cacheable_tokens", e.MinCacheableTokens}} {
		if limit.n < 0 {
			fail(limit.key, "a limit must not be negative; leave it out where it is unknown")
		}
	}
	if m.MaxInputTokens > m.ContextWindow {
		fail(".max_input_tokens", "%d exceeds the context window of %d tokens", m.MaxInputTokens, m.ContextWindow)
	}
	if m.MaxInputTokens == 0 {
		m.MaxInputTokens = m.ContextWindow
	}
	if m.Retired != 0 && m.Retired < m.Released {
		fail(".retired", "retired on %s, before its release on %s", m.Retired, m.Released)
	}
	for _, c := range e.Can {
		m.Capabilities.yes |= 1 << c
	}
	for i, c := range e.Cannot {
		m.Capabilities.no |= 1 << c
		if m.Capabilities.yes&(1<<c) != 0 {
			fail(strictyaml.Index(".cannot", i), "%s is in both lists", c)
		}
	}
	if m.Tokenizer != "" && !knownFamily(m.Tokenizer) {
		fail(".tokenizer", "unknown tokenizer family %q; known are %s", m.Tokenizer, strings.Join(families(), ", "))
	}
	l.periods(lm, m)
	l.tiers(lm, m)
	for name, by := range e.Regions {
		if name != strings.ToLower(name) || name == "" || name == "global" {
			fail(strictyaml.Key(".regions", name), "a region is lower-case, and not global: the plain rates are global")
		}
		if by == 0 {
			continue // decoding has complained
		}
		m.Regions = append(m.Regions, RegionPrice{Region: name, By: by})
	}
	sort.Slice(m.Regions, func(i, j int) bool { return m.Regions[i].Region < m.Regions[j].Region })
	for i, h := range e.Hosts {
		key := strictyaml.Index(".hosts", i)
		switch {
		case !slices.Contains([]string{"bedrock", "vertex", "azure"}, h.Host):
			fail(key, "a host is bedrock, vertex or azure, not %q", h.Host)
		case !slices.Contains([]string{"", "geo", "global", "regional"}, h.Profile):
			fail(key+".profile", "a profile is geo, global or regional, or left out; not %q", h.Profile)
		case h.Multiplier == 0:
			fail(key, "a host needs a multiplier; 1 if it sells at the provider's price")
		case h.Source == "":
			fail(key, "a host's price needs a source")
		case m.host(h.Host, h.Profile) != nil:
			fail(key, "host %s with this profile is given twice", h.Host)
		default:
			m.Hosts = append(m.Hosts, HostPrice{Host: h.Host, Profile: h.Profile, By: h.Multiplier, Source: h.Source, Note: h.Note})
		}
	}
	l.exact(lm, m)
	return m
}

func (l *loader) periods(lm *loadedModel, m *Model) {
	for i, e := range lm.entry.Prices {
		path := strictyaml.Index(lm.path+".prices", i)
		p := Period{From: e.From, Until: e.Until, Source: e.Source, Note: e.Note, Rates: l.rates(lm, path, e.Rates)}
		if e.Source == "" {
			l.fail(lm.doc, path, "a price needs a source")
		}
		if e.Until != 0 && e.From >= e.Until {
			l.fail(lm.doc, path+".until", "until %s is not after from %s", e.Until, e.From)
		}
		if i > 0 {
			switch before := lm.entry.Prices[i-1].Until; {
			case before == 0 || e.From == 0 || e.From < before:
				l.fail(lm.doc, path, "overlaps with the price before it: that one needs an until, this one a from that is not earlier")
			case e.From > before:
				l.fail(lm.doc, path+".from", "no price holds from %s until %s", before, e.From)
			}
		}
		p.Bands = l.bands(lm, path, e.Bands)
		if len(e.Bands) > 0 && len(e.Hours) > 0 {
			l.fail(lm.doc, path, "a price has bands or hours, not both")
		}
		for j, w := range e.Hours {
			key := strictyaml.Index(path+".hours", j)
			window := Window{From: time.Duration(w.From), To: time.Duration(w.To), Days: 0b1111111, Rates: l.rates(lm, key, w.Rates)}
			if window.From >= window.To {
				l.fail(lm.doc, key, "from must be before to; split a window that crosses midnight")
			}
			if len(w.Days) > 0 {
				window.Days = 0
			}
			for _, d := range w.Days {
				window.Days |= 1 << d
			}
			p.Hours = append(p.Hours, window)
		}
		m.Periods = append(m.Periods, p)
	}
}

func (l *loader) bands(lm *loadedModel, path string, entries []bandEntry) []Band {
	var bands []Band
	for i, e := range entries {
		key := strictyaml.Index(path+".bands", i)
		over := e.Over
		if e.From > 0 {
			over = e.From - 1
		}
		if over <= 0 || e.Over != 0 && e.From != 0 {
			l.fail(lm.doc, key, "a band needs over (more than so many input tokens) or from (so many or more), a positive number")
		} else if i > 0 && over <= bands[i-1].Over {
			l.fail(lm.doc, key, "bands go from the lowest threshold to the highest")
		}
		bands = append(bands, Band{Over: over, Rates: l.rates(lm, key, e.Rates)})
	}
	return bands
}

func (l *loader) tiers(lm *loadedModel, m *Model) {
	for i, e := range lm.entry.Tiers {
		path := strictyaml.Index(lm.path+".service_tiers", i)
		t := TierPrice{Tier: e.Tier, From: e.From, Until: e.Until, By: e.Multiplier, Source: e.Source, Note: e.Note}
		if e.Tier == Standard {
			l.fail(lm.doc, path, "a service tier needs the name of one other than standard: its price is the model's")
		}
		if e.Source == "" {
			l.fail(lm.doc, path, "a service tier needs a source")
		}
		if (e.Multiplier == 0) == (e.Rates == nil) {
			l.fail(lm.doc, path, "a service tier has either a multiplier or rates")
		}
		if e.Until != 0 && e.From >= e.Until {
			l.fail(lm.doc, path+".until", "until %s is not after from %s", e.Until, e.From)
		}
		if e.Rates != nil {
			t.Rates = l.rates(lm, path, e.Rates)
			t.Bands = l.bands(lm, path, e.Bands)
			for _, p := range m.Periods {
				overlap := (t.Until == 0 || p.From < t.Until) && (p.Until == 0 || t.From < p.Until)
				if overlap && !slices.EqualFunc(p.Bands, t.Bands, func(a, b Band) bool { return a.Over == b.Over }) {
					l.fail(lm.doc, path, "its bands must have the thresholds of the model's prices, or a long request would be priced as a short one")
					break
				}
			}
		} else if len(e.Bands) > 0 {
			l.fail(lm.doc, path+".bands", "a multiplier scales the model's own bands: leave them out")
		}
		t.Scales = l.scales(lm, path, e.AppliesTo)
		for _, name := range append([]ServiceTier{e.Tier}, e.AlsoCalled...) {
			t.Tier = name
			for _, other := range m.Tiers {
				if other.Tier == name && (other.Until == 0 || t.From < other.Until) && (t.Until == 0 || other.From < t.Until) {
					l.fail(lm.doc, path, "service tier %s is given twice for the same days", name)
				}
			}
			m.Tiers = append(m.Tiers, t)
		}
	}
}

// scales gives the kinds that a multiplier applies to. Input stands for text, audio
// and images that are not cached, cache_read and cache_write for whatever is.
func (l *loader) scales(lm *loadedModel, path string, names []string) uint16 {
	groups := map[string]uint16{
		"input":       1<<KindInput | 1<<KindInputAudio | 1<<KindInputImage,
		"cache_read":  1<<KindCacheRead | 1<<KindCacheReadAudio,
		"cache_write": 1 << KindCacheWrite,
		"output":      1<<KindOutput | 1<<KindReasoning | 1<<KindOutputAudio | 1<<KindOutputImage,
	}
	if len(names) == 0 {
		return 1<<numKinds - 1
	}
	var kinds uint16
	for i, name := range names {
		group, ok := groups[name]
		if !ok {
			l.fail(lm.doc, strictyaml.Index(path+".applies_to", i), "applies to input, output, cache_read or cache_write, not %q", name)
		}
		kinds |= group
	}
	return kinds
}

// rates reads a price list and applies the discount.
func (l *loader) rates(lm *loadedModel, path string, entry rateEntry) Rates {
	var r Rates
	path += ".rates"
	for _, needed := range []string{"input", "output"} {
		if _, ok := entry[needed]; !ok {
			l.fail(lm.doc, path, "rates need input and output")
			break
		}
	}
	for name, rate := range entry {
		scaled, ok := rate.scale(lm.discount)
		if !ok {
			l.fail(lm.doc, strictyaml.Key(path, name), "with the discount of %s it needs more than twelve decimals", lm.discount)
		}
		if after, ok := strings.CutPrefix(name, "cache_write_"); ok {
			ttl, err := time.ParseDuration(after)
			if err != nil || ttl <= 0 {
				l.fail(lm.doc, strictyaml.Key(path, name), "%q is not a lifetime such as 5m or 1h", after)
			}
			r.writes = append(r.writes, WriteRate{TTL: ttl, Rate: scaled})
			continue
		}
		kind := Kind(slices.Index(kindNames[:], name))
		if kind >= numKinds {
			l.fail(lm.doc, strictyaml.Key(path, name), "unknown kind of token; known are %s and cache_write_<lifetime>", strings.Join(kindNames[:], ", "))
			continue
		}
		r.rates[kind] = scaled
		r.stated |= 1 << kind
	}
	if len(r.writes) > 0 && r.stated&(1<<KindCacheWrite) != 0 {
		l.fail(lm.doc, path, "cache_write and cache_write_<lifetime> exclude each other: give the default lifetime its name")
	}
	slices.SortFunc(r.writes, func(a, b WriteRate) int { return int(min(max(a.TTL-b.TTL, -1), 1)) })
	return r
}

// exact makes sure that every product of multipliers that a call can meet is exact.
func (l *loader) exact(lm *loadedModel, m *Model) {
	offers := []Offer{m.Offer()}
	for _, h := range m.Hosts {
		offers = append(offers, Offer{Model: m, Host: h.Host, Profile: h.Profile, by: h.By})
	}
	var places []Multiplier
	for _, o := range offers {
		places = append(places, o.by)
		if o.pinned() {
			continue
		}
		for _, r := range m.Regions {
			by, ok := o.by.times(r.By)
			if !ok {
				l.fail(lm.doc, lm.path+".regions", "multiplier %s times %s needs more than six decimals", r.By, o.by)
				continue
			}
			places = append(places, by)
		}
	}
	for _, t := range m.Tiers {
		for _, by := range places {
			if _, ok := by.times(t.By); !ok {
				l.fail(lm.doc, lm.path+".service_tiers", "multiplier %s times %s needs more than six decimals", t.By, by)
				return
			}
		}
	}
}

// host gives the price at a cloud host, nil if there is none.
func (m *Model) host(host, profile string) *HostPrice {
	for i := range m.Hosts {
		if h := &m.Hosts[i]; h.Host == host && h.Profile == profile {
			return h
		}
	}
	return nil
}

// all joins what was found wrong, in the order of files and lines.
func (l *loader) all() error {
	place := func(err error) (file, line int) {
		if e, ok := errors.AsType[*strictyaml.Error](err); ok {
			return slices.Index(l.files, e.File), e.Line
		}
		return 0, 0
	}
	slices.SortStableFunc(l.errs, func(a, b error) int {
		fileA, lineA := place(a)
		fileB, lineB := place(b)
		return cmp.Or(cmp.Compare(fileA, fileB), cmp.Compare(lineA, lineB), cmp.Compare(a.Error(), b.Error()))
	})
	return errors.Join(l.errs...)
}
