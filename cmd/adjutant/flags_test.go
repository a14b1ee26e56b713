package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// TestFlagsFillRequests shows each flag and the field that it sets.
func TestFlagsFillRequests(t *testing.T) {
	tests := []struct {
		args string
		want string // a RouteRequest
	}{
		{``, `{"task": {}}`},
		{`--material-tokens 13_333 --items 20`, `{"task": {"material": {"inputTokens": 13333, "itemCount": 20}}}`},
		{`--stage design --expected-output 800`, `{"task": {"stage": "STAGE_DESIGN", "expectedOutputTokens": 800}}`},
		{`--capability vision,audio-input --capability TOOLS`, `{"task": {"requiredCapabilities": ["CAPABILITY_VISION", "CAPABILITY_AUDIO_INPUT", "CAPABILITY_TOOLS"]}}`},
		{`--label team=billing --label a=b=c`, `{"task": {"labels": {"team": "billing", "a": "b=c"}}}`},
		{`--policy attended --plan two-step --service-tier batch --region us`, `{"task": {}, "policy": "attended", "planMode": "PLAN_MODE_TWO_STEP", "serviceTier": "SERVICE_TIER_BATCH", "region": "us"}`},
		{`--as-of 2025-08-15`, `{"task": {}, "asOf": "2025-08-15T00:00:00Z"}`},
		{`--as-of 2025-08-15T12:30:00+02:00`, `{"task": {}, "asOf": "2025-08-15T10:30:00Z"}`},
		{`--max-cost $0.05 --min-tier making --max-tier TIER_JUDGMENT`, `{"task": {}, "constraints": {"maxCost": {"currencyCode": "USD", "nanos": 50000000}, "minTier": "TIER_MAKING", "maxTier": "TIER_JUDGMENT"}}`},
		{`--provider anthropic --provider openai,google --deny a,b --min-context 200000 --max-latency 1.5s`, `{"task": {}, "constraints": {"allowedProviders": ["anthropic", "openai", "google"], "deniedModels": ["a", "b"], "minContextTokens": 200000, "maxLatency": "1.5s"}}`},
		{`--current-model m --cached-tokens 5000 --cache-age 3m`, `{"task": {}, "session": {"currentModel": "m", "cachedInputTokens": 5000, "cacheAge": "180s"}}`},
		{`--attempt m=failed --attempt p/m=stalled:90s`, `{"task": {}, "session": {"attempts": [{"model": "m", "outcome": "OUTCOME_FAILED"}, {"model": "p/m", "outcome": "OUTCOME_STALLED", "elapsed": "90s"}]}}`},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			got, want := &adjutantv1.RouteRequest{Task: &adjutantv1.Task{}}, &adjutantv1.RouteRequest{}
			f := newFlags()
			taskFlags(f, got.Task)
			routeFlags(f, got)
			if positional, err := f.parse(strings.Fields(test.args)); err != nil || len(positional) > 0 {
				t.Fatalf("parse = %q, %v", positional, err)
			}
			if err := protojson.Unmarshal([]byte(test.want), want); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", protojson.Format(got), protojson.Format(want))
			}
		})
	}
}

func TestUsageFlags(t *testing.T) {
	got, want := &adjutantv1.Usage{}, &adjutantv1.Usage{}
	f := newFlags()
	usageFlags(f, got)
	args := `--input-tokens 1 --output-tokens 2 --cache-read-tokens 3 --cache-write-tokens 4 --cache-write 1h=5 --cache-write 5m=6 --reasoning-tokens 7
		--input-audio-tokens 8 --output-audio-tokens 9 --cache-read-audio-tokens 10 --input-image-tokens 11 --output-image-tokens 12`
	if _, err := f.parse(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	err := protojson.Unmarshal([]byte(`{"inputTokens": 1, "outputTokens": 2, "cacheReadTokens": 3, "cacheWriteTokens": 4,
		"cacheWrites": [{"ttl": "3600s", "tokens": 5}, {"ttl": "300s", "tokens": 6}], "reasoningTokens": 7, "inputAudioTokens": 8,
		"outputAudioTokens": 9, "cacheReadAudioTokens": 10, "inputImageTokens": 11, "outputImageTokens": 12}`), want)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("got %s, want %s", protojson.Format(got), protojson.Format(want))
	}
}

// TestFlagsAfterArguments shows that order is the user's choice and that what
// follows -- is never a flag.
func TestFlagsAfterArguments(t *testing.T) {
	tests := []struct {
		args       []string
		positional string
		json       bool
	}{
		{[]string{"task", "--json"}, "task", true},
		{[]string{"--json", "task"}, "task", true},
		{[]string{"a", "-json", "b"}, "a|b", true},
		{[]string{"--", "--json"}, "--json", false},
		{[]string{"a", "--", "--json", "-x"}, "a|--json|-x", false},
		{[]string{"-", "--json"}, "-", true},
		{nil, "", false},
	}
	for _, test := range tests {
		f := newFlags()
		json := f.Bool("json", false, "")
		got, err := f.parse(test.args)
		if err != nil || strings.Join(got, "|") != test.positional || *json != test.json {
			t.Errorf("parse(%q) = %q, %v with json %t; want %q with json %t", test.args, got, err, *json, test.positional, test.json)
		}
	}
}

func TestFlagMistakes(t *testing.T) {
	tests := []struct{ args, want string }{
		{"--materials 1", `no flag --materials`},
		{"--polcy x", `no flag --polcy; did you mean --policy?`},
		{"--policy", `--policy needs a value`},
		{"--items many", `--items "many": not a whole number`},
		{"--max-cost cheap", `--max-cost "cheap": not an amount in dollars, such as 0.05`},
		{"--min-tier top", `--min-tier "top": use one of repetition, making, judgment`},
		{"--min-tier unspecified", `--min-tier "unspecified": use one of repetition, making, judgment`},
		{"--plan no", `--plan "no": use one of single-step, allow, two-step`},
		{"--as-of yesterday", `--as-of "yesterday": not a time: write 2026-01-31 or 2026-01-31T12:00:00Z`},
		{"--max-latency 5", `--max-latency "5": not a duration, such as 800ms, 30s or 1h`},
		{"--label team", `--label "team": write it as KEY=VALUE`},
		{"--label a=b --label a=c", `--label "a=c": this label is already set`},
		{"--attempt m", `--attempt "m": write it as MODEL=OUTCOME or MODEL=OUTCOME:ELAPSED, such as claude-haiku-5-5=stalled:90s`},
		{"--attempt m=bad", `--attempt "m=bad": use one of succeeded, failed, stalled, refused, unavailable`},
		{"--json=perhaps", `--json "perhaps": write true or false`},
	}
	for _, test := range tests {
		f := newFlags()
		request := &adjutantv1.RouteRequest{Task: &adjutantv1.Task{}}
		taskFlags(f, request.Task)
		routeFlags(f, request)
		f.Bool("json", false, "")
		if _, err := f.parse(strings.Fields(test.args)); err == nil || err.Error() != test.want {
			t.Errorf("parse(%s): %v\nwant: %s", test.args, err, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("--items 3 task --attempt a=b:c")
	f.Fuzz(func(t *testing.T, line string) {
		set := newFlags()
		request := &adjutantv1.RouteRequest{Task: &adjutantv1.Task{}}
		taskFlags(set, request.Task)
		routeFlags(set, request)
		usageFlags(set, &adjutantv1.Usage{})
		_, _ = set.parse(strings.Fields(line)) // it must not panic or hang
	})
}
