package profile_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "PT5M": 5 * time.Minute, "1h30m": 90 * time.Minute, "PT1H30M": 90 * time.Minute,
		"200ms": 200 * time.Millisecond, "PT0.2S": 200 * time.Millisecond, "P1D": 24 * time.Hour, "P2W": 14 * 24 * time.Hour,
		"P1DT12H": 36 * time.Hour, "PT90S": 90 * time.Second, "0s": 0, "PT0S": 0, "720h": 720 * time.Hour, "P30D": 720 * time.Hour,
	} {
		got, err := profile.ParseDuration(in)
		if err != nil || got.Std() != want {
			t.Errorf("%s: got %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "5", "x", "-1s", "1e9h", "P", "PT", "P1DT", "P1Y", "P1M", "PT5", "P1W2D", "721h", "P31D", "PT999999999H", "P999999999W",
		"-PT5M", "PT-5M", "9223372036854775807h", "PT1.5M", strings.Repeat("1h", 40),
	} {
		if got, err := profile.ParseDuration(in); !errors.Is(err, profile.ErrDuration) {
			t.Errorf("%q: got %s, %v; want an error", in, got, err)
		}
	}
}

func TestDurationText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "PT0S", 5 * time.Minute: "PT5M", 90 * time.Minute: "PT1H30M", 36 * time.Hour: "PT36H", 200 * time.Millisecond: "PT0.2S",
		10 * time.Second: "PT10S", time.Hour + time.Nanosecond: "PT1H0.000000001S", -time.Minute: "-PT1M",
	} {
		if got := profile.Duration(d).String(); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
	var s struct{ D profile.Duration }
	if err := json.Unmarshal([]byte(`{"D": "90s"}`), &s); err != nil {
		t.Fatal(err)
	}
	if out, err := json.Marshal(s); err != nil || string(out) != `{"D":"PT1M30S"}` {
		t.Errorf("got %s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"D": "soon"}`), &s); err == nil {
		t.Error("nonsense passed")
	}
}

func TestWindowsDenies(t *testing.T) {
	t.Parallel()
	const weekend = "Fri 16:00-Mon 06:00 Europe/Berlin"
	for _, tc := range []struct {
		rule  string
		deny  []string
		now   string
		until string // "" is not denied
	}{
		{"nothing denies", nil, "2026-06-05T15:00:00Z", ""},
		{"a minute before a weekly window", []string{weekend}, "2026-06-05T13:59:59Z", ""},
		{"the first minute of it", []string{weekend}, "2026-06-05T14:00:00Z", "2026-06-08T04:00:00Z"},
		{"the middle of it", []string{weekend}, "2026-06-07T00:00:00Z", "2026-06-08T04:00:00Z"},
		{"the end is open", []string{weekend}, "2026-06-08T04:00:00Z", ""},
		{"in winter the same local time is another UTC", []string{weekend}, "2026-01-05T04:30:00Z", "2026-01-05T05:00:00Z"},
		{"over the change to summer time (29 March 2026)", []string{weekend}, "2026-03-28T12:00:00Z", "2026-03-30T04:00:00Z"},
		{"over the change to winter time (25 October 2026)", []string{weekend}, "2026-10-24T12:00:00Z", "2026-10-26T05:00:00Z"},
		{"a daily window over midnight, the evening", []string{"22:00-06:00 UTC"}, "2026-06-05T23:00:00Z", "2026-06-06T06:00:00Z"},
		{"a daily window over midnight, the morning", []string{"22:00-06:00 UTC"}, "2026-06-06T05:59:00Z", "2026-06-06T06:00:00Z"},
		{"a daily window by day", []string{"09:00-17:00 UTC"}, "2026-06-06T08:00:00Z", ""},
		{"until 24:00", []string{"20:00-24:00 UTC"}, "2026-06-06T23:59:00Z", "2026-06-07T00:00:00Z"},
		{"a skipped start closes early (02:30 on 29 March 2026)", []string{"02:30-05:00 Europe/Berlin"}, "2026-03-29T00:45:00Z", "2026-03-29T03:00:00Z"},
		{"a repeated end closes until the second time (02:30 on 25 October 2026)", []string{"01:00-02:30 Europe/Berlin"}, "2026-10-25T01:15:00Z", "2026-10-25T01:30:00Z"},
		{"a week but an hour", []string{"Mon 01:00-Mon 00:00 UTC"}, "2026-06-01T00:59:00Z", ""},
		{"a week but an hour, inside", []string{"Mon 01:00-Mon 00:00 UTC"}, "2026-06-01T01:00:00Z", "2026-06-08T00:00:00Z"},
		{"within one day of the week", []string{"Wed 10:00-Wed 12:00 UTC"}, "2026-06-03T11:00:00Z", "2026-06-03T12:00:00Z"},
		{"windows that touch are one", []string{"Sat 00:00-Sun 00:00 UTC", "Sun 00:00-Mon 00:00 UTC"}, "2026-06-06T10:00:00Z", "2026-06-08T00:00:00Z"},
		{"of two that overlap, the longer counts", []string{"10:00-11:00 UTC", "10:30-13:00 UTC"}, "2026-06-06T10:45:00Z", "2026-06-06T13:00:00Z"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			var w profile.Windows
			for _, rule := range tc.deny {
				win, err := profile.ParseWindow(rule)
				if err != nil {
					t.Fatal(err)
				}
				w.Deny = append(w.Deny, win)
			}
			now, err := time.Parse(time.RFC3339, tc.now)
			if err != nil {
				t.Fatal(err)
			}
			until, rule, denied := w.Denies(now)
			if !denied {
				if tc.until != "" {
					t.Errorf("not denied, want until %s", tc.until)
				}
				return
			}
			if got := until.Format(time.RFC3339); got != tc.until || !strings.Contains(w.String(), rule) || rule == "" {
				t.Errorf("until %s by %q, want %q", got, rule, tc.until)
			}
		})
	}
}

