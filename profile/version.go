package profile

import (
	"errors"
	"fmt"

	"github.com/Masterminds/semver/v3"
)

// FirstVersion is the version of a profile's first data when its file names none.
const FirstVersion = "1.0.0"

// ErrVersion is wrapped by the errors of NextVersion and ParseVersion.
var ErrVersion = errors.New("version")

// maxVersionNumber keeps each part within what every store and client can hold, and the library from panicking at its own bound.
const maxVersionNumber = 999_999_999

// maxVersionLength keeps versions fit for labels, headers and file names.
const maxVersionLength = 64

// ParseVersion checks that s is a semantic version without a leading "v". Its errors wrap ErrVersion.
func ParseVersion(s string) (*semver.Version, error) {
	if len(s) > maxVersionLength {
		return nil, fmt.Errorf("%w has %d characters, at most %d are read", ErrVersion, len(s), maxVersionLength)
	}
	v, err := semver.StrictNewVersion(s)
	if err != nil {
		return nil, fmt.Errorf("%w %q is not MAJOR.MINOR.PATCH", ErrVersion, s)
	}
	if max(v.Major(), v.Minor(), v.Patch()) > maxVersionNumber {
		return nil, fmt.Errorf("%w %q has a number over %d", ErrVersion, s, maxVersionNumber)
	}
	return v, nil
}

// NextVersion returns the version that follows previous ("" for a profile without any) when the effective data changed
// by d. An explicit version is taken as it is and must rise; its error names both and wraps ErrVersion. Without a
// difference the version stays as it is, whatever the file says.
func NextVersion(previous, explicit string, d Diff) (string, error) {
	if previous == "" {
		if explicit == "" {
			return FirstVersion, nil
		}
		if _, err := ParseVersion(explicit); err != nil {
			return "", err
		}
		return explicit, nil
	}
	prev, err := ParseVersion(previous)
	if err != nil {
		return "", err
	}
	if d.Empty() {
		return previous, nil
	}
	if explicit != "" {
		next, err := ParseVersion(explicit)
		if err != nil {
			return "", err
		}
		if !next.GreaterThan(prev) {
			return "", fmt.Errorf("%w %s does not rise above %s: raise it, or remove it and it is derived", ErrVersion, explicit, previous)
		}
		return explicit, nil
	}
	var next semver.Version
	switch d.Bump() {
	case Major:
		next = prev.IncMajor()
	case Minor:
		next = prev.IncMinor()
	default:
		next = prev.IncPatch()
	}
	if _, err := ParseVersion(next.String()); err != nil {
		return "", fmt.Errorf("%w %s cannot be raised further", ErrVersion, previous)
	}
	return next.String(), nil
}
