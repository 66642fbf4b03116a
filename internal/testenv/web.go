package testenv

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"testing"
)

// web is a private server that says over HTTP when it is ready.
type web struct{ server }

// begin starts it, and is back when it answers at the path; it ends with the test.
func (w *web) begin(t testing.TB, path string) {
	t.Helper()
	w.ready = func(ctx context.Context) error { return w.answers(ctx, path) }
	t.Cleanup(func() {
		if err := w.end(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
	must(t, w.start())
}

func (w *web) answers(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL()+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", w.name, res.Status)
	}
	return nil
}

// URL is where it listens.
func (w *web) URL() string { return "http://" + w.addr }

// ownAddress is a free one of this machine.
func ownAddress(t testing.TB) string {
	t.Helper()
	port, err := freePort()
	must(t, err)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
