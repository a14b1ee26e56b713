package pricing

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/adjutant-dev/adjutant/internal/strictyaml"
)

// Offer is a model as sold under a name: by its provider, or by a cloud host whose
// price may differ.
type Offer struct {
	Model   *Model
	Host    string     // bedrock, vertex or azure; "" for the provider itself
	Profile string     // geo, global or regional, where the name has one
	by      Multiplier // of the host
}

// Offer gives the model as its provider sells it.
func (m *Model) Offer() Offer { return Offer{Model: m, by: Unchanged} }

// pinned reports whether the name says its region itself, at that region's price.
func (o Offer) pinned() bool { return o.Host == "bedrock" || o.Profile != "" }

// UnknownModelError says that no model has the name.
type UnknownModelError struct {
	Name    string
	Nearest string // the name that was most likely meant; "" if none is near
}

// Error quotes the name and the nearest one.
func (e *UnknownModelError) Error() string {
	name := e.Name
	if len(name) > maxName {
		name = name[:maxName] + "..."
	}
	if e.Nearest == "" {
		return fmt.Sprintf("unknown model %q", name)
	}
	return fmt.Sprintf("unknown model %q; did you mean %q?", name, e.Nearest)
}

// maxName bounds the length of a model's name in bytes.
const maxName = 200

// names finds models by name. All keys are lower case.
type names struct {
	exact    map[string]*Model // as written in the catalogue
	loose    map[string]*Model // with 4.5 written 4-5; nil where two models share the form
	prefixes map[string]string // openai, xai, ... → provider
	listed   []string          // to suggest
	bare     map[string]string // a listed name without its punctuation → the name
}

// names builds the index. A name that a maker and a reseller share is the maker's;
// the reseller's needs the provider in front.
func (l *loader) names(models []*Model) names {
	n := names{exact: map[string]*Model{}, loose: map[string]*Model{}, prefixes: l.prefixes, bare: map[string]string{}}
	before := map[string][]string{} // provider → what may stand in front of its names
	for prefix, provider := range l.prefixes {
		before[provider] = append(before[provider], prefix)
	}
	add := func(name string, m *Model, suggest bool) {
		name = strings.ToLower(name)
		if other := n.exact[name]; other != nil && other != m {
			later, taken := l.models[m.Ref()], other
			if before := l.models[other.Ref()]; before.order > later.order {
				later, taken = before, m
			}
			l.fail(later.doc, later.path, "the name %q is taken by model %s", name, taken.Ref())
			return
		}
		if n.exact[name] == nil && suggest {
			n.listed = append(n.listed, name)
			n.bare[unpunctuated.Replace(name)] = name
		}
		n.exact[name] = m
		form := dashed(name)
		if other, ok := n.loose[form]; ok && other != m {
			n.loose[form] = nil
		} else {
			n.loose[form] = m
		}
	}
	for _, m := range models {
		add(m.Ref(), m, true)
		for _, prefix := range before[m.Provider] {
			add(prefix+"/"+m.ID, m, false)
		}
		if !l.resellers[m.Provider] {
			add(m.ID, m, true)
		}
		for _, alias := range m.Aliases {
			add(alias, m, true)
			if !strings.Contains(alias, "/") {
				for _, prefix := range before[m.Provider] {
					add(prefix+"/"+alias, m, false)
				}
			}
		}
	}
	return n
}

// Resolve finds the model that a name means, whatever the case: an id, provider/id,
// an alias, an id with a date or with -latest, 4.5 for 4-5, or a cloud host's name
// for it, such as us.anthropic.claude-opus-5 or claude-opus-4-1@20250805. A name
// that means none is an [*UnknownModelError].
func (c *Catalogue) Resolve(name string) (Offer, error) {
	s := strings.ToLower(strings.TrimSpace(name))
	if m := c.exact[s]; m != nil {
		return m.Offer(), nil
	}
	if len(s) <= maxName {
		if o, ok := c.parse(s); ok {
			return o, nil
		}
	}
	return Offer{}, &UnknownModelError{Name: strings.ToValidUTF8(name, "?"), Nearest: c.nearest(s)}
}

// nearest gives the listed name that s most likely means: one that differs in its
// punctuation only, or else in a few letters.
func (c *Catalogue) nearest(s string) string {
	if len(s) > maxName {
		return ""
	}
	if name, ok := c.bare[unpunctuated.Replace(s)]; ok {
		return name
	}
	return strictyaml.Nearest(s, c.listed)
}

var unpunctuated = strings.NewReplacer("-", "", ".", "", "_", "", " ", "")

