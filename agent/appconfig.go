package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/client"
)

// appConfig answers at the path of AWS AppConfig's agent with what was applied last, to programs of
// this machine. They are asked for no token, as they are not by that agent.
type appConfig struct {
	service, environment string

	mu      sync.Mutex
	applied *client.Config // nil before the first
}

const appConfigPath = "GET /applications/{application}/environments/{environment}/configurations/{configuration}"

// listenAppConfig refuses an address that others can reach: secrets are opened in what is served.
func listenAppConfig(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("appconfig address %q: write 127.0.0.1:2772", address)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("appconfig address %q: only this machine may ask, write 127.0.0.1:2772", address)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("appconfig: %w", err)
	}
	return l, nil
}

// serveAppConfig serves what apply has brought to the program, until ctx ends.
func serveAppConfig(ctx context.Context, opts Options, apply applyFunc, running *sync.WaitGroup) (applyFunc, error) {
	l, err := listenAppConfig(ctx, opts.AppConfigListen)
	if err != nil {
		return nil, err
	}
	a := &appConfig{service: opts.Session.Service, environment: opts.Session.Environment}
	running.Go(func() {
		if err := a.run(ctx, l); err != nil {
			opts.Session.Logger.ErrorContext(ctx, "programs cannot read as from AppConfig's agent any more", "error", err)
		}
	})
	return func(ctx context.Context, cfg client.Config) error {
		err := apply(ctx, cfg)
		if err == nil {
			a.keep(cfg)
		}
		return err
	}, nil
}

// applyFunc makes the program run a configuration.
type applyFunc = func(ctx context.Context, cfg client.Config) error

// run serves until ctx ends.
func (a *appConfig) run(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc(appConfigPath, a.read)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // what is cut off is a read of this machine's own
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("appconfig: %w", err)
	}
	return nil
}

// keep is what is served from now on.
func (a *appConfig) keep(cfg client.Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied = &cfg
}

func (a *appConfig) current() *client.Config {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applied
}

func (a *appConfig) read(w http.ResponseWriter, r *http.Request) {
	cfg := a.current()
	switch {
	case cfg == nil:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "no configuration was applied yet")
		return
	case r.PathValue("application") != a.service, !sameEnvironment(r.PathValue("environment"), a.environment), r.PathValue("configuration") != cfg.Profile:
		refuse(w, http.StatusNotFound, "this agent brings "+cfg.Profile+" of "+a.service+" in "+a.environment)
		return
	}
	body, err := flagsOf(cfg.Data, r.URL.Query()["flag"])
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	w.Header().Set("Configuration-Version", cfg.Version)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // who does not wait for the answer does not want it
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // as above
}

// sameEnvironment takes the short names too.
func sameEnvironment(asked, environment string) bool {
	short := map[string]string{"Development": "dev", "Staging": "stage", "Production": "prod"}[environment]
	return strings.EqualFold(asked, environment) || strings.EqualFold(asked, short)
}

// flagsOf is all of it, what one flag holds, or several flags by name.
func flagsOf(data []byte, flags []string) ([]byte, error) {
	if len(flags) == 0 {
		return data, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("the configuration has no flags: %w", err)
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, flag := range flags {
		value, ok := all[flag]
		if !ok {
			return nil, fmt.Errorf("the configuration has no flag %q", flag)
		}
		if len(flags) == 1 {
			return value, nil
		}
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(flag)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
