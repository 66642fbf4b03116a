package notify_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/notify"
)

// What an answer means: done, again, or never again.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: "taken", 202: "taken", 204: "taken",
		301: "refused", 307: "refused", 400: "refused", 401: "refused", 403: "refused", 404: "refused", 410: "refused", 413: "refused", 422: "refused",
		408: "again", 425: "again", 429: "again", 500: "again", 502: "again", 503: "again", 504: "again",
	} {
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
		})
		n, standing := rolledBack()
		err := notifier(notify.Slack, r.URL+"/"+canary).Send(t.Context(), n, standing)
		got := "again"
		switch {
		case err == nil:
			got = "taken"
		case errors.Is(err, notify.ErrTerminal):
			got = "refused"
		}
		if got != want || len(r.all()) != 1 {
			t.Errorf("%d is %s, want %s: %v, after %d requests", status, got, want, err, len(r.all()))
		}
		if err != nil && strings.Contains(err.Error(), "pathsecret") {
			t.Errorf("%d: the error holds the URL: %v", status, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "99999": time.Hour, "-3": 0, "soon": 0,
		noon.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		noon.Add(-time.Minute).Format(http.TimeFormat):     0,
	} {
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		n, standing := rolledBack()
		err := notifier(notify.Slack, r.URL).Send(t.Context(), n, standing)
		answer, ok := errors.AsType[*notify.AnswerError](err)
		if !ok || answer.RetryAfter() != want {
			t.Errorf("%q: %v, want %s", header, err, want)
		}
	}
}

// A target that does not answer, is not there, or does not speak HTTP costs
// bounded time, and no error says where it is.
func TestTargetsThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	hanging := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-gone })
	t.Cleanup(func() { close(gone) })
	endless := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		for w.(http.Flusher).Flush(); ; {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for what, at := range map[string]string{
		"hangs": hanging.URL, "is not there": "http://" + closed.Addr().String(), "has no such name": "http://nobody.invalid", "is no HTTP": "ftp://127.0.0.1",
	} {
		s := notifier(notify.Slack, at+"/"+canary, func(o *notify.Options) { o.Timeout = 200 * time.Millisecond })
		n, standing := rolledBack()
		err := s.Send(t.Context(), n, standing)
		if err == nil || errors.Is(err, notify.ErrTerminal) || strings.Contains(err.Error(), "pathsecret") {
			t.Errorf("%s: %v", what, err)
		}
	}
	n, standing := rolledBack()
	if err := notifier(notify.Slack, endless.URL).Send(t.Context(), n, standing); err != nil {
		t.Errorf("an answer without end: %v", err)
	}
}

func TestUnknownTarget(t *testing.T) {
	t.Parallel()
	n, standing := rolledBack()
	n.Target = "nobody"
	err := notifier(notify.Slack, "http://127.0.0.1:1").Send(t.Context(), n, standing)
	if !errors.Is(err, notify.ErrUnknown) || !errors.Is(err, notify.ErrTerminal) {
		t.Errorf("%v", err)
	}
}
