package profile

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ErrName is wrapped by the errors of ValidName and ValidPath.
var ErrName = errors.New("bad name")

// MaxNameLength bounds the names of profiles, services and schemas, in bytes.
const MaxNameLength = 253

var (
	namePattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	segmentPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	deviceNames    = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)
)

// ValidName checks the name of a profile, service or schema: letters, digits, dot, underscore and hyphen, the first a
// letter or digit (so that no name is "." or "..", or reads as an option), at most 253. Errors wrap ErrName.
func ValidName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: empty", ErrName)
	case len(name) > MaxNameLength:
		return fmt.Errorf("%w: %d characters, at most %d", ErrName, len(name), MaxNameLength)
	case !namePattern.MatchString(name):
		return fmt.Errorf("%w: %q, must be letters, digits, '.', '_' or '-', and start with a letter or digit", ErrName, shorten(name))
	}
	return nil
}

// ValidPath checks the path of a file in a repository: relative, with slashes, each segment lower-case letters, digits,
// dot, underscore and hyphen, starting with a letter or digit, at most 63 long, and no device name of Windows. Two
// files can then never differ by case alone, and no name can lead out of the tree or into a log line. Errors wrap ErrName.
func ValidPath(path string) error {
	const maxPath = 1024
	if len(path) > maxPath {
		return fmt.Errorf("%w: path of %d characters, at most %d", ErrName, len(path), maxPath)
	}
	for segment := range strings.SplitSeq(path, "/") {
		if !segmentPattern.MatchString(segment) || deviceNames.MatchString(segment) {
			return fmt.Errorf("%w: path segment %q, must be lower-case letters, digits, '.', '_' or '-', start with a letter or digit and be at most 63 long",
				ErrName, shorten(segment))
		}
	}
	return nil
}
