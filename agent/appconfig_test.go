package agent_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sluicehq/sluice/agent"
	"github.com/sluicehq/sluice/internal/fakeserver"
)

// freeAddress is one of this machine that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Programs that read from AppConfig's agent read what was applied, and nothing that was not.
func TestAppConfigServesWhatWasApplied(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.opts.AppConfigListen = freeAddress(t)
	b.opts.CheckCommand = `! grep -q refused "$SLUICE_FILE"`
	base := "http://" + b.opts.AppConfigListen + "/applications/payment/environments/"
	read := func(path string) (status int, version, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, "", "" // not listening yet
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Configuration-Version"), string(text)
	}
	until := func(want string) {
		t.Helper()
		deadline, tick := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
		defer tick.Stop()
		for {
			_, version, _ := read("Production/configurations/" + profileName)
			if version == want {
				return
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("waited in vain for %s, it serves %s", want, version)
			}
		}
	}
	stop := b.run()
	b.f.Assign(fakeserver.Assignment(profileName, "1.0.0", 1, map[string]any{"a": map[string]any{"enabled": true}, "b": 2}))
	until("1.0.0")
	for path, want := range map[string]string{
		"Production/configurations/" + profileName:                    `{"a":{"enabled":true},"b":2}`,
		"prod/configurations/" + profileName + "?flag=a":              `{"enabled":true}`,
		"production/configurations/" + profileName + "?flag=b&flag=a": `{"b":2,"a":{"enabled":true}}`,
	} {
		if status, _, body := read(path); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
	for _, path := range []string{"Staging/configurations/" + profileName, "prod/configurations/other", "prod/configurations/" + profileName + "?flag=c"} {
		if status, _, body := read(path); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	b.f.Assign(fakeserver.Assignment(profileName, "1.1.0", 2, map[string]any{"a": "refused"}))
	b.f.UntilAck(2, false)
	if _, version, _ := read("Production/configurations/" + profileName); version != "1.0.0" {
		t.Errorf("it serves %s, which was not applied", version)
	}
	b.f.Assign(fakeserver.Assignment(profileName, "1.0.1", 3, map[string]any{"a": "good"}))
	until("1.0.1")
	stop()
	b.f.Stop()
	b.run() // without a server: from what was kept
	until("1.0.1")
}

func TestAppConfigIsForThisMachineAlone(t *testing.T) {
	t.Parallel()
	for _, address := range []string{":2772", "0.0.0.0:2772", "192.0.2.1:2772", "example.com:2772", "2772"} {
		b := newBench(t)
		b.opts.AppConfigListen = address
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := agent.Run(ctx, b.opts); err == nil || ctx.Err() != nil {
			t.Errorf("%s: %v", address, err)
		}
		cancel()
	}
}
