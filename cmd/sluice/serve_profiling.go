package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/sluicehq/sluice/internal/settings"
)

// openProfiling opens the door to the profiles of this process, where one is
// wanted. It is a listener of its own: whoever reaches the API never reaches it.
func openProfiling(ctx context.Context, conf settings.Settings, log *slog.Logger) (func(context.Context) error, error) {
	if conf.PprofListen == "" {
		return func(context.Context) error { return nil }, nil
	}
	listener, err := net.Listen("tcp", conf.PprofListen)
	if err != nil {
		return nil, fmt.Errorf("pprof_listen: listen on %s: %w", conf.PprofListen, err)
	}
	server := &http.Server{
		Handler: profiles(), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.InfoContext(ctx, "profiles are served", "address", listener.Addr().String())
	return func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() {
			if err := server.Close(); err != nil { // a profile that is being taken is nothing to wait for
				log.WarnContext(ctx, "the listener for profiles did not close", "error", err)
			}
		})
		defer stop()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve profiles: %w", err)
		}
		return nil
	}, nil
}

// profiles is what net/http/pprof has, without the command line: it may hold secrets.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index) // each profile by its name, too
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
