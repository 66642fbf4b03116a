package measure_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/signature"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/rollout/measure"
)

func gate() rollout.Ask {
	return rollout.Ask{Name: "smoke", Provider: profile.ProviderWebhook, Query: "smoke-tests", Question: rollout.Question{
		ID: "d1/2/77", Deployment: "d1", Profile: "web.production", Version: "1.1.0", Previous: "1.0.0", Commit: "abc",
		Phase: 2, Percent: 30, Instances: []string{"web-1"},
	}}
}

func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   rollout.Outcome
		reason string
		err    string
	}{
		"pass":           {200, `{"result": "pass", "reason": "all 20 tests"}`, rollout.Pass, "all 20 tests", ""},
		"fail":           {200, `{"result": "fail"}`, rollout.Fail, "", ""},
		"wait":           {202, `{"result": "wait", "more": 1}`, rollout.Inconclusive, "", ""},
		"another word":   {200, `{"result": "` + canary + `"}`, "", "", "neither pass, fail nor wait"},
		"no word":        {200, `{}`, "", "", "neither pass, fail nor wait"},
		"no JSON":        {200, canary, "", "", "is not JSON"},
		"too much":       {200, `{"result": "pass", "reason": "` + strings.Repeat("x", 70<<10) + `"}`, "", "", "larger than 64 KiB"},
		"another status": {500, `{"result": "pass"}`, "", "", "the gate smoke-tests: answered 500"},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status); fmt.Fprint(w, c.body) })
		m := measurer(t, measure.Options{Gates: []measure.Gate{{Name: "smoke-tests", URL: s.URL + "/" + canary, Secret: secret}}})
		got := one(t.Context(), m, gate())
		if got.Result != c.want || got.Reason != c.reason || !strings.Contains(got.Err, c.err) || c.err == "" && got.Err != "" {
			t.Errorf("%s: %s %q %q", name, got.Result, got.Reason, got.Err)
		}
		if strings.Contains(got.Err, canary) {
			t.Errorf("%s repeats what somebody else said: %s", name, got.Err)
		}
	}
}

func TestWebhookDoesNotAnswer(t *testing.T) {
	t.Parallel()
	other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	leads := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusPermanentRedirect)
	})
	cuts := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for url, want := range map[string]string{
		leads.URL:                       "answered 308, a redirect",
		cuts.URL:                        "the connection was cut",
		"http://" + closedPort(t):       "connection refused",
		"http://" + canary + ".invalid": "its host name",
		"https://" + strings.TrimPrefix(cuts.URL, "http://"): "the request failed",
	} {
		m := measurer(t, measure.Options{Gates: []measure.Gate{{Name: "smoke-tests", URL: url + "/hooks/" + canary + "?token=" + canary, Secret: secret}}})
		got := one(t.Context(), m, gate())
		if !strings.Contains(got.Err, want) || strings.Contains(got.Err, canary) || strings.Contains(got.Err, "hooks") {
			t.Errorf("%q, want %q", got.Err, want)
		}
	}
}

func TestWebhookIsSigned(t *testing.T) {
	t.Parallel()
	key := []byte("a key of thirty-two bytes or more")
	type sent struct {
		header http.Header
		body   []byte
	}
	heard := make(chan sent, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != "POST" {
			t.Error(r.Method, err)
		}
		heard <- sent{r.Header, body}
		fmt.Fprint(w, `{"result": "pass"}`)
	})
	for name, word := range map[string]string{"plain": string(key), "standard": "whsec_" + base64.StdEncoding.EncodeToString(key)} {
		m := measurer(t, measure.Options{Gates: []measure.Gate{{Name: "smoke-tests", URL: s.URL, Secret: word}}})
		if got := one(t.Context(), m, gate()); got.Err != "" {
			t.Fatal(got.Err)
		}
		got := <-heard
		if err := signature.Verify(got.header, key, got.body, time.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if id := got.header.Get("Webhook-Id"); id != "smoke/d1/2/77" {
			t.Errorf("%s: id %s", name, id)
		}
		var body map[string]any
		if err := json.Unmarshal(got.body, &body); err != nil {
			t.Fatal(err)
		}
		want := `map[commit:abc deployment:d1 gate:smoke-tests instances:[web-1] metric:smoke percent:30 phase:2 previous:1.0.0 profile:web.production version:1.1.0]`
		if fmt.Sprint(body) != want {
			t.Errorf("%s: body %v", name, body)
		}
	}
	if _, err := measure.New(measure.Options{Gates: []measure.Gate{{Name: "g", URL: "http://[" + canary, Secret: secret}}}); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a URL that is none: %v", err)
	}
	if _, err := measure.New(measure.Options{Gates: []measure.Gate{{Name: "g", URL: "http://a", Secret: "whsec_!" + canary}}}); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a secret that is none: %v", err)
	}
}
