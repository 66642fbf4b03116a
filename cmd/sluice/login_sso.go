package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/sso"
)

// browserWithin is how long somebody may take in the browser.
const browserWithin = 10 * time.Minute

// signInByBrowser has a browser bring the code of a sign-in to a port of this
// machine, and exchanges it with the verifier that never left this process.
func signInByBrowser(ctx context.Context, conn *connection) (signedIn wire.LoginResponse, err error) {
	r, err := conn.openWith("")
	if err != nil {
		return signedIn, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return signedIn, fmt.Errorf("wait for the browser: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, browserWithin)
	defer cancel()
	verifier := sso.NewVerifier()
	done := make(chan result, 1)
	tell := func(got result) {
		select {
		case done <- got:
		default: // the first is the one
		}
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: codeTaker(func(ctx context.Context, code string) error {
		in, err := r.c.ExchangeCode(ctx, code, verifier)
		tell(result{in, err})
		return err
	})}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			tell(result{err: fmt.Errorf("wait for the browser: %w", err)})
		}
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	query := url.Values{"port": {fmt.Sprint(port)}, "challenge": {sso.Challenge(verifier)}}
	fmt.Fprintf(conn.sh.stderr, "Open this page on this machine, and confirm port %d:\n  %s/login/sso?%s\n", port, conn.url(), query.Encode())
	select {
	case got := <-done:
		signedIn, err = got.in, got.err
	case <-ctx.Done():
		err = fmt.Errorf("nobody signed in: %w", ctx.Err())
	}
	// The page that says so still goes out.
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	if server.Shutdown(last) != nil {
		err = errors.Join(err, server.Close())
	}
	return signedIn, err
}

type result struct {
	in  wire.LoginResponse
	err error
}

// codeTaker is the page that a browser brings a code to.
func codeTaker(take func(context.Context, string) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		code := r.URL.Query().Get("code")
		if r.Method != http.MethodGet || r.URL.Path != "/" || code == "" {
			http.Error(w, "There is nothing here.", http.StatusNotFound)
			return
		}
		if take(r.Context(), code) != nil {
			http.Error(w, "This did not sign the command line in: it says why.", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "The command line is signed in. You may close this page.")
	})
}
