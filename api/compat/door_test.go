package compat

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/profile"
)

// shelf is Configs in memory, for one reader.
type shelf struct {
	mu      sync.Mutex
	configs map[string]Config
	reads   int // of data
	waiting []chan struct{}
	entered chan struct{} // somebody began to wait
}

func newShelf(configs ...Config) *shelf {
	s := &shelf{configs: map[string]Config{}, entered: make(chan struct{}, 16)}
	for _, config := range configs {
		s.put(config)
	}
	return s
}

// put gives a profile other data, and wakes whoever waits.
func (s *shelf) put(config Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	config.Hash = profile.Hash(config.Data)
	s.configs[config.Profile] = config
	for _, wake := range s.waiting {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

func (s *shelf) Config(_ context.Context, name string) (Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	config, ok := s.configs[name]
	if !ok {
		return Config{}, ErrNotFound
	}
	return config, nil
}

func (s *shelf) Index(_ context.Context, name string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	config, ok := s.configs[name]
	if !ok {
		return 0, ErrNotFound
	}
	return config.Index, nil
}

func (s *shelf) Profiles(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.configs)), nil
}

func (s *shelf) Of(_ context.Context, service string, environment profile.Environment) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, config := range s.configs {
		if config.Service == service && config.Environment == environment {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (s *shelf) Changes(context.Context) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	wake := make(chan struct{}, 1)
	s.waiting = append(s.waiting, wake)
	s.entered <- struct{}{}
	return wake
}

// door is one protocol over HTTP, as the API serves it but for tokens and limits.
type door struct {
	t    *testing.T
	base string
}

func newDoor(t *testing.T, p *Protocol, from Configs) door {
	t.Helper()
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		refusal, ok := errors.AsType[*Refusal](err)
		switch {
		case ok:
		case errors.Is(err, ErrNotFound):
			refusal = &Refusal{http.StatusNotFound, "NOT_FOUND", ErrNotFound.Error()}
		default:
			refusal = &Refusal{http.StatusInternalServerError, "INTERNAL", err.Error()}
		}
		if err := p.Refuse(c, *refusal); err != nil {
			t.Error(err)
		}
	}
	for _, r := range p.Routes {
		e.Add(r.Method, r.Path, func(c echo.Context) error { return r.Handle(c, from) })
	}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return door{t, server.URL}
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
}

func (d door) call(method, path, body string, header ...string) reply {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.base+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it is read to its end
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, strings.TrimSuffix(string(got), "\n")}
}

func (d door) get(path string, header ...string) reply {
	d.t.Helper()
	return d.call(http.MethodGet, path, "", header...)
}

func (d door) form(path string, values url.Values, header ...string) reply {
	d.t.Helper()
	return d.call(http.MethodPost, path, values.Encode(), append(header, "Content-Type", "application/x-www-form-urlencoded")...)
}

// is checks a status and a body.
func (r reply) is(t *testing.T, status int, body string) {
	t.Helper()
	if r.status != status || r.body != body {
		t.Errorf("got %d %s\nwant %d %s", r.status, r.body, status, body)
	}
}

// decoded reads data as it is written in a profile.
func decoded(t *testing.T, text string) profile.Data {
	t.Helper()
	data, err := profile.DecodeData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func configOf(t *testing.T, name, service string, in profile.Environment, version string, index int64, data string) Config {
	t.Helper()
	return Config{Profile: name, Service: service, Environment: in, Version: version, Index: index, Data: decoded(t, data)}
}
