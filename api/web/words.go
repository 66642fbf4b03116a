package web

import (
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// Sentence begins a message with a capital: on a page it stands alone. A name at
// its beginning stays as it is.
func Sentence(message string) string {
	first, _, _ := strings.Cut(message, " ")
	if message == "" || message[0] < 'a' || message[0] > 'z' || strings.ContainsAny(first, ".-_/:=") {
		return message
	}
	return string(message[0]-'a'+'A') + message[1:]
}

// span is a duration of the API, as PT30M, the way that people write it.
func span(text string) string {
	d, err := profile.ParseDuration(text)
	if err != nil {
		return text
	}
	words := d.Std().Round(time.Millisecond).String()
	for _, none := range []string{"m0s", "h0m"} {
		if rest, ok := strings.CutSuffix(words, none); ok {
			words = rest + none[:1]
		}
	}
	return words
}
