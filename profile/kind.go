package profile

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// FileKind is what a file of the repository is to Sluice.
type FileKind string

// The kinds of file.
const (
	KindNone    FileKind = ""              // not Sluice's: it is left alone
	KindProfile FileKind = "ConfigProfile" // one profile
	KindBase    FileKind = "ConfigBase"    // data that profiles extend
	KindUnknown FileKind = "unknown"       // says it is Sluice's but not which kind: Load reports it
)

// YAMLFile reports whether a file of that name can be one of Sluice's: .yaml or .yml.
func YAMLFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// APIVersion is the version of the format that this package reads.
const APIVersion = "sluice/v1"

var (
	apiVersionLine = regexp.MustCompile(`(?m)^["']?apiVersion["']?\s*:?\s*["']?sluice/`)
	kindLine       = regexp.MustCompile(`(?m)^["']?kind["']?\s*:?\s*["']?(ConfigProfile|ConfigBase)["']?\s*(#.*)?$`)
	flowMarker     = regexp.MustCompile(`["']?apiVersion["']?\s*:\s*["']?sluice/`)
	flowKind       = regexp.MustCompile(`["']?kind["']?\s*:\s*["']?(ConfigProfile|ConfigBase)\b`)
)

// Kind tells whose file src is without parsing it, so that a file with a syntax error is still known for what it meant
// to be. A file is Sluice's when its top level has an apiVersion that starts with "sluice/" or one of Sluice's kinds.
func Kind(src []byte) FileKind {
	if limit := DefaultLimits().MaxBytes; len(src) > limit {
		src = src[:limit]
	}
	src = plainBytes(src)
	marker, kind := apiVersionLine, kindLine
	if body := bytes.TrimSpace(src); bytes.HasPrefix(body, []byte("{")) {
		marker, kind = flowMarker, flowKind
	}
	if m := kind.FindSubmatch(src); m != nil {
		return FileKind(m[1])
	}
	if marker.Match(src) {
		return KindUnknown
	}
	return KindNone
}

// plainBytes takes out what hides a marker: a byte order mark, the zero bytes of UTF-16, carriage returns. Load refuses such a file aloud.
func plainBytes(src []byte) []byte {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		src = bytes.TrimPrefix(src, []byte(mark))
	}
	if !bytes.ContainsAny(src, "\x00\r") {
		return src
	}
	return slices.DeleteFunc(bytes.Clone(src), func(b byte) bool { return b == 0 || b == '\r' })
}
