package measure_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/rollout/measure"
)

func query(text string) rollout.Ask {
	return rollout.Ask{Name: "q", Provider: profile.ProviderPrometheus, Query: text}
}

// saying is a Prometheus that answers the same to everything.
func saying(t *testing.T, status int, body string) *measure.Measurer {
	t.Helper()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
	return measurer(t, measure.Options{Prometheus: measure.PrometheusOptions{URL: s.URL}})
}

func TestPrometheusAnswers(t *testing.T) {
	t.Parallel()
	data := func(kind, result string) string {
		return fmt.Sprintf(`{"status": "success", "warnings": ["one store is away"], "data": {"resultType": %q, "result": %s}}`, kind, result)
	}
	for name, c := range map[string]struct {
		status int
		body   string
		value  string // "" for none
		err    string
	}{
		"a scalar":          {200, data("scalar", `[1, "42.5"]`), "42.5", ""},
		"one series":        {200, data("vector", `[{"metric": {"a": "b"}, "value": [1, "7"]}]`), "7", ""},
		"not a number":      {200, data("vector", `[{"metric": {}, "value": [1, "NaN"]}]`), "NaN", ""},
		"no series":         {200, data("vector", `[]`), "", ""},
		"two series":        {200, data("vector", `[{"metric": {}, "value": [1, "7"]}, {"metric": {"a": "b"}, "value": [1, "8"]}]`), "", "gives 2 series where one number is needed: aggregate them, as in sum(...)"},
		"a histogram":       {200, data("vector", `[{"metric": {}, "histogram": [1, {"count": "1", "sum": "1", "buckets": []}]}]`), "", "histogram_quantile"},
		"a range":           {200, data("matrix", `[]`), "", "gives a matrix"},
		"a bad query":       {400, `{"status": "error", "errorType": "bad_data", "error": "1:3: parse error: unexpected end of input"}`, "", "Prometheus: bad_data: 1:3: parse error"},
		"too large a query": {422, `{"status": "error", "errorType": "execution", "error": "too many samples"}`, "", "Prometheus: execution: too many samples"},
		"no right":          {401, canary, "", "client error: 401"},
		"a broken proxy":    {502, canary, "", "server error: 502"},
		"no JSON":           {200, "<html>", "", "bad_response"},
		"an endless answer": {200, `{"status": "` + strings.Repeat("x", 2<<20), "", "larger than 1024 KiB"},
	} {
		got := one(t.Context(), saying(t, c.status, c.body), query("up"))
		value := ""
		if got.Value != nil {
			value = fmt.Sprint(*got.Value)
		}
		if value != c.value || !strings.Contains(got.Err, c.err) || c.err == "" && got.Err != "" {
			t.Errorf("%s: %q %q", name, value, got.Err)
		}
		if c.value != "" && got.Reason != "one store is away" {
			t.Errorf("%s: the warning is lost: %q", name, got.Reason)
		}
		if strings.Contains(got.Err, canary) {
			t.Errorf("%s repeats what somebody else said: %s", name, got.Err)
		}
	}
}

func TestPrometheusSignsIn(t *testing.T) {
	t.Parallel()
	heard := make(chan *http.Request, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		heard <- r
	})
	basic := strings.Replace(s.URL, "http://", "http://ann:"+canary+"@", 1)
	for name, c := range map[string]struct {
		opts measure.PrometheusOptions
		want string
	}{
		"a token":       {measure.PrometheusOptions{URL: s.URL, Token: canary}, "Bearer " + canary},
		"user and word": {measure.PrometheusOptions{URL: basic}, "Basic YW5uOmNhbmFyeS01ZjFlMGM="},
		"nothing":       {measure.PrometheusOptions{URL: s.URL + "/prefix/"}, ""},
	} {
		got := one(t.Context(), measurer(t, measure.Options{Prometheus: c.opts}), query(`up{a="b"}`))
		r := <-heard
		if r.Header.Get("Authorization") != c.want || r.Form.Get("query") != `up{a="b"}` || r.Form.Get("timeout") == "" || !strings.HasSuffix(r.URL.Path, "/api/v1/query") {
			t.Errorf("%s: %s %v", name, r.URL, r.Form)
		}
		if strings.Contains(got.Err, canary) {
			t.Errorf("%s: %s", name, got.Err)
		}
	}
}

func TestPrometheusDoesNotAnswer(t *testing.T) {
	t.Parallel()
	hang := serve(t, hanging)
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("it was led to %s with %v", r.URL, r.Header) })
	leads := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	cuts := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for url, want := range map[string]string{
		hang.URL:                        "Prometheus: no answer within 50ms",
		leads.URL:                       "bad response code 307",
		cuts.URL:                        "Prometheus: the connection was cut",
		"http://" + closedPort(t):       "Prometheus: connection refused",
		"http://" + canary + ".invalid": "its host name",
	} {
		m := measurer(t, measure.Options{Prometheus: measure.PrometheusOptions{URL: url, Token: canary, Timeout: 50 * time.Millisecond}})
		if strings.Contains(want, "host name") {
			m = measurer(t, measure.Options{Prometheus: measure.PrometheusOptions{URL: url}})
		}
		got := one(t.Context(), m, query("up"))
		if !strings.Contains(got.Err, want) || strings.Contains(got.Err, canary) {
			t.Errorf("%q, want %q", got.Err, want)
		}
	}
	if _, err := measure.New(measure.Options{Prometheus: measure.PrometheusOptions{URL: "http://a:" + canary + "@[x"}}); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a URL that is none: %v", err)
	}
}
