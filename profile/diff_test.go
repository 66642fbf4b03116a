package profile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule, old, new string
		bump           profile.Bump
		want           string // unified, without its two header lines
	}{
		{"equal data has no difference", `{"a": {"b": 1.0}}`, `{"a": {"b": 1}}`, profile.BumpNone, ""},
		{"a changed value is a patch", `{"a": 1}`, `{"a": 2}`, profile.Patch, "-$.a: 1\n+$.a: 2\n"},
		{"an added key is minor", `{"a": 1}`, `{"a": 1, "b": {"c": 1}}`, profile.Minor, "+$.b: {\"c\":1}\n"},
		{"a removed key is major", `{"a": 1, "b": 2}`, `{"a": 1}`, profile.Major, "-$.b: 2\n"},
		{"a changed type is major", `{"a": 1}`, `{"a": "1"}`, profile.Major, "-$.a: 1\n+$.a: \"1\"\n"},
		{"a map that becomes a scalar changed its type", `{"a": {"b": 1}}`, `{"a": 1}`, profile.Major, "-$.a: {\"b\":1}\n+$.a: 1\n"},
		{"null to a value changed its type", `{"a": null}`, `{"a": true}`, profile.Major, "-$.a: null\n+$.a: true\n"},
		{"a nested removal is major", `{"a": {"b": 1, "c": 2}}`, `{"a": {"c": 2}}`, profile.Major, "-$.a.b: 1\n"},
		{"lists of one length compare item by item", `{"a": [{"x": 1}, 2]}`, `{"a": [{"x": 3}, 2]}`, profile.Patch, "-$.a[0].x: 1\n+$.a[0].x: 3\n"},
		{"lists of other lengths compare whole", `{"a": [1]}`, `{"a": [1, 2]}`, profile.Patch, "-$.a: [1]\n+$.a: [1,2]\n"},
		{"an odd key is quoted", `{"a.b": 1}`, `{"a.b": 2}`, profile.Patch, "-$[\"a.b\"]: 1\n+$[\"a.b\"]: 2\n"},
		{"a secret stands for a string", `{"a": "x"}`, `{"a": {"$secret": "env:X"}}`, profile.Patch, "-$.a: \"x\"\n+$.a: {\"$secret\":\"env:X\"}\n"},
		{"a secret that replaces a number changed the type", `{"a": 1}`, `{"a": {"$secret": "env:X"}}`, profile.Major, "-$.a: 1\n+$.a: {\"$secret\":\"env:X\"}\n"},
		{"the lines are ordered by field", `{"a": 1, "c": 1}`, `{"b": 1, "c": 2}`, profile.Major, "-$.a: 1\n+$.b: 1\n-$.c: 1\n+$.c: 2\n"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			d := profile.Compare(data(t, tc.old), data(t, tc.new))
			if got := d.Bump(); got != tc.bump {
				t.Errorf("bump %s, want %s", got, tc.bump)
			}
			if d.Breaking() != (tc.bump == profile.Major) || d.Empty() != (tc.bump == profile.BumpNone) {
				t.Errorf("breaking %t, empty %t", d.Breaking(), d.Empty())
			}
			got := strings.TrimPrefix(d.Unified("1.0.0", "1.0.1"), "--- 1.0.0\n+++ 1.0.1\n")
			if got != tc.want {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
		})
	}
}

func TestDiffMasked(t *testing.T) {
	t.Parallel()
	d := profile.Compare(
		data(t, `{"a": {"$secret": "env:OLD"}, "password": "old", "list": {"tokens": ["old"]}, "gone": {"password": "old"}}`),
		data(t, `{"a": {"$secret": "env:NEW"}, "password": "new", "list": {"tokens": ["new"]}, "added": {"$secret": "env:NEW"}}`))
	text := d.Masked().Unified("a", "b")
	if strings.Contains(text, "OLD") || strings.Contains(text, "NEW") || strings.Contains(text, `"old"`) || strings.Contains(text, `"new"`) {
		t.Errorf("a secret shows:\n%s", text)
	}
	if !strings.Contains(d.Unified("a", "b"), "env:OLD") {
		t.Error("Masked changed its receiver")
	}
	odd := profile.Compare(data(t, `{"my \"[\" token": [["old"]], "a.b": {"x": ["old"]}}`), data(t, `{"my \"[\" token": [["new"]], "a.b": {"x": ["new"]}}`))
	if text := odd.Masked().Unified("a", "b"); strings.Count(text, `"***"`) != 2 || strings.Count(text, `"new"`) != 1 {
		t.Errorf("odd keys:\n%s", text)
	}
	if got := d.Summary(); got != "1 added, 1 removed, 3 modified" {
		t.Errorf("summary %q", got)
	}
	if got := (profile.Diff{}).Summary(); got != "no change" {
		t.Errorf("summary %q", got)
	}
}

func TestUnifiedCannotMoveACursor(t *testing.T) {
	t.Parallel()
	text := profile.Compare(profile.Data{"a": "x"}, profile.Data{"a": "\u009b2J\u202e"}).Unified("a\nb", "c")
	if strings.ContainsAny(text, "\u009b\u202e") || strings.Count(text, "\n") != 4 {
		t.Errorf("got %q", text)
	}
}

