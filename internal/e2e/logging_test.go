package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/testenv"
)

// logged are the lines of a daemon's log.
func (d *daemon) logged() (lines []map[string]any) {
	d.t.Helper()
	for line := range strings.Lines(d.logs()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil {
			lines = append(lines, fields)
		}
	}
	return lines
}

// says counts the lines that have all of some fields.
func (d *daemon) says(fields map[string]string) (n int) {
	d.t.Helper()
	for _, line := range d.logged() {
		n++
		for key, value := range fields {
			if fmt.Sprint(line[key]) != value {
				n--
				break
			}
		}
	}
	return n
}

// Two replicas without messages between them follow one word of an Admin: a
// component's debug lines come, and no others, also after a restart. They end by
// themselves.
func TestLogLevelsChangeWhileReplicasRun(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	database := testenv.SharedPostgres(t).CreateDatabase(t, "")
	var replicas []*daemon
	for range 2 {
		d := newDaemon(t, testenv.Binary(t), append(sc.sourceArgs(), "--migrate=true", "--database-url", database, "--log-level", "info")...)
		d.start()
		replicas = append(replicas, d)
	}
	one := replicas[0]
	sc.api = one.signIn()
	changed := map[string]string{"level": "INFO", "msg": "log levels changed", "by": "admin"}
	door := map[string]string{"level": "DEBUG", "component": "api", "route": "/docs"}
	talks := func(d *daemon, n int) {
		t.Helper()
		d.get("/docs")
		eventually(t, "a debug line", func() bool { return d.says(door) == n })
	}

	if _, err := sc.api.SetLogging(t.Context(), wire.LoggingRequest{Components: map[string]string{"api": "debug"}, ExpiresIn: "1h"}); err != nil {
		t.Fatal(err)
	}
	for _, d := range replicas {
		eventually(t, "a replica to follow", func() bool { return d.says(changed) == 1 })
		talks(d, 1)
	}
	sc.status(sc.commit("Open the shop", shopWith(automatic, "greeting: hello")), "sluice/"+shop) // the engine would have something to say
	for _, d := range replicas {
		for _, line := range d.logged() {
			if line["level"] == "DEBUG" && line["component"] != "api" {
				t.Errorf("who was not asked says %v", line)
			}
		}
	}
	one.stop()
	one.start()
	eventually(t, "the restarted replica to follow", func() bool { return one.says(changed) == 2 })
	talks(one, 2)

	if _, err := sc.api.SetLogging(t.Context(), wire.LoggingRequest{Level: "debug", ExpiresIn: "1s"}); err != nil {
		t.Fatal(err)
	}
	for _, d := range replicas {
		eventually(t, "the change to end by itself", func() bool { return d.says(map[string]string{"msg": "log levels are as configured"}) == 1 })
		d.get("/openapi.json")
		d.stop()
		if d.says(map[string]string{"level": "DEBUG", "route": "/openapi.json"}) > 0 {
			t.Error("what is configured does not count again")
		}
	}
}
