package compat_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/compat"
	"github.com/sluicehq/sluice/profile"
)

// shelf has configurations in memory, as one reader sees them.
type shelf struct {
	mu      sync.Mutex
	configs map[string]compat.Config
	waiting []chan struct{}
}

// put places a profile's data, named SERVICE.ENVIRONMENT, under the next index.
func (s *shelf) put(t *testing.T, name, version, text string) {
	t.Helper()
	data, err := profile.DecodeData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	service, environment, _ := strings.Cut(name, ".")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.configs == nil {
		s.configs = map[string]compat.Config{}
	}
	s.configs[name] = compat.Config{
		Profile: name, Service: service, Environment: profile.Environment(strings.ToUpper(environment[:min(1, len(environment))]) + environment[min(1, len(environment)):]),
		Version: version, Hash: profile.Hash(data), Index: s.configs[name].Index + 1, Data: data,
	}
	for _, wake := range s.waiting {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

func (s *shelf) Config(_ context.Context, name string) (compat.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.configs[name]; ok {
		return c, nil
	}
	return compat.Config{}, compat.ErrNotFound
}

func (s *shelf) Index(ctx context.Context, name string) (int64, error) {
	c, err := s.Config(ctx, name)
	return c.Index, err
}

func (s *shelf) Profiles(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.configs)), nil
}

func (s *shelf) Of(ctx context.Context, service string, environment profile.Environment) ([]string, error) {
	names, err := s.Profiles(ctx)
	return slices.DeleteFunc(names, func(name string) bool {
		c := s.configs[name]
		return c.Service != service || c.Environment != environment
	}), err
}

func (s *shelf) Changes(context.Context) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	wake := make(chan struct{}, 1)
	s.waiting = append(s.waiting, wake)
	return wake
}

// serve speaks every protocol, without the API's guards.
func (s *shelf) serve(t *testing.T) string {
	t.Helper()
	e := echo.New()
	for _, p := range compat.Protocols() {
		for _, r := range p.Routes {
			e.Add(r.Method, r.Path, func(c echo.Context) error {
				err := r.Handle(c, s)
				var refused *compat.Refusal
				switch e, ok := err.(*compat.Refusal); { //nolint:errorlint // protocols wrap no refusal
				case err == nil:
					return nil
				case ok:
					refused = e
				case err == compat.ErrNotFound: //nolint:errorlint // as above
					refused = &compat.Refusal{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: err.Error()}
				default:
					return err
				}
				return p.Refuse(c, *refused)
			})
		}
	}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, url string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, strings.TrimSuffix(string(body), "\n")}
}

// answers holds what is answered at paths against what should be: a status alone where it is not 200.
func answers(t *testing.T, base string, want map[string]any) {
	t.Helper()
	for path, expected := range want {
		got := get(t, base+path)
		switch e := expected.(type) {
		case int:
			if got.status != e {
				t.Errorf("%s: %d %s, want %d", path, got.status, got.body, e)
			}
		case string:
			if got.status != http.StatusOK || got.body != e {
				t.Errorf("%s: %d\n%s\nwant\n%s", path, got.status, got.body, e)
			}
		}
	}
}
