package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/internal/signature"
	"github.com/sluicehq/sluice/internal/spans/outgoing"
	"github.com/sluicehq/sluice/rollout"
)

// ErrTerminal is wrapped by errors that another attempt would not mend.
var ErrTerminal = errors.New("not tried again")

// ErrUnknown is returned for a target that the settings do not name. It wraps ErrTerminal.
var ErrUnknown = fmt.Errorf("no target has this name in the settings, under notifications.targets: %w", ErrTerminal)

// AnswerError is the answer of a target that did not take a notification.
type AnswerError struct {
	Status int           // of HTTP
	After  time.Duration // that the target asks to wait before the next attempt; 0 when it does not say
}

// Error gives the status.
func (e *AnswerError) Error() string { return "the target answers " + answer(e.Status) }

// RetryAfter is how long the target asks to wait.
func (e *AnswerError) RetryAfter() time.Duration { return e.After }

func answer(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// Options are what New needs.
type Options struct {
	Router      Router
	ExternalURL string           // that messages link to; "" for no links
	Timeout     time.Duration    // of one attempt; 5 s when 0
	Now         func() time.Time // time.Now when nil
}

// Notifier sends notifications to targets.
type Notifier struct {
	opts   Options
	client *http.Client
}

const (
	sendTimeout = 5 * time.Second
	maxAnswer   = 4 << 10 // bytes of an answer that are read, so that its connection can be used again
)

// New returns a notifier. It connects to nobody yet.
func New(opts Options) *Notifier {
	if opts.Timeout <= 0 {
		opts.Timeout = sendTimeout
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Notifier{opts: opts, client: newClient(opts.Timeout)}
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2: true,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second}, // finds out connections that lead nowhere
	}
}

func newClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:   timeout,
		Transport: outgoing.Transport(newTransport()),
		// Where a redirect leads was not written down by anybody who may see what is sent.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Send tells the notification's target. An error that wraps ErrTerminal is not
// worth another attempt; an *AnswerError may say when the next one is welcome.
// No error holds the target's URL.
func (s *Notifier) Send(ctx context.Context, n rollout.Notification, now rollout.Standing) error {
	_, err := s.send(ctx, n, now)
	return err
}

// SendTogether tells one of the targets that Router.Together lists of many events, which have the
// same channel and stand in the order in which they happened. Its errors are Send's.
func (s *Notifier) SendTogether(ctx context.Context, all []rollout.Notification) error {
	t, ok := s.opts.Router.target(all[0].Target)
	if !ok {
		return ErrUnknown
	}
	body, err := slackTogetherJSON(all, s.opts.ExternalURL)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTerminal, err)
	}
	_, err = s.post(ctx, t, t.URL, all[0].ID, body)
	return err
}

// Test sends a sample to a target and gives its answer, such as "200 OK". It
// returns ErrUnknown for a name that no target has.
func (s *Notifier) Test(ctx context.Context, target string) (string, error) {
	at := s.opts.Now()
	n := rollout.Notification{
		ID: "evt_" + uuid.NewString(), Target: target, Fact: rollout.FactCompleted, At: at, Profile: "sluice-test",
		Explanation: "This is a test: nothing was rolled out.",
	}
	return s.send(ctx, n, rollout.Standing{At: at})
}

func (s *Notifier) send(ctx context.Context, n rollout.Notification, now rollout.Standing) (string, error) {
	t, ok := s.opts.Router.target(n.Target)
	if !ok {
		return "", ErrUnknown
	}
	to, body, err := s.written(t, n, now)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrTerminal, err)
	}
	return s.post(ctx, t, to, n.ID, body)
}

// written is a notification as a target of its type takes it, and where it goes.
func (s *Notifier) written(t Target, n rollout.Notification, now rollout.Standing) (to string, body []byte, err error) {
	switch t.Type {
	case Webhook:
		body, err = webhookJSON(n, s.opts.ExternalURL)
		return t.URL, body, err
	case Slack:
		body, err = slackJSON(n, s.opts.ExternalURL)
		return t.URL, body, err
	case Alertmanager:
		body, err = alertsJSON(n, now, s.opts.ExternalURL)
		return strings.TrimSuffix(t.URL, "/") + "/api/v2/alerts", body, err
	}
	return "", nil, fmt.Errorf("%q is no type of target", t.Type)
}

// post sends a body and gives the answer.
func (s *Notifier) post(ctx context.Context, t Target, to, id string, body []byte) (string, error) {
	req, err := s.request(ctx, t, to, id, body)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrTerminal, err)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return "", withoutURL(err)
	}
	defer res.Body.Close()
	io.CopyN(io.Discard, res.Body, maxAnswer) //nolint:errcheck // the status is the answer
	return answer(res.StatusCode), judge(res, s.opts.Now())
}

func (s *Notifier) request(ctx context.Context, t Target, to, id string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its URL is not valid")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sluice")
	if t.Type == Webhook {
		key, err := signature.Key(t.Secret)
		if err != nil {
			return nil, fmt.Errorf("its secret %w", err)
		}
		signature.Sign(req.Header, key, id, s.opts.Now(), body)
	}
	return req, nil
}

// judge says what an answer means: a target that is busy or broken is tried
// again, one that does not want the notification is not.
func judge(res *http.Response, now time.Time) error {
	if res.StatusCode/100 == 2 {
		return nil
	}
	err := &AnswerError{Status: res.StatusCode, After: retryAfter(res.Header.Get("Retry-After"), now)}
	switch code := res.StatusCode; {
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return err
	case code/100 == 3:
		return fmt.Errorf("%w, and redirects are not followed: give the URL that it leads to: %w", err, ErrTerminal)
	}
	return fmt.Errorf("%w: %w", err, ErrTerminal)
}

// maxRetryAfter bounds what a target may ask for.
const maxRetryAfter = time.Hour

// retryAfter reads the header, which is seconds or a date.
func retryAfter(header string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(header); err == nil {
		wait = date.Sub(now)
	}
	return max(0, min(wait, maxRetryAfter))
}

// withoutURL is what went wrong with a request, without where it went: the path
// of many targets is what keeps strangers out.
func withoutURL(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		if of.Timeout() {
			return errors.New("the target did not answer in time")
		}
		err = of.Err
	}
	return fmt.Errorf("the target is not reached: %w", err)
}
