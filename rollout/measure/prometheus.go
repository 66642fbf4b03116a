package measure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/spans/outgoing"
	"github.com/sluicehq/sluice/rollout"
)

// PrometheusOptions say which server to ask, and how to sign in there.
type PrometheusOptions struct {
	URL     string        // user and password in it are basic auth
	Token   string        // bearer token; "" for none
	Timeout time.Duration // of one query
}

// prometheus asks one Prometheus server.
type prometheus struct {
	api     v1.API
	timeout time.Duration
}

func newPrometheus(opts PrometheusOptions) (*prometheus, error) {
	u, err := url.Parse(opts.URL)
	if err != nil { // its text would repeat the URL
		return nil, errors.New("prometheus_url is not a URL")
	}
	auth := signIn{next: capped{outgoing.Transport(newTransport())}, token: opts.Token}
	if u.User != nil {
		auth.user = u.User
		u.User = nil
	}
	client, err := api.NewClient(api.Config{Address: u.String(), Client: &http.Client{Transport: auth, CheckRedirect: noRedirects}})
	if err != nil {
		return nil, errors.New("prometheus_url is not a URL that can be asked")
	}
	return &prometheus{api: v1.NewAPI(client), timeout: opts.Timeout}, nil
}

// signIn adds the credentials to each request.
type signIn struct {
	next  http.RoundTripper
	token string
	user  *url.Userinfo
}

func (s signIn) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if s.user != nil {
		password, _ := s.user.Password()
		req.SetBasicAuth(s.user.Username(), password)
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	return s.next.RoundTrip(req)
}

// measure sends the ask's query as an instant query of now.
func (p *prometheus) measure(ctx context.Context, ask rollout.Ask) rollout.Measurement {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	value, warnings, _, err := p.api.Query(ctx, ask.Query, time.Time{}, v1.WithTimeout(p.timeout))
	if err != nil {
		return rollout.Measurement{Err: "Prometheus: " + p.why(ctx, err)}
	}
	out := single(value)
	out.Reason = strings.Join(warnings, "; ")
	return out
}

// why keeps Prometheus's own words on a query, and nothing of an answer that is not its own.
func (p *prometheus) why(ctx context.Context, err error) string {
	if said, ok := errors.AsType[*v1.Error](err); ok {
		return string(said.Type) + ": " + said.Msg
	}
	return why(ctx, err, p.timeout)
}

// single is the one number of an answer. None is no error: there may be no data yet.
func single(value model.Value) rollout.Measurement {
	switch v := value.(type) {
	case *model.Scalar:
		number := float64(v.Value)
		return rollout.Measurement{Value: &number, N: 1}
	case model.Vector:
		switch {
		case len(v) == 0:
			return rollout.Measurement{}
		case len(v) > 1:
			return rollout.Measurement{Err: fmt.Sprintf("the query gives %d series where one number is needed: aggregate them, as in sum(...) or avg(...)", len(v))}
		case v[0].Histogram != nil:
			return rollout.Measurement{Err: "the query gives a histogram where a number is needed: take histogram_quantile(...) of it"}
		}
		number := float64(v[0].Value)
		return rollout.Measurement{Value: &number, N: 1}
	}
	return rollout.Measurement{Err: fmt.Sprintf("the query gives a %s where one number is needed: take it at an instant, without a range", value.Type())}
}
