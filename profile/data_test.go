package profile_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

// data reads a literal that must be valid.
func data(t *testing.T, src string) profile.Data {
	t.Helper()
	d, err := profile.DecodeData([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ rule, in, want string }{
		{"keys are sorted and white space is gone", `{ "b": 1, "a": {"d": [1, 2], "c": null} }`, `{"a":{"c":null,"d":[1,2]},"b":1}`},
		{"1.0 is 1", `{"x": 1.0}`, `{"x":1}`},
		{"10e-1 is 1", `{"x": 10e-1}`, `{"x":1}`},
		{"1.10 is 1.1", `{"x": 1.10}`, `{"x":1.1}`},
		{"-0.0 is 0", `{"x": -0.0}`, `{"x":0}`},
		{"digits past a float64 are kept", `{"x": 12345678901234567890123}`, `{"x":1.2345678901234567890123e22}`},
		{"an integer of 21 digits is plain", `{"x": 1e20}`, `{"x":100000000000000000000}`},
		{"a large exponent stays one", `{"x": 1.50E+300}`, `{"x":1.5e300}`},
		{"a small number is plain", `{"x": 0.00025}`, `{"x":0.00025}`},
		{"a tiny number has an exponent", `{"x": -0.00000025}`, `{"x":-2.5e-7}`},
		{"HTML is not escaped", `{"x": "<a>&\u0001"}`, `{"x":"<a>&\u0001"}`},
		{"booleans and lists", `{"x": [true, false, []]}`, `{"x":[true,false,[]]}`},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			got := string(profile.Canonical(data(t, tc.in)))
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if again := string(profile.Canonical(data(t, got))); again != got {
				t.Errorf("canonical form changes when read back: %s", again)
			}
		})
	}
	if got := string(profile.Canonical(nil)); got != "{}" {
		t.Errorf("nil data is %s", got)
	}
	if got := string(profile.Canonical(profile.Data{"a": 1, "b": int64(2), "c": 1.5, "d": profile.Data{"e": "f"}})); got != `{"a":1,"b":2,"c":1.5,"d":{"e":"f"}}` {
		t.Errorf("Go numbers: %s", got)
	}
}

func TestCanonicalPanicsOnWhatJSONLacks(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	profile.Canonical(profile.Data{"x": struct{}{}})
}

func TestHash(t *testing.T) {
	t.Parallel()
	a := profile.Hash(data(t, `{"a": 1.0, "b": [2]}`))
	if b := profile.Hash(data(t, `{"b":[2.00],"a":1}`)); a != b || len(a) != 64 {
		t.Errorf("equal data, hashes %s and %s", a, b)
	}
	if c := profile.Hash(data(t, `{"a": "1", "b": [2]}`)); c == a {
		t.Error("a string hashes like a number")
	}
}

