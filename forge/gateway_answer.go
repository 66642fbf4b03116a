package forge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/sluicehq/sluice/internal/redact"
)

// AnswerError is a forge's refusal. It wraps ErrNotFound, ErrAccess or
// ErrTerminal where it is one of those; otherwise it is worth trying again.
type AnswerError struct {
	Host    string
	Status  int
	Message string // in the forge's words, cut, without the credentials
	place   string
	kind    error
}

// Error names the request, the answer and what the forge said.
func (e *AnswerError) Error() string {
	text := fmt.Sprintf("%s: %s answers %d %s", e.place, e.Host, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	if errors.Is(e.kind, ErrAccess) {
		text += " (is the token valid, and may it do this?)"
	}
	return text
}

// Unwrap is what kind of refusal it is, nil for one worth trying again.
func (e *AnswerError) Unwrap() error { return e.kind }

// Said says whether err is a refusal with a status in which the forge used the words.
func Said(err error, status int, words string) bool {
	e, ok := errors.AsType[*AnswerError](err)
	return ok && e.Status == status && strings.Contains(e.Message, words)
}

// refusal makes an error of an answer that came through a gateway.
func refusal(host string, req *http.Request, resp *http.Response) error {
	body, err := io.ReadAll(resp.Body) // it is in memory already
	if err != nil {
		return fmt.Errorf("%s: answer of %s: %w", place(req), host, err)
	}
	return newAnswerError(host, req, resp.StatusCode, body)
}

func newAnswerError(host string, req *http.Request, status int, body []byte) *AnswerError {
	return &AnswerError{Host: host, Status: status, Message: masked(req, said(body)), place: place(req), kind: kindOf(status)}
}

// kindOf sorts refusals into those that another try may mend and the others.
func kindOf(status int) error {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrAccess
	// Something else was under way at the same time, or too slow.
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked, http.StatusTooEarly:
		return nil
	}
	if status < 500 {
		return ErrTerminal
	}
	return nil
}

// outcomeOf counts an answer.
func outcomeOf(status int) Outcome {
	switch kind := kindOf(status); {
	case status < 400:
		return Answered
	case errors.Is(kind, ErrNotFound):
		return Missing
	case errors.Is(kind, ErrAccess):
		return Denied
	case errors.Is(kind, ErrTerminal):
		return Rejected
	}
	return Failed
}

// maxSaid is how many runes of a forge's words are kept.
const maxSaid = 500

// said is what the body of a refusal says, "" where it is no JSON: a page made
// for people by whatever stands before the forge.
func said(body []byte) string {
	var answer struct {
		Message json.RawMessage   `json:"message"`
		Error   json.RawMessage   `json:"error"`
		Errors  []json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	var parts []string
	for _, raw := range append([]json.RawMessage{answer.Message, answer.Error}, answer.Errors...) {
		if s := words(raw); s != "" {
			parts = append(parts, s)
		}
	}
	return cut(plain(strings.Join(parts, ": ")), maxSaid)
}

// words are a JSON string, what an object says in the fields that forges use, or
// the JSON as it is.
func words(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	var text string
	if len(raw) == 0 || string(raw) == "null" || json.Unmarshal(raw, &text) == nil {
		return text
	}
	var detail struct{ Resource, Field, Code, Message string }
	if json.Unmarshal(raw, &detail) == nil {
		if detail.Message != "" {
			return detail.Message
		}
		if detail.Field != "" {
			return strings.TrimSpace(detail.Field + " " + detail.Code)
		}
	}
	return string(raw)
}

// plain has no line breaks or other controls: it goes into logs.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
}

// cut is s with at most so many runes.
func cut(s string, runes int) string {
	for i := range s {
		if runes == 0 {
			return s[:i] + "…"
		}
		runes--
	}
	return s
}

// masked is text without the credentials of the request it is about.
func masked(req *http.Request, text string) string {
	for _, name := range []string{"Authorization", "Private-Token", "Job-Token"} {
		value := req.Header.Get(name)
		_, bare, _ := strings.Cut(value, " ")
		for _, secret := range []string{value, bare} {
			if len(secret) >= 4 {
				text = strings.ReplaceAll(text, secret, redact.Mask)
			}
		}
	}
	return redact.Text(text)
}
