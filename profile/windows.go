package profile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must mean the same on every machine, with or without a zone database of its own
)

// Windows says when no new deployment starts.
type Windows struct {
	Deny []Window `json:"deny,omitempty"`
	// Overrun is what becomes of a deployment that began before a window opens; "" is OverrunFinish.
	Overrun Overrun `json:"overrun,omitempty"`
}

// Overrun says whether a deployment that is under way goes on into a deny window.
type Overrun string

// The ways to meet a window that opens.
const (
	OverrunFinish Overrun = "Finish" // goes on to its end
	OverrunHold   Overrun = "Hold"   // enters no further phase while the window is open
)

// Overruns lists every Overrun.
func Overruns() []Overrun { return []Overrun{OverrunFinish, OverrunHold} }

// Window is one recurring span of local time: weekly ("Fri 16:00-Mon 06:00 Europe/Berlin") or daily ("22:00-06:00 UTC").
type Window struct {
	rule     string
	weekly   bool
	day      time.Weekday // on which a weekly window starts
	days     int          // calendar days from start to end
	from, to int          // minutes of the day
	loc      *time.Location
}

const maxWindows = 20

// ErrWindow is wrapped by the errors of ParseWindow.
var ErrWindow = errors.New("not a window")

var (
	windowPattern = regexp.MustCompile(`^(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?([0-9]{2}):([0-9]{2})-(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?([0-9]{2}):([0-9]{2}) (\S+)$`)
	zonePattern   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)
	weekdays      = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
)

// ParseWindow reads a weekly or a daily window. The end may be 24:00; a start equal to the end is an error, and so is a
// missing time zone. Errors wrap ErrWindow.
func ParseWindow(s string) (Window, error) {
	fail := func(why string) (Window, error) { return Window{}, fmt.Errorf("%w: %q %s", ErrWindow, shorten(s), why) }
	m := windowPattern.FindStringSubmatch(s)
	if m == nil || (m[1] == "") != (m[4] == "") {
		return fail(`is neither "Fri 16:00-Mon 06:00 Europe/Berlin" nor "22:00-06:00 UTC"`)
	}
	w := Window{rule: s, weekly: m[1] != ""}
	var ok1, ok2 bool
	w.from, ok1 = minutes(m[2], m[3])
	w.to, ok2 = minutes(m[5], m[6])
	if !ok1 || !ok2 || w.from == 24*60 {
		return fail("has a time outside 00:00 to 24:00")
	}
	if !zonePattern.MatchString(m[7]) || m[7] == "Local" {
		return fail("has no valid time zone")
	}
	loc, err := time.LoadLocation(m[7])
	if err != nil {
		return fail("has an unknown time zone")
	}
	w.loc = loc
	if w.weekly {
		w.day = time.Weekday(slices.Index(weekdays, m[1]))
		end := time.Weekday(slices.Index(weekdays, m[4]))
		w.days = int(end-w.day+7) % 7
		if w.days == 0 && w.to < w.from {
			w.days = 7
		}
	} else if w.to < w.from {
		w.days = 1
	}
	if w.days == 0 && w.from == w.to {
		return fail("starts where it ends")
	}
	return w, nil
}

func minutes(hour, minute string) (int, bool) {
	h, err1 := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(minute)
	total := h*60 + m
	return total, err1 == nil && err2 == nil && m < 60 && total <= 24*60
}

// String returns the rule as it was written.
func (w Window) String() string { return w.rule }

// MarshalText writes the rule as it was written.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.rule), nil }

// UnmarshalText reads what ParseWindow reads.
func (w *Window) UnmarshalText(text []byte) error {
	parsed, err := ParseWindow(string(text))
	if err != nil {
		return err
	}
	*w = parsed
	return nil
}

// Denies reports whether a deployment must not start at now, by which rule, and until when: the end of that window and
// of every other one that follows without a gap (looked ahead for two weeks at most).
func (w Windows) Denies(now time.Time) (until time.Time, rule string, denied bool) {
	until = now
	for horizon := now.AddDate(0, 0, 14); until.Before(horizon); {
		end, r, inside := w.covering(until)
		if !inside {
			break
		}
		if !denied {
			rule, denied = r, true
		}
		until = end
	}
	if !denied {
		return time.Time{}, "", false
	}
	return until.UTC(), rule, true
}

// covering returns the window around t that ends last.
func (w Windows) covering(t time.Time) (end time.Time, rule string, inside bool) {
	for _, win := range w.Deny {
		if e, ok := win.contains(t); ok && e.After(end) {
			end, rule, inside = e, win.rule, true
		}
	}
	return end, rule, inside
}

// contains reports whether t is in the window that started within the last eight local days, and its end.
func (w Window) contains(t time.Time) (end time.Time, inside bool) {
	if w.loc == nil { // the zero Window denies nothing
		return time.Time{}, false
	}
	local := t.In(w.loc)
	for back := range 9 {
		date := time.Date(local.Year(), local.Month(), local.Day()-back, 0, 0, 0, 0, time.UTC)
		if w.weekly && date.Weekday() != w.day {
			continue
		}
		start, _ := wall(date, w.from, w.loc)
		_, stop := wall(date.AddDate(0, 0, w.days), w.to, w.loc)
		if !t.Before(start) && t.Before(stop) && stop.After(end) {
			end, inside = stop, true
		}
	}
	return end, inside
}

// wall returns the instants at which clocks in loc show the minute of the date. They differ when the clocks go back and
// show it twice, or go forward and skip it; a window starts at the first and ends at the last, so it errs on closed.
func wall(date time.Time, minute int, loc *time.Location) (first, last time.Time) {
	shown := date.Add(time.Duration(minute) * time.Minute) // the wall clock, written as if it were UTC
	var at [2]time.Time
	for i, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := shown.Add(near).In(loc).Zone()
		at[i] = shown.Add(-time.Duration(offset) * time.Second)
	}
	shows := func(t time.Time) bool {
		_, offset := t.In(loc).Zone()
		return t.Add(time.Duration(offset) * time.Second).Equal(shown)
	}
	switch before, after := shows(at[0]), shows(at[1]); {
	case before && !after:
		return at[0], at[0]
	case after && !before:
		return at[1], at[1]
	case at[0].Before(at[1]):
		return at[0], at[1]
	}
	return at[1], at[0]
}

// String lists the rules.
func (w Windows) String() string {
	rules := make([]string, len(w.Deny))
	for i, d := range w.Deny {
		rules[i] = d.rule
	}
	return strings.Join(rules, "; ")
}