func TestDecodeDataRefuses(t *testing.T) {
	t.Parallel()
	for rule, tc := range map[string]struct{ in, want string }{
		"a duplicate key":            {`{"a": {"b": 1, "b": 2}}`, "$.a.b: duplicate key"},
		"a list at the top":          {`[1]`, "got array"},
		"null at the top":            {`null`, "got null"},
		"more after the value":       {`{} {}`, "more follows"},
		"invalid UTF-8":              {"{\"a\": \"\xff\"}", "UTF-8"},
		"a number out of range":      {`{"a": 1e999}`, "out of range"},
		"a number of 200 digits":     {`{"a": ` + strings.Repeat("1", 200) + `}`, "200 characters"},
		"half a value":               {`{"a": [1`, "EOF"},
		"half an object":             {`{"a"`, "EOF"},
		"nonsense":                   {`{a: 1}`, "invalid character"},
		"65 levels":                  {strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "more than 64 deep"},
		"65 levels of lists":         {`{"a":` + strings.Repeat(`[`, 65) + strings.Repeat("]", 65) + "}", "more than 64 deep"},
		"a key of 2 KiB":             {`{"` + strings.Repeat("k", 2048) + `": 1}`, "key of more"},
		"more than 1 MiB":            {`{"a": "` + strings.Repeat("x", 1<<20) + `"}`, "at most 1048576"},
		"more than 50,000 values":    {`{"a": [` + strings.Repeat("1,", 50_000) + `1]}`, "more than 50000 values"},
		"more than 2,000 keys a map": {`{"a": {` + manyKeys(2001) + `}}`, "more than 2000 keys"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			_, err := profile.DecodeData([]byte(tc.in))
			if !errors.Is(err, profile.ErrData) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"k` + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + json.Number(itoa(i)).String() + `":1`)
	}
	return b.String()
}

func itoa(i int) string {
	b, err := json.Marshal(i)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestDataJSON(t *testing.T) {
	t.Parallel()
	var d profile.Data
	if err := json.Unmarshal([]byte(`{"b": 1.0, "a": "x"}`), &d); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(map[string]any{"data": d})
	if err != nil || string(out) != `{"data":{"a":"x","b":1}}` {
		t.Errorf("got %s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`null`), &d); err != nil || d != nil {
		t.Errorf("null: %v, %v", d, err)
	}
	if err := json.Unmarshal([]byte(`{"a":1,"a":2}`), &d); err == nil {
		t.Error("a duplicate key passed")
	}
}

func TestCloneIsDeep(t *testing.T) {
	t.Parallel()
	d := profile.Data{"a": map[string]any{"b": []any{map[string]any{"c": "x"}}}, "d": profile.Data{"e": true}}
	c := d.Clone()
	c["a"].(map[string]any)["b"].([]any)[0].(map[string]any)["c"] = "y"
	if got := d["a"].(map[string]any)["b"].([]any)[0].(map[string]any)["c"]; got != "x" {
		t.Errorf("the original changed: %v", got)
	}
	if profile.Data(nil).Clone() != nil {
		t.Error("nil has no clone")
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	d := data(t, `{
		"ref": {"$secret": "vault:a#b"}, "value": {"type": "secret", "value": "s3cret"}, "plain": "x",
		"db": {"password": "s3cret", "pool": 5, "tokens": ["s3cret", ""]}, "list": [{"$secret": "env:A"}, {"API_KEY": "s3cret"}],
		"maxTokens": 5, "type": {"type": "secret"}, "empty": {"secret": ""}}`)
	want := data(t, `{
		"ref": "***", "value": "***", "plain": "x", "db": {"password": "***", "pool": 5, "tokens": ["***", ""]},
		"list": ["***", {"API_KEY": "***"}], "maxTokens": 5, "type": {"type": "secret"}, "empty": {"secret": ""}}`)
	before := profile.Hash(d)
	if got := profile.Mask(d); !reflect.DeepEqual(got, want) {
		t.Errorf("got %s", profile.Canonical(got))
	}
	if profile.Hash(d) != before {
		t.Error("Mask changed its argument")
	}
	if got, want := profile.SecretRefs(d), []string{"env:A", "vault:a#b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("references %v, want %v", got, want)
	}
	inner := profile.Data{"a": profile.Data{"b": profile.Data{"$secret": "env:B"}, "token": "s3cret"}}
	if got := string(profile.Canonical(profile.Mask(inner))); got != `{"a":{"b":"***","token":"***"}}` || len(profile.SecretRefs(inner)) != 1 {
		t.Errorf("a Data inside a Data: %s, %v", got, profile.SecretRefs(inner))
	}
	if d := profile.Compare(inner, profile.Data{"a": profile.Data{"token": "s3cret"}}); len(d.Removed) != 1 || d.Removed[0].Field != "$.a.b" {
		t.Errorf("a Data inside a Data differs: %+v", d)
	}
	if profile.Mask(nil) != nil {
		t.Error("nil masks to nil")
	}
}

// A key that is no plain word is quoted in a path.
func TestPathsOfKeys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"a": "$.a", "_a": "$._a", "$a-1": "$.$a-1", "A9": "$.A9", "-a": `$["-a"]`, "9a": `$["9a"]`, "a.b": `$["a.b"]`, "é": `$["é"]`, "": `$[""]`, `a"b`: `$["a\"b"]`,
	} {
		found := profile.Secrets(profile.Data{key: map[string]any{"$secret": "env:A"}})
		if len(found) != 1 || found[0].Path != want {
			t.Errorf("the secret at %q is at %v, want %s", key, found, want)
		}
	}
}
