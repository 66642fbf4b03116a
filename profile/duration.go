package profile

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time that reads as "5m" or "PT5M" and is written as ISO 8601. It is never negative and at most MaxDuration.
type Duration time.Duration

// MaxDuration bounds every duration of the format.
const MaxDuration = Duration(30 * 24 * time.Hour)

// ErrDuration is wrapped by the errors of ParseDuration.
var ErrDuration = errors.New("not a duration")

var isoDuration = regexp.MustCompile(`^P(?:(\d{1,9})W|(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,9}))?S)?)?)$`)

// ParseDuration reads Go style ("1h30m") and ISO 8601 ("PT1H30M", "P1D", "P2W"; no years or months, whose length
// varies). Errors wrap ErrDuration.
func ParseDuration(s string) (Duration, error) {
	if len(s) > 64 {
		return 0, fmt.Errorf("%w: more than 64 characters", ErrDuration)
	}
	var d time.Duration
	var err error
	if strings.HasPrefix(s, "P") {
		d, err = parseISO(s)
	} else {
		d, err = time.ParseDuration(s)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %q, write 5m or PT5M", ErrDuration, s)
	case d < 0:
		return 0, fmt.Errorf("%w: %q is negative", ErrDuration, s)
	case d > MaxDuration.Std():
		return 0, fmt.Errorf("%w: %q is over 30 days", ErrDuration, s)
	}
	return Duration(d), nil
}

func parseISO(s string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "T") || s == "P" {
		return 0, ErrDuration
	}
	day := 24 * time.Hour
	var total float64
	for i, unit := range []time.Duration{7 * day, day, time.Hour, time.Minute, time.Second} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i+1], 10, 64)
		if err != nil {
			return 0, err
		}
		total += float64(n) * float64(unit)
	}
	if total > float64(math.MaxInt64/2) {
		return math.MaxInt64, nil // far over the bound, which says so
	}
	sum := time.Duration(total)
	if m[6] != "" {
		nanos, err := strconv.ParseInt((m[6] + "000000000")[:9], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(nanos)
	}
	return sum, nil
}

// Std returns the duration as the standard library's.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns ISO 8601 in hours, minutes and seconds: "PT1H30M", "PT0.2S", "PT0S".
func (d Duration) String() string {
	var room [32]byte
	return string(d.appendTo(room[:0]))
}

func (d Duration) appendTo(b []byte) []byte {
	if d == 0 {
		return append(b, "PT0S"...)
	}
	rest := time.Duration(d)
	if rest < 0 {
		b = append(b, '-')
		rest = -rest
	}
	b = append(b, "PT"...)
	if h := rest / time.Hour; h > 0 {
		b = append(strconv.AppendInt(b, int64(h), 10), 'H')
	}
	if m := rest % time.Hour / time.Minute; m > 0 {
		b = append(strconv.AppendInt(b, int64(m), 10), 'M')
	}
	if s := rest % time.Minute; s > 0 {
		text := fmt.Sprintf("%d.%09d", s/time.Second, s%time.Second)
		b = append(b, strings.TrimRight(strings.TrimRight(text, "0"), ".")+"S"...)
	}
	return b
}

// MarshalText writes ISO 8601.
func (d Duration) MarshalText() ([]byte, error) { return d.appendTo(nil), nil }

// UnmarshalText reads what ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}
