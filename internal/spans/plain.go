package spans

import "strings"

// Where the parts of a traceparent of version 00 are: 00-TRACE-SPAN-FLAGS.
const (
	traceAt     = len("00-")
	spanAt      = traceAt + 32 + len("-")
	flagsAt     = spanAt + 16
	plainLength = flagsAt + len("-00")
)

// plain says that text is a traceparent just as [Format] makes them. They are taken
// apart for each of thousands of instances, which goes without a context there.
func plain(text string) bool {
	if len(text) != plainLength || text[:traceAt] != "00-" || text[spanAt-1] != '-' || text[flagsAt:flagsAt+2] != "-0" {
		return false
	}
	flags := text[plainLength-1]
	return '0' <= flags && flags <= '3' && identity(text[traceAt:spanAt-1]) && identity(text[spanAt:flagsAt])
}

// identity says that text is an id in hexadecimal, and not that of nothing.
func identity(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return strings.Trim(text, "0") != ""
}
