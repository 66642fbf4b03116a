package profile

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Scalars follow the core schema of YAML 1.2, which is what JSON has: NO, yes and on are strings; 1.10 is the number
// 1.1; 0x1F and 0o777 are numbers. What YAML 1.1 and 1.2 read as different numbers (0777, 1_000, 0b11) is refused
// rather than guessed, and so is what JSON cannot hold (.nan, .inf).
var (
	decimalPattern   = regexp.MustCompile(`^[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	octalPattern     = regexp.MustCompile(`^0o[0-7]+$`)
	hexPattern       = regexp.MustCompile(`^0x[0-9a-fA-F]+$`)
	infinitePattern  = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
	ambiguousPattern = regexp.MustCompile(`^[-+]?(0[0-9_]*[0-9](\.[0-9_]*)?([eE][-+]?[0-9]+)?|[1-9][0-9]*_[0-9_]*(\.[0-9_]*)?|0b[01_]+|0[ox][0-9a-fA-F_]+)$`)
)

// resolveScalar returns the JSON value of a scalar node.
func resolveScalar(n *yaml.Node) (any, error) {
	explicit := n.Style&yaml.TaggedStyle != 0
	plain := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if !explicit {
		if !plain {
			return n.Value, nil
		}
		return resolvePlain(n.Value)
	}
	if n.Tag == "!!str" {
		return n.Value, nil
	}
	v, err := resolvePlain(n.Value)
	if err != nil {
		return nil, err
	}
	ok := false
	switch got := v.(type) {
	case nil:
		ok = n.Tag == "!!null"
	case bool:
		ok = n.Tag == "!!bool"
	case json.Number:
		ok = n.Tag == "!!float" || n.Tag == "!!int" && !strings.ContainsAny(got.String(), ".eE")
	}
	if !ok {
		return nil, fmt.Errorf("value is not a %s", shorten(n.Tag))
	}
	return v, nil
}

// plainText says that unquoted text is a string, at its first look; false is not certain.
func plainText(s string) bool {
	switch s {
	case "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE":
		return false
	}
	return !strings.ContainsRune("+-.0123456789", rune(s[0])) || strings.ContainsFunc(s, inNoNumber)
}

// inNoNumber says that no number, nor what looks like one, has the rune in it.
func inNoNumber(r rune) bool {
	return (r < '0' || r > '9') && !strings.ContainsRune("+-._abcdefABCDEFoxinIN", r)
}

// resolvePlain returns the JSON value of unquoted text.
func resolvePlain(s string) (any, error) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil, nil
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	switch {
	case smallInteger(s):
		return json.Number(s), nil
	case plainText(s):
		return s, nil
	case decimalPattern.MatchString(s):
		n := plainNumber(s)
		if err := checkNumber(n); err != nil {
			return nil, err
		}
		return json.Number(n), nil
	case octalPattern.MatchString(s), hexPattern.MatchString(s):
		n, err := strconv.ParseUint(s, 0, 63)
		if err != nil {
			return nil, fmt.Errorf("number %s is out of range", shorten(s))
		}
		return json.Number(strconv.FormatUint(n, 10)), nil
	case infinitePattern.MatchString(s):
		return nil, fmt.Errorf("%s is not a finite number: quote it if it is text", s)
	case ambiguousPattern.MatchString(s):
		return nil, fmt.Errorf("%s is read as different numbers by YAML 1.1 and 1.2: quote it if it is text, write it in plain decimal if it is a number", shorten(s))
	}
	return s, nil
}

// plainNumber writes a YAML decimal as JSON: no plus sign, digits on both sides of the point.
func plainNumber(s string) string {
	s = strings.TrimPrefix(s, "+")
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	if strings.HasPrefix(s, ".") {
		s = "0" + s
	}
	if i := strings.IndexByte(s, '.'); i >= 0 && (i+1 == len(s) || s[i+1] == 'e' || s[i+1] == 'E') {
		s = s[:i] + s[i+1:]
	}
	return sign + s
}
