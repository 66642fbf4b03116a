package client

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// shortestHidden is what a value must have in bytes to be looked for: shorter ones are everywhere.
const shortestHidden = 6

// Hide returns an error that may be told to others: without any text of Data while that holds opened secrets. The errors
// that a callback returns pass through it before they are reported.
func (c Config) Hide(err error) error {
	if err == nil || !c.Secret() {
		return err
	}
	return withoutValues(err, c.Data)
}

// withoutValues returns err without any text of data, which holds secrets: a service's error, or what its check command
// says, may repeat the configuration, and goes to where many people read it. Which of the values are the secrets is not
// known here, so all of them go.
func withoutValues(err error, data json.RawMessage) error {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return errors.New("the configuration was refused; why is not said, because it holds secrets")
	}
	values := textsOf(v, nil)
	// The longest first: one value may be a part of another.
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	text := err.Error()
	for _, value := range values {
		text = strings.ReplaceAll(text, value, "***")
	}
	return errors.New(text)
}

// textsOf collects the texts in v that are long enough, and each line of those that have several.
func textsOf(v any, into []string) []string {
	switch v := v.(type) {
	case string:
		for _, line := range append([]string{v}, strings.Split(v, "\n")...) {
			if line = strings.TrimSpace(line); len(line) >= shortestHidden {
				into = append(into, line)
			}
		}
	case map[string]any:
		for _, item := range v {
			into = textsOf(item, into)
		}
	case []any:
		for _, item := range v {
			into = textsOf(item, into)
		}
	}
	return into
}
