package flags

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// What flagd's own evaluator says of the same flags in the same contexts is kept in testdata, with the
// name and version of the library that said it. Left out is where that library and flagd itself differ
// (a text outside of ASCII is hashed by its UTF-8 in flagd; a first argument of fractional that is
// null; shared rules in shared rules) and where it differs from jsonlogic.com (all of nothing is
// false, "" is missing).
func TestAgreesWithFlagd(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/flagd.json")
	if err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Definition profile.Data
		Cases      []struct {
			Context map[string]any
			Expect  map[string][3]string // reason, error code, variant
		}
	}
	if err := json.Unmarshal(src, &kept); err != nil {
		t.Fatal(err)
	}
	set, err := Parse(kept.Definition)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, c := range kept.Cases {
		for key, want := range c.Expect {
			got := set.Evaluate(key, c.Context, noon)
			if got.ErrorCode != "" {
				got.Reason, got.Variant = "ERROR", ""
			}
			if [3]string{got.Reason, got.ErrorCode, got.Variant} != want {
				t.Errorf("%s in %v: %s %s %q (%s), flagd says %q", key, c.Context, got.Reason, got.ErrorCode, got.Variant, got.Details, want)
			}
			compared++
		}
	}
	if compared < 3000 {
		t.Errorf("only %d evaluations compared", compared)
	}
}

func parsed(t *testing.T, definition string) Set {
	t.Helper()
	data, err := profile.DecodeData([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	set, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestParse(t *testing.T) {
	t.Parallel()
	if _, err := Parse(profile.Data{"timeout": "30s"}); err != ErrNone { //nolint:errorlint // it is returned as it is
		t.Errorf("data without flags: %v", err)
	}
	set := parsed(t, `{"flags": {
		"good": {"state": "ENABLED", "variants": {"on": 1.50}, "defaultVariant": "on", "metadata": {"a": "own"}},
		"off": {"state": "DISABLED", "variants": {}},
		"list": [],
		"state": {"state": "on", "variants": {}},
		"default": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "off"},
		"ref": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"if": [{"$ref": "none"}, "on"]}},
		"loop": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"$ref": "self"}}
	}, "metadata": {"a": "set", "b": true}, "$evaluators": {"self": {"!": {"$ref": "self"}}}}`)
	if got, want := strings.Join(set.Keys(), " "), "default good list loop ref state"; got != want {
		t.Errorf("keys %q, want %q", got, want)
	}
	good := set.Evaluate("good", nil, noon)
	if good.Value != json.Number("1.50") || good.Metadata["a"] != "own" || good.Metadata["b"] != true {
		t.Errorf("a good flag beside broken ones: %+v", good)
	}
	for key, says := range map[string]string{
		"list": "no object", "state": "ENABLED nor DISABLED", "default": `"off" is none of its variants`,
		"ref": `$ref "none", which is not in $evaluators`, "loop": `$ref "self" in itself`,
	} {
		e := set.Evaluate(key, nil, noon)
		if e.ErrorCode != ParseError || !strings.Contains(e.Details, says) {
			t.Errorf("%s: %s %q, want %q", key, e.ErrorCode, e.Details, says)
		}
	}
}

func TestTimeAndContext(t *testing.T) {
	t.Parallel()
	set := parsed(t, `{"flags": {"later": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
		"targeting": {"if": [{">=": [{"var": "$flagd.timestamp"}, 1767355200]}, "on"]}}}}`)
	context := map[string]any{"$flagd": "from outside"}
	if e := set.Evaluate("later", context, noon); e.Variant != "on" {
		t.Errorf("at the time: %+v", e)
	}
	if e := set.Evaluate("later", context, noon.Add(-time.Second)); e.Variant != "off" || e.Reason != Default {
		t.Errorf("before it: %+v", e)
	}
	if context["$flagd"] != "from outside" {
		t.Error("the caller's context was changed")
	}
}

// A rule that goes over a caller's lists in lists, or doubles a text at each step, ends.
func TestRuleIsBounded(t *testing.T) {
	t.Parallel()
	set := parsed(t, `{"flags": {
		"cubic": {"state": "ENABLED", "variants": {"on": true}, "targeting":
			{"map": [{"var": "list"}, {"map": [{"merge": [1, 2]}, {"all": [[1, 2, 3], true]}]}]}},
		"doubling": {"state": "ENABLED", "variants": {"on": true}, "targeting":
			{"reduce": [{"var": "list"}, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "xx"]}}
	}}`)
	context := map[string]any{"list": slices.Repeat([]any{1.0}, 30_000)}
	for _, key := range set.Keys() {
		if e := set.Evaluate(key, context, noon); e.ErrorCode != General || !strings.Contains(e.Details, "too many steps") {
			t.Errorf("%s: %s %s", key, e.ErrorCode, e.Details)
		}
	}
}

// The published vectors of MurmurHash3, x86, 32 bits, seed 0, and some of each length of a tail, over the
// bytes of UTF-8.
func TestMurmur(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]uint32{
		"": 0, "test": 0xba6bd213, "Hello, world!": 0xc0363e43, "The quick brown fox jumps over the lazy dog": 0x2e4ff723,
		"ab": 0x9bbfd75f, "zoë ☕": 0x48c35df0, "new-cartzoë": 0x4592e5a6, "Straße 7": 0x54892799,
	} {
		if got := murmur3(key); got != want {
			t.Errorf("murmur3(%q) = %#x, want %#x", key, got, want)
		}
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add(`{"if":[{"==":[{"var":"a"},1]},"on"]}`, `{"a":1,"targetingKey":"x"}`)
	f.Add(`{"fractional":[["on",1],["off",-2]]}`, `{}`)
	f.Add(`{"substr":["jsonlogic",4,-2]}`, `[]`)
	f.Fuzz(func(t *testing.T, rule, context string) {
		definition, err := profile.DecodeData([]byte(`{"flags":{"f":{"state":"ENABLED","variants":{"on":1},"targeting":` + rule + `}}}`))
		if err != nil {
			return
		}
		var seen map[string]any
		if json.Unmarshal([]byte(context), &seen) != nil {
			return
		}
		set, err := Parse(definition)
		if err != nil {
			t.Fatal(err)
		}
		one, other := set.Evaluate("f", seen, noon), set.Evaluate("f", seen, noon)
		if one.Variant != other.Variant || one.ErrorCode != other.ErrorCode {
			t.Errorf("the same flag in the same context: %+v and %+v", one, other)
		}
	})
}
