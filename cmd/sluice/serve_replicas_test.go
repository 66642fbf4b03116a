package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
)

// The daemon starts without its Redis, says so, and uses it when it comes.
func TestServeWithRedis(t *testing.T) {
	t.Parallel()
	redis := testenv.NewRedis(t, "--requirepass", "s3cret-word")
	redis.Kill(t)
	url := strings.Replace(redis.URL(), "redis://", "redis://:s3cret-word@", 1)
	address, out, stop := startDaemon(t, "--data-dir", t.TempDir(), "--redis-url", url)
	get := func(path string) string {
		resp, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s answers %d, %v: %s", path, resp.StatusCode, err, body)
		}
		return string(body)
	}
	degraded := func() bool {
		var ready struct{ Degraded map[string]string }
		if err := json.Unmarshal([]byte(get("/readyz")), &ready); err != nil {
			t.Fatal(err)
		}
		return ready.Degraded["redis"] != ""
	}
	eventually(t, "the daemon to miss its Redis", degraded)
	if metrics := get("/metrics"); !strings.Contains(metrics, "sluice_coordination_degraded 1\n") {
		t.Errorf("no metric says so: %s", metrics)
	}
	redis.Start(t)
	eventually(t, "the daemon to find its Redis", func() bool { return !degraded() })
	if metrics := get("/metrics"); !strings.Contains(metrics, "sluice_coordination_degraded 0\n") {
		t.Errorf("the metric is not taken back: %s", metrics)
	}
	if code := stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if log := out.String(); strings.Contains(log, "s3cret") || strings.Count(log, "redis does not answer") != 1 {
		t.Errorf("it says %s", log)
	}
}
