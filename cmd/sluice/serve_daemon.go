package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/internal/telemetry"
)

// process is what a daemon of any role has from its first line on.
type process struct {
	log      *slog.Logger
	levels   *telemetry.Levels
	registry *prometheus.Registry
	end      func(context.Context) error // sends what is left to be told
}

// begin sets up how the process tells of itself.
func begin(ctx context.Context, sh *shell, conf settings.Settings) (process, error) {
	log, levels, err := newLog(sh, conf)
	if err != nil {
		return process{}, err
	}
	log.InfoContext(ctx, "starting", "version", programVersion(), "settings", conf)
	registry := telemetry.NewRegistry(programVersion())
	telemetry.LogErrors(log)
	tracing, err := telemetry.NewTracerProvider(ctx, sh.getenv, "sluice", programVersion())
	if err != nil {
		return process{}, fmt.Errorf("set up tracing: %w", err)
	}
	otel.SetTracerProvider(tracing)
	otel.SetTextMapPropagator(telemetry.Propagator())
	return process{log, levels, registry, tracing.Shutdown}, nil
}

func newLog(sh *shell, conf settings.Settings) (*slog.Logger, *telemetry.Levels, error) {
	level, err := telemetry.ParseLevel(conf.LogLevel)
	if err != nil {
		return nil, nil, err
	}
	levels := telemetry.NewLevels(level)
	return telemetry.NewLogger(sh.stderr, conf.LogFormat, levels), levels, nil
}

// daemon is what runs until it is asked to stop: the doors, and the loops beside
// them. A loop returns when its context ends, and an error ends all the others.
type daemon struct {
	door     *api.API
	server   *http.Server
	listener net.Listener

	deciding []func(context.Context) error // stop first
	keeping  []func(context.Context) error // stop last
}

// openDaemon opens the listeners. Nothing is served before run.
func openDaemon(ctx context.Context, conf settings.Settings, door *api.API, log *slog.Logger, registry prometheus.Registerer) (*daemon, error) {
	certificates, err := openTLS(conf, log.With("component", "tls"), registry)
	if err != nil {
		return nil, err
	}
	server, listener, err := listen(conf, door, log)
	if err != nil {
		return nil, err
	}
	server.TLSConfig = certificates
	profiling, err := openProfiling(ctx, conf, log)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return &daemon{door: door, server: server, listener: listener, keeping: []func(context.Context) error{profiling}}, nil
}

// run serves until ctx ends.
//
// What decides stops first, so that another replica takes its claims over while
// this one answers its last requests; what keeps stops last: what was accepted is
// still stored, and told to the outside.
func (d *daemon) run(ctx context.Context, conf settings.Settings, log *slog.Logger) error {
	deciding, stopDeciding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDeciding()
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopKeeping()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return serveHTTP(d.server, d.listener) })
	for _, part := range d.deciding {
		group.Go(func() error { return part(deciding) })
	}
	for _, part := range d.keeping {
		group.Go(func() error { return part(keeping) })
	}
	group.Go(func() error {
		<-running.Done()
		defer stopKeeping()
		log.InfoContext(ctx, "stopping")
		d.door.Unready()
		stopDeciding()
		if ctx.Err() != nil { // asked to, not forced to: there is time for load balancers to notice
			time.Sleep(conf.ShutdownDelay)
		}
		d.door.Drain()
		return stopHTTP(ctx, d.server, d.door, conf.ShutdownTimeout)
	})
	log.InfoContext(ctx, "ready", "role", conf.Role, "address", d.listener.Addr().String())
	err := group.Wait()
	log.InfoContext(ctx, "stopped")
	return err
}

// Bounds on what a client may make the server wait for.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

func listen(conf settings.Settings, door *api.API, log *slog.Logger) (*http.Server, net.Listener, error) {
	listener, err := net.Listen("tcp", conf.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", conf.Listen, err)
	}
	return &http.Server{
		Handler: door.Handler(), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}, listener, nil
}

func serveHTTP(server *http.Server, listener net.Listener) error {
	serve := server.Serve
	if server.TLSConfig != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// stopHTTP lets requests and streams end, and cuts those that do not.
func stopHTTP(ctx context.Context, server *http.Server, door *api.API, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	door.Drained(ctx)
	if err := server.Shutdown(ctx); err != nil {
		return server.Close()
	}
	return nil
}

// bounded runs a last step that must not wait for ever.
func bounded(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return step(ctx)
}
