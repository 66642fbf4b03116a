package forge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/forge/forgetest"
)

// wire is a forge that is one function.
type wire func(*http.Request) words

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	said := w(r)
	h := http.Header{}
	for i := 0; i < len(said.header); i += 2 {
		h.Set(said.header[i], said.header[i+1])
	}
	return &http.Response{StatusCode: said.status, Header: h, Body: io.NopCloser(strings.NewReader(said.body))}, nil
}

// words are an answer, with headers in pairs.
type words struct {
	status int
	body   string
	header []string
}

func said(status int, body string, header ...string) words { return words{status, body, header} }

// get asks a gateway for a path.
func get(ctx context.Context, g *forge.Gateway, path string, header ...string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://forge.example.com"+path, nil)
	if err != nil {
		return "", err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := g.Client().Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestHowLongAForgeIsWaitedFor(t *testing.T) {
	t.Parallel()
	const now = 1_700_000_000
	date := func(offset int) string {
		return time.Unix(now+int64(offset), 0).UTC().Format(http.TimeFormat)
	}
	epoch := func(offset int) string { return fmt.Sprint(now + offset) }
	for name, c := range map[string]struct {
		answer words
		want   time.Duration // 0: the answer is no limit
	}{
		"seconds":                  {said(403, "", "Retry-After", "30"), 30 * time.Second},
		"a date":                   {said(429, "", "Retry-After", date(45)), 45 * time.Second},
		"nothing said":             {said(429, ""), time.Minute},
		"said in words alone":      {said(403, `{"message":"You have exceeded a secondary rate limit."}`), time.Minute},
		"a quota spent":            {said(403, "", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", epoch(600)), 10 * time.Minute},
		"by the forge's own clock": {said(403, "", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", epoch(7800), "Date", date(7200)), 10 * time.Minute},
		"GitLab's names":           {said(429, "", "RateLimit-Remaining", "0", "RateLimit-Reset", epoch(20)), 20 * time.Second},
		"seconds to the reset":     {said(429, "", "RateLimit-Remaining", "0", "RateLimit-Reset", "20"), 20 * time.Second},
		"under repair":             {said(503, "", "Retry-After", "120"), 2 * time.Minute},
		"a year":                   {said(429, "", "Retry-After", "31536000"), 65 * time.Minute},
		"the end of time":          {said(403, "", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "9223372036854775807"), 65 * time.Minute},
		"yesterday":                {said(429, "", "Retry-After", date(-86400)), time.Second},
		"less than nothing":        {said(429, "", "Retry-After", "-5"), time.Second},
		"gibberish":                {said(429, "", "Retry-After", "soon", "X-RateLimit-Remaining", "few"), time.Minute},
		"not allowed at all":       {said(403, `{"message":"Must have admin rights."}`, "X-RateLimit-Remaining", "59"), 0},
		"broken":                   {said(503, ""), 0},
	} {
		g := forge.NewGateway(forge.GatewayOptions{
			Host: "forge", Now: func() time.Time { return time.Unix(now, 0) },
			Transport: wire(func(*http.Request) words { return c.answer }),
		})
		_, err := get(t.Context(), g, "/")
		limited, ok := errors.AsType[*forge.LimitedError](err)
		switch {
		case ok != (c.want > 0):
			t.Errorf("%s: error %v, want a wait of %s", name, err, c.want)
		case ok && limited.RetryAfter() != c.want:
			t.Errorf("%s: again after %s, want %s", name, limited.RetryAfter(), c.want)
		}
	}
}

func TestTheLastOfAQuotaIsAnAnswer(t *testing.T) {
	t.Parallel()
	clock, sent := &forgetest.Clock{}, 0
	outcomes := map[forge.Outcome]int{}
	g := forge.NewGateway(forge.GatewayOptions{
		Host: "forge", Now: clock.Now,
		Quota: func(host string, remaining, limit int) {
			if host != "forge" || remaining != 0 || limit != 60 {
				t.Errorf("told %s %d of %d", host, remaining, limit)
			}
		},
		Answered: func(_ string, o forge.Outcome) { outcomes[o]++ },
		Transport: wire(func(*http.Request) words {
			sent++
			return said(200, "last", "X-RateLimit-Remaining", "0", "X-RateLimit-Limit", "60", "X-RateLimit-Reset", "60")
		}),
	})
	for i, want := range []string{"last", "", "", "last"} {
		if i == 3 {
			clock.Advance(61 * time.Second)
		}
		if body, _ := get(t.Context(), g, "/"); body != want {
			t.Errorf("request %d: %q, want %q", i, body, want)
		}
	}
	if sent != 2 || outcomes[forge.Answered] != 2 || outcomes[forge.Waiting] != 2 {
		t.Errorf("%d were sent; outcomes %v", sent, outcomes)
	}
}

func TestAGatewayAsksForAFewThingsAtOnce(t *testing.T) {
	t.Parallel()
	arrived, leave := make(chan struct{}, 8), make(chan struct{})
	g := forge.NewGateway(forge.GatewayOptions{Host: "forge", MaxAtOnce: 2, Transport: wire(func(*http.Request) words {
		arrived <- struct{}{}
		<-leave
		return said(200, "")
	})})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { get(t.Context(), g, "/") }) //nolint:errcheck // its arrival matters
	}
	<-arrived
	<-arrived
	// Both places are taken: a third waits, and its own patience ends.
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := get(ctx, g, "/")
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	close(leave)
	all.Wait()
	if len(arrived) != 0 {
		t.Error("a third request was sent")
	}
	if _, err := get(t.Context(), g, "/"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAnswersAreKeptForWhoeverGotThemAndWithinBounds(t *testing.T) {
	t.Parallel()
	g := forge.NewGateway(forge.GatewayOptions{Host: "forge", MaxCache: 16 << 10, Transport: wire(func(r *http.Request) words {
		if r.Header.Get("If-None-Match") != "" {
			return said(304, "", "Date", "anew")
		}
		size := 1 << 10
		if r.URL.Path == "/large" {
			size = 6 << 10
		}
		return said(200, strings.Repeat("x", size), "ETag", `"tag"`)
	})})
	unchanged := func(path, token string) bool {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://forge.example.com"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := g.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || len(body) < 1<<10 {
			t.Fatalf("%d, %d bytes, %v", resp.StatusCode, len(body), err)
		}
		return resp.Header.Get("Date") == "anew"
	}
	if unchanged("/0", "one") || !unchanged("/0", "one") {
		t.Error("an answer is not kept")
	}
	if unchanged("/0", "two") {
		t.Error("an answer is given to somebody else")
	}
	unchanged("/large", "one")
	if unchanged("/large", "one") {
		t.Error("an answer that would push out the others is kept")
	}
	for i := range 20 {
		unchanged(fmt.Sprintf("/%d", i), "one")
	}
	if !unchanged("/19", "one") || unchanged("/5", "one") {
		t.Error("the latest are to be kept, and no more than there is room for")
	}
}

func TestARepositoryThatMovedIsStillRead(t *testing.T) {
	t.Parallel()
	g := forge.NewGateway(forge.GatewayOptions{Host: "forge", Transport: wire(func(r *http.Request) words {
		switch r.URL.Path {
		case "/old":
			return said(301, "", "Location", "/new")
		case "/circle":
			return said(302, "", "Location", "/circle")
		}
		return said(200, r.URL.Path)
	})})
	if body, err := get(t.Context(), g, "/old"); err != nil || body != "/new" {
		t.Errorf("%q, %v", body, err)
	}
	if _, err := get(t.Context(), g, "/circle"); !errors.Is(err, forge.ErrTerminal) {
		t.Errorf("error %v, want ErrTerminal", err)
	}
}

// What a forge says ends up in logs and on pages: one line, not long, no markup of terminals.
func TestWhatAForgeSaysIsShownWithCare(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"deep":          strings.Repeat(`{"message":`, 200_000),
		"deep lists":    `{"message":` + strings.Repeat(`[`, 200_000) + strings.Repeat(`]`, 200_000) + `}`,
		"long":          `{"message":"` + strings.Repeat("é", 100_000) + `"}`,
		"many":          `{"errors":[` + strings.Repeat(`"no",`, 100_000) + `"no"]}`,
		"other types":   `{"message":[1,2],"error":{"a":null},"errors":[null,7,{}]}`,
		"a list":        `[]`,
		"null":          `null`,
		"control codes": "{\"message\":\"red \\u001b[31m\\nlevel=error forged\\u0000\"}",
		"a page":        "<html>" + strings.Repeat("x", 10_000),
	} {
		g, err := forge.NewGitHub(forge.GitHubOptions{Repository: "a/b", Token: "token-canary", Gateway: forge.NewGateway(forge.GatewayOptions{
			Host: "forge", Transport: wire(func(*http.Request) words { return said(422, body) }),
		})})
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.PullRequest(t.Context(), 1)
		if err == nil || !errors.Is(err, forge.ErrTerminal) {
			t.Fatalf("%s: error %v", name, err)
		}
		if s := err.Error(); len(s) > 2_000 || strings.ContainsAny(s, "\n\r\x00\x1b") {
			t.Errorf("%s: %d bytes: %.200q", name, len(s), s)
		}
	}
}
