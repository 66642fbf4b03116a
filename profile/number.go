package profile

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// maxNumberLength bounds a number's text: every float64 can be written in far less.
const maxNumberLength = 128

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// smallInteger says that s is a number as canonical JSON has it, without a look at its digits: most are.
func smallInteger(s string) bool {
	if s == "" || len(s) > 15 || s[0] == '0' && len(s) > 1 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// checkNumber returns why s is not a number that every consumer can hold, or nil. Digits beyond a float64's precision
// are kept as they were written; only the range is checked.
func checkNumber(s string) error {
	if smallInteger(s) {
		return nil
	}
	if len(s) > maxNumberLength {
		return fmt.Errorf("number has %d characters, at most %d are read", len(s), maxNumberLength)
	}
	if !jsonNumber.MatchString(s) {
		return fmt.Errorf("%q is not a number", s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return fmt.Errorf("number %s is out of range", s)
	}
	return nil
}

// canonicalNumber writes a JSON number so that equal numbers are equal text: 1.0, 1 and 10e-1 are all "1". It works on
// the decimal digits, so that no precision is lost and no exponent is expanded past 21 digits.
func canonicalNumber(s string) string {
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil { // an exponent past the int range: such a number never passes checkNumber
			return s
		}
		mantissa, exponent = s[:i], e
	}
	negative := strings.HasPrefix(mantissa, "-")
	mantissa = strings.TrimPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if trimmed == "" {
		return "0"
	}
	sign := ""
	if negative {
		sign = "-"
	}
	return sign + placePoint(trimmed, exponent)
}

// placePoint writes digits * 10^exponent, plainly where that is short and with an exponent where it is not.
func placePoint(digits string, exponent int) string {
	point := len(digits) + exponent // digits before the decimal point
	switch {
	case exponent >= 0 && point <= 21:
		return digits + strings.Repeat("0", exponent)
	case exponent < 0 && point > 0:
		return digits[:point] + "." + digits[point:]
	case exponent < 0 && point > -6:
		return "0." + strings.Repeat("0", -point) + digits
	}
	out := digits[:1]
	if len(digits) > 1 {
		out += "." + digits[1:]
	}
	return out + "e" + strconv.Itoa(point-1)
}

// numberText returns v's text when v is a number. Besides json.Number it reads the Go numbers that callers put into
// literals, which are JSON values all the same.
func numberText(v any) (string, bool) {
	switch n := v.(type) {
	case json.Number:
		return n.String(), true
	case int:
		return strconv.Itoa(n), true
	case int64:
		return strconv.FormatInt(n, 10), true
	case float64:
		return strconv.FormatFloat(n, 'g', -1, 64), true
	}
	return "", false
}