var (
	bedrockARN    = regexp.MustCompile(`^arn:aws[a-z-]*:bedrock:[^/]*/`)
	bedrockName   = regexp.MustCompile(`^(?:(us|eu|apac|jp|au|global)\.)?([a-z0-9-]+)\.(.+)$`)
	bedrockSuffix = regexp.MustCompile(`(?:-v\d+)?(?::\d+[a-z]*)*$`)
	awsRegion     = regexp.MustCompile(`^[a-z]{2}(?:-[a-z]+)+-\d$`)
	vertexPath    = regexp.MustCompile(`^(?:.*/)?publishers/[^/]+/models/`)
	dateSuffix    = regexp.MustCompile(`-(\d{4})-?(\d\d)-?(\d\d)$`)
)

// dashed writes versions one way: claude-opus-4.5 as claude-opus-4-5.
func dashed(name string) string {
	digit := func(i int) bool { return i < len(name) && name[i] >= '0' && name[i] <= '9' }
	for i := 1; i < len(name); i++ {
		if name[i] == '.' && digit(i-1) && digit(i+1) {
			name = name[:i] + "-" + name[i+1:]
		}
	}
	return name
}

// parse takes a name apart from the left: host, provider, profile, model.
func (c *Catalogue) parse(s string) (Offer, bool) {
	var host, profile, provider string
	if arn := bedrockARN.FindString(s); arn != "" {
		host, s = "bedrock", s[len(arn):]
	} else if p := vertexPath.FindString(s); p != "" {
		host, s = "vertex", s[len(p):]
	}
	for {
		if m := c.find(provider, s); m != nil {
			return m.at(host, profile)
		}
		first, rest, ok := strings.Cut(s, "/")
		if !ok {
			break
		}
		switch {
		case host == "" && (first == "bedrock" || first == "bedrock_converse" || first == "bedrock_mantle" || first == "amazon_bedrock" || first == "amazon-bedrock"):
			host = "bedrock"
		case host == "" && (first == "vertex_ai" || first == "vertex" || first == "google-vertex"):
			host = "vertex"
		case host == "" && (first == "azure" || first == "azure_ai"):
			host = "azure"
			if m := c.find("azure", rest); m != nil {
				return m.Offer(), true
			}
		case host == "azure" && profile == "" && (first == "us" || first == "eu"):
			profile = "regional"
			if m := c.find("azure", rest); m != nil {
				return m.at(host, profile)
			}
		case host == "azure" && (first == "global" || first == "global-standard"):
		case host == "bedrock" && (first == "converse" || first == "invoke" || awsRegion.MatchString(first)):
		case provider == "" && c.prefixes[first] != "":
			provider = c.prefixes[first]
		case provider != "" && c.prefixes[first] != "": // groq/openai/gpt-oss-120b
		default:
			return Offer{}, false
		}
		s = rest
	}
	if host != "" && host != "bedrock" {
		return Offer{}, false
	}
	if m := bedrockName.FindStringSubmatch(s); m != nil && c.prefixes[m[2]] != "" {
		switch m[1] {
		case "":
		case "global":
			profile = "global"
		default:
			profile = "geo"
		}
		if model := c.find(c.prefixes[m[2]], bedrockSuffix.ReplaceAllString(m[3], "")); model != nil {
			return model.at("bedrock", profile)
		}
	}
	return Offer{}, false
}

// find looks a name without hosts up; provider may be "".
func (c *Catalogue) find(provider, s string) *Model {
	look := func(s string) *Model {
		if provider != "" {
			if m := c.exact[s]; m != nil && m.Provider == provider { // an alias with a slash
				return m
			}
			s = provider + "/" + s
		}
		if m := c.exact[s]; m != nil {
			return m
		}
		return c.loose[dashed(s)]
	}
	if m := look(s); m != nil {
		return m
	}
	if id, version, ok := strings.Cut(s, "@"); ok {
		if version != "default" && version != "latest" {
			id += "-" + version
		}
		s = id
	}
	s = strings.TrimSuffix(s, "-latest")
	if m := look(s); m != nil {
		return m
	}
	if d := dateSuffix.FindStringSubmatch(s); d != nil {
		if _, err := time.Parse("20060102", d[1]+d[2]+d[3]); err == nil {
			return look(strings.TrimSuffix(s, d[0]))
		}
	}
	return nil
}

// at gives the offer of a cloud host; ok is false if it is not known to have one.
func (m *Model) at(host, profile string) (Offer, bool) {
	if host == "" {
		return m.Offer(), true
	}
	h := m.host(host, profile)
	if h == nil {
		return Offer{}, false
	}
	return Offer{Model: m, Host: host, Profile: profile, by: h.By}, true
}