func TestNextVersion(t *testing.T) {
	t.Parallel()
	one := profile.Data{"a": 1}
	none := profile.Compare(one, one)
	patch := profile.Compare(one, profile.Data{"a": 2})
	minor := profile.Compare(one, profile.Data{"a": 1, "b": 1})
	major := profile.Compare(one, profile.Data{})
	for _, tc := range []struct {
		rule, previous, explicit string
		diff                     profile.Diff
		want, fails              string
	}{
		{rule: "the first is 1.0.0", diff: minor, want: "1.0.0"},
		{rule: "the first may be explicit", explicit: "0.3.0", diff: minor, want: "0.3.0"},
		{rule: "the first must be a version", explicit: "v1", fails: `"v1" is not MAJOR.MINOR.PATCH`},
		{rule: "patch", previous: "1.2.3", diff: patch, want: "1.2.4"},
		{rule: "minor resets patch", previous: "1.2.3", diff: minor, want: "1.3.0"},
		{rule: "major resets both", previous: "1.2.3", diff: major, want: "2.0.0"},
		{rule: "no difference, no version", previous: "1.2.3", diff: none, want: "1.2.3"},
		{rule: "no difference, whatever the file says", previous: "1.2.3", explicit: "1.0.0", diff: none, want: "1.2.3"},
		{rule: "explicit is taken as it is", previous: "1.2.3", explicit: "7.0.0", diff: patch, want: "7.0.0"},
		{rule: "explicit must rise", previous: "1.2.3", explicit: "1.2.3", diff: patch, fails: "version 1.2.3 does not rise above 1.2.3"},
		{rule: "build metadata does not rise", previous: "1.2.3", explicit: "1.2.3+b", diff: patch, fails: "does not rise"},
		{rule: "explicit must be a version", previous: "1.2.3", explicit: "2", diff: patch, fails: `"2" is not`},
		{rule: "a pre-release is followed by its release", previous: "2.0.0-rc.1", diff: patch, want: "2.0.0"},
		{rule: "previous must be a version", previous: "x", diff: patch, fails: `"x" is not`},
		{rule: "the largest number is not raised", previous: "999999999.0.0", diff: major, fails: "cannot be raised"},
		{rule: "a number has a bound", explicit: "18446744073709551615.0.0", diff: major, fails: "number over 999999999"},
		{rule: "a version is short", explicit: "1.0.0-" + strings.Repeat("a", 100), fails: "at most 64"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			got, err := profile.NextVersion(tc.previous, tc.explicit, tc.diff)
			if tc.fails != "" {
				if !errors.Is(err, profile.ErrVersion) || !strings.Contains(err.Error(), tc.fails) || got != "" {
					t.Errorf("got %q, %v; want error %q", got, err, tc.fails)
				}
				return
			}
			if err != nil || got != tc.want {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestBumpString(t *testing.T) {
	t.Parallel()
	for b, want := range map[profile.Bump]string{profile.BumpNone: "none", profile.Patch: "patch", profile.Minor: "minor", profile.Major: "major"} {
		if b.String() != want {
			t.Errorf("got %s, want %s", b, want)
		}
	}
}

func TestGrowthGuard(t *testing.T) {
	t.Parallel()
	long := `"` + strings.Repeat("x", 400) + `"`
	for _, tc := range []struct {
		rule, old, new string
		want           string // part of the reason; "" is not tripped
	}{
		{"the first data is never large", `{}`, `{"a": [` + long + `,` + long + `,` + long + `]}`, ""},
		{"threefold and over 1 KiB trips", `{"a": ` + long + `}`, `{"a": [` + long + `,` + long + `,` + long + `,` + long + `]}`, "data grew from 408 to"},
		{"threefold but small does not", `{"a": 1}`, `{"a": 1, "b": "` + strings.Repeat("x", 100) + `"}`, ""},
		{"twofold and large does not", `{"a": [` + long + `,` + long + `]}`, `{"a": [` + long + `,` + long + `,` + long + `,` + long + `]}`, ""},
		{"most keys removed trips", `{"a": 1, "b": 2, "c": 3, "d": 4}`, `{"a": 1}`, "3 of 4 keys"},
		{"most keys of another type trips", `{"a": 1, "b": 2, "c": {"d": 4}}`, `{"a": "1", "b": "2", "c": {"d": "4"}}`, "3 of 4 keys"},
		{"half does not", `{"a": 1, "b": 2, "c": 3, "d": 4}`, `{"a": 1, "b": 2}`, ""},
		{"few keys do not", `{"a": 1, "b": 2}`, `{}`, ""},
		{"other values do not", `{"a": 1, "b": 2, "c": 3, "d": 4}`, `{"a": 5, "b": 6, "c": 7, "d": 8}`, ""},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			reason, tripped := profile.GrowthGuard(data(t, tc.old), data(t, tc.new))
			if tripped != (tc.want != "") || !strings.Contains(reason, tc.want) {
				t.Errorf("got %q, %t; want %q", reason, tripped, tc.want)
			}
		})
	}
}
