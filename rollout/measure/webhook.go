package measure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sluicehq/sluice/internal/signature"
	"github.com/sluicehq/sluice/internal/spans/outgoing"
	"github.com/sluicehq/sluice/rollout"
)

// webhookTimeout is how long a gate may think. One that needs longer says wait.
const webhookTimeout = 4 * time.Second

// Gate is a webhook that is asked whether a deployment may go on.
type Gate struct {
	Name   string
	URL    string
	Secret string // key of the signature, as signature.Key reads it
}

// webhooks are the gates by name.
type webhooks struct {
	gates  map[string]signedGate
	client *http.Client
}

type signedGate struct {
	url string
	key []byte
}

func newWebhooks(gates []Gate) (*webhooks, error) {
	w := &webhooks{gates: map[string]signedGate{}, client: &http.Client{Transport: outgoing.Transport(newTransport()), CheckRedirect: noRedirects}}
	for _, g := range gates {
		if _, err := url.Parse(g.URL); err != nil { // its text would repeat the URL
			return nil, fmt.Errorf("gate %s: url is not a URL", g.Name)
		}
		key, err := signature.Key(g.Secret)
		if err != nil {
			return nil, fmt.Errorf("gate %s: secret %w", g.Name, err)
		}
		w.gates[g.Name] = signedGate{g.URL, key}
	}
	return w, nil
}

// question is the body that a gate is sent.
type question struct {
	Gate       string   `json:"gate"`
	Metric     string   `json:"metric"`
	Deployment string   `json:"deployment"`
	Profile    string   `json:"profile"`
	Version    string   `json:"version"`
	Previous   string   `json:"previous,omitempty"`
	Commit     string   `json:"commit,omitempty"`
	Phase      int      `json:"phase"`
	Percent    int      `json:"percent"`
	Instances  []string `json:"instances"`
}

// measure asks the gate that the ask names.
func (w *webhooks) measure(ctx context.Context, ask rollout.Ask) rollout.Measurement {
	gate, ok := w.gates[ask.Query]
	if !ok {
		return rollout.Measurement{Err: fmt.Sprintf("this server knows no gate %s: add it to the setting gates", ask.Query)}
	}
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	req, err := gate.request(ctx, ask, time.Now())
	if err != nil {
		return rollout.Measurement{Err: "the question to the gate could not be written"}
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return rollout.Measurement{Err: "the gate " + ask.Query + ": " + why(ctx, err, webhookTimeout)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxWord+1))
	if err != nil {
		return rollout.Measurement{Err: "the gate " + ask.Query + ": " + why(ctx, err, webhookTimeout)}
	}
	result, reason, err := word(resp.StatusCode, body)
	if err != nil {
		return rollout.Measurement{Err: fmt.Sprintf("the gate %s: %v", ask.Query, err)}
	}
	return rollout.Measurement{Result: result, Reason: reason}
}

// request is the question, signed as Standard Webhooks says.
func (g signedGate) request(ctx context.Context, ask rollout.Ask, now time.Time) (*http.Request, error) {
	q := ask.Question
	body, err := json.Marshal(question{
		Gate: ask.Query, Metric: ask.Name, Deployment: q.Deployment, Profile: q.Profile, Version: q.Version, Previous: q.Previous,
		Commit: q.Commit, Phase: q.Phase, Percent: q.Percent, Instances: q.Instances,
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "sluice-gate")
	signature.Sign(req.Header, g.key, ask.Name+"/"+q.ID, now, body)
	return req, nil
}

// word reads a gate's answer. Of one that is none nothing is repeated.
func word(status int, body []byte) (result rollout.Outcome, reason string, err error) {
	switch {
	case status/100 == 3:
		return "", "", fmt.Errorf("answered %d, a redirect, which is not followed", status)
	case status/100 != 2:
		return "", "", fmt.Errorf("answered %d", status)
	case len(body) > maxWord:
		return "", "", fmt.Errorf("the answer is larger than %d KiB", maxWord>>10)
	}
	var answer struct {
		Result string `json:"result"`
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", "", errors.New(`the answer is not JSON such as {"result": "pass", "reason": "..."}`)
	}
	outcomes := map[string]rollout.Outcome{"pass": rollout.Pass, "fail": rollout.Fail, "wait": rollout.Inconclusive}
	if result = outcomes[answer.Result]; result == "" {
		return "", "", errors.New("result is neither pass, fail nor wait")
	}
	return result, answer.Reason, nil
}
