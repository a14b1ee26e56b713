package pricing

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestResolveCatalogueNames goes through every name that the sources of the
// catalogue give for its models, with the multiplier that it sells at.
func TestResolveCatalogueNames(t *testing.T) {
	data, err := os.ReadFile("testdata/names.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n") {
		fields := strings.Split(line, "\t")
		name, ref, multiplier := fields[0], fields[1], fields[2]
		for _, name := range []string{name, strings.ToUpper(name), " " + name + " "} {
			offer, err := Default().Resolve(name)
			if err != nil {
				t.Errorf("%q: %v, want %s", name, err, ref)
				continue
			}
			if offer.Model.Ref() != ref || offer.by.String() != multiplier {
				t.Errorf("%q is %s × %s, want %s × %s", name, offer.Model.Ref(), offer.by, ref, multiplier)
			}
		}
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct{ name, ref, host, profile, by string }{
		{"claude-opus-5", "anthropic/claude-opus-5", "", "", "1"},
		{"anthropic/claude-opus-4.8", "anthropic/claude-opus-4-8", "", "", "1"},
		{"claude-opus-4-8-20260528", "anthropic/claude-opus-4-8", "", "", "1"},
		{"claude-opus-5-latest", "anthropic/claude-opus-5", "", "", "1"},
		{"claude-haiku-4-5@20251001", "anthropic/claude-haiku-4-5", "", "", "1"},
		{"vertex_ai/claude-opus-5@default", "anthropic/claude-opus-5", "vertex", "", "1"},
		{"projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-5", "anthropic/claude-opus-5", "vertex", "", "1"},
		{"anthropic.claude-opus-5", "anthropic/claude-opus-5", "bedrock", "", "1.1"},
		{"us.anthropic.claude-opus-4-8-v1:0", "anthropic/claude-opus-4-8", "bedrock", "geo", "1.1"},
		{"global.anthropic.claude-opus-4-8-v1", "anthropic/claude-opus-4-8", "bedrock", "global", "1"},
		{"bedrock/eu-west-1/anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic/claude-haiku-4-5", "bedrock", "", "1.1"},
		{"bedrock/converse/us.anthropic.claude-3-haiku-20240307-v1:0", "anthropic/claude-3-haiku-20240307", "bedrock", "geo", "1"},
		{"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-5", "anthropic/claude-opus-5", "bedrock", "geo", "1.1"},
		{"bedrock/us.amazon.nova-pro-v1:0", "amazon/nova-pro", "bedrock", "geo", "1"},
		{"azure/gpt-5.6", "azure/gpt-5.6-sol", "", "", "1"},
		{"azure/us/gpt-5.6-sol", "azure/gpt-5.6-sol", "azure", "regional", "1.1"},
		{"azure/eu/gpt-5.6-luna", "openai/gpt-5.6-luna", "azure", "regional", "1.1"},
		{"azure/gpt-5-2025-08-07", "openai/gpt-5", "azure", "", "1"},
		{"azure/global/gpt-4o", "openai/gpt-4o", "azure", "", "1"},
		{"gpt-5.6", "openai/gpt-5.6-sol", "", "", "1"},
		{"openai/gpt-5-2025-08-07", "openai/gpt-5", "", "", "1"},
		{"gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13", "", "", "1"},
		{"models/gemini-2.5-pro", "google/gemini-2.5-pro", "", "", "1"},
		{"xai/grok-4.7", "x-ai/grok-4.7", "", "", "1"},
		{"groq/openai/gpt-oss-120b", "groq/gpt-oss-120b", "", "", "1"},
		{"GLM-5.3", "zai/glm-5.3", "", "", "1"},
	} {
		offer, err := Default().Resolve(c.name)
		if err != nil {
			t.Errorf("%q: %v", c.name, err)
			continue
		}
		if got := offer.Model.Ref(); got != c.ref || offer.Host != c.host || offer.Profile != c.profile || offer.by.String() != c.by {
			t.Errorf("%q is %s at %q %q × %s, want %s at %q %q × %s", c.name, got, offer.Host, offer.Profile, offer.by, c.ref, c.host, c.profile, c.by)
		}
	}
}

func TestResolveUnknown(t *testing.T) {
	for _, c := range []struct{ name, nearest string }{
		{"", ""},
		{"gpt-9-turbo", ""},
		{"claude-opus-55", "claude-opus-5-5"},
		{"claud-opus-5", "claude-opus-5"},
		{"acme/gpt-5", ""},
		{"google/claude-opus-5", ""},         // not its provider
		{"claude-opus-5-20261399", ""},       // not a date
		{"azure/us/gpt-6.2-sol", ""},         // not known to be sold there
		{"bedrock/gpt-6.2-sol", ""},          // nor there
		{"gpt-oss-120b", ""},                 // whose? groq/gpt-oss-120b
		{"anthropic.claude-opus-5@\xff", ""}, // not even text
		{strings.Repeat("a/", 500), ""},
	} {
		_, err := Default().Resolve(c.name)
		var unknown *UnknownModelError
		if !errors.As(err, &unknown) {
			t.Errorf("%q: %v, want an UnknownModelError", c.name, err)
			continue
		}
		if c.nearest != "" && unknown.Nearest != c.nearest {
			t.Errorf("%q: nearest is %q, want %q", c.name, unknown.Nearest, c.nearest)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, name := range []string{"claude-opus-5", "us.anthropic.claude-opus-4-8-v1:0", "azure/us/gpt-5.6", "bedrock/eu-west-1/x.y", "a@b", "-latest", "//", "models/"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		offer, err := Default().Resolve(name)
		if err != nil {
			if _, ok := errors.AsType[*UnknownModelError](err); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		if offer.Model == nil || offer.by <= 0 {
			t.Fatalf("%q resolves to nothing", name)
		}
	})
}
