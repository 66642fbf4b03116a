package webhook

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// answer is what a request gets. It never holds anything that came with it.
type answer struct {
	status  int
	outcome Outcome
	text    string
	wait    time.Duration // before it is worth trying again
}

// Error is the text.
func (a *answer) Error() string { return a.text }

func refused(status int, text string) *answer {
	return &answer{status: status, outcome: Refused, text: text}
}

// What is refused, and why. Whoever has no secret is told the same whatever is
// wrong with the signature.
var (
	errMethod    = refused(http.StatusMethodNotAllowed, "webhooks are posted")
	errForge     = refused(http.StatusNotFound, "there is no such webhook: github, gitea, forgejo, gitlab and generic are there")
	errTooLarge  = refused(http.StatusRequestEntityTooLarge, "the body is too large; what it tells of is found by polling")
	errTooSlow   = refused(http.StatusRequestTimeout, "the body did not arrive in time")
	errBroken    = refused(http.StatusBadRequest, "the body did not arrive whole")
	errEncoded   = refused(http.StatusUnsupportedMediaType, "a body with a Content-Encoding is not read")
	errSignature = refused(http.StatusUnauthorized, "the webhook is not signed with a secret of forge.webhook_secrets")
	errForm      = refused(http.StatusUnsupportedMediaType, "set the webhook's content type to application/json")
	errPayload   = refused(http.StatusBadRequest, "the payload is not what this forge sends")
	errCrowded   = &answer{status: http.StatusServiceUnavailable, outcome: Failed, text: "too many large webhooks at once", wait: 10 * time.Second}
	errStore     = &answer{status: http.StatusServiceUnavailable, outcome: Failed, text: "the webhook could not be kept; polling finds what it tells of", wait: 10 * time.Second}
	errInternal  = &answer{status: http.StatusInternalServerError, outcome: Failed, text: "something went wrong; the log has more"}
)

func tooMany(wait time.Duration, text string) *answer {
	return &answer{status: http.StatusTooManyRequests, outcome: Limited, text: text, wait: wait}
}

func accepted(outcome Outcome) *answer {
	return &answer{status: http.StatusAccepted, outcome: outcome, text: "accepted"}
}

func (a *answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.status == http.StatusMethodNotAllowed {
		h.Set("Allow", http.MethodPost)
	}
	if a.wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int((a.wait+time.Second-1)/time.Second)))
	}
	if a.status == http.StatusRequestTimeout || a.status == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close") // the rest of the body is not waited for
	}
	w.WriteHeader(a.status)
	fmt.Fprintln(w, a.text)
}