func TestWindowsThatNeverOpenHaveABound(t *testing.T) {
	t.Parallel()
	var w profile.Windows
	for _, s := range []string{"00:00-12:00 UTC", "12:00-24:00 UTC"} {
		win, err := profile.ParseWindow(s)
		if err != nil {
			t.Fatal(err)
		}
		w.Deny = append(w.Deny, win)
	}
	now := time.Date(2026, 6, 6, 10, 0, 0, 0, time.UTC)
	until, _, denied := w.Denies(now)
	if !denied || until.Sub(now) > 15*24*time.Hour {
		t.Errorf("until %s, %t", until, denied)
	}
}

func TestParseWindowRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "Fri 16:00-06:00 UTC", "16:00-Mon 06:00 UTC", "16:00-16:00 UTC", "Fri 16:00-Fri 16:00 UTC", "25:00-26:00 UTC", "24:00-06:00 UTC",
		"10:60-11:00 UTC", "10:00-11:00", "10:00-11:00 Local", "10:00-11:00 Nowhere/City", "10:00-11:00 ../../etc/passwd", "friday 10:00-11:00 UTC",
		"10:00-11:00 UTC extra", "1:00-2:00 UTC",
	} {
		if w, err := profile.ParseWindow(s); !errors.Is(err, profile.ErrWindow) {
			t.Errorf("%q: got %v, %v; want an error", s, w, err)
		}
	}
}

func TestWindowsJSON(t *testing.T) {
	t.Parallel()
	const src = `{"deny":["22:00-06:00 UTC","Fri 16:00-Mon 06:00 Europe/Berlin"]}`
	var w profile.Windows
	if err := json.Unmarshal([]byte(src), &w); err != nil {
		t.Fatal(err)
	}
	if out, err := json.Marshal(w); err != nil || string(out) != src {
		t.Errorf("got %s, %v", out, err)
	}
	if _, _, denied := w.Denies(time.Date(2026, 6, 3, 23, 0, 0, 0, time.UTC)); !denied {
		t.Error("a window read from JSON does not deny")
	}
	if err := json.Unmarshal([]byte(`{"deny":["x"]}`), &w); err == nil {
		t.Error("nonsense passed")
	}
	if _, _, denied := (profile.Windows{Deny: make([]profile.Window, 1)}).Denies(time.Now()); denied {
		t.Error("the zero window denies")
	}
}
