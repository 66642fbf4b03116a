package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/fakeserver"
	"github.com/sluicehq/sluice/internal/testenv"
)

const (
	goodSecret = "canary-opened-good-51fe"
	badSecret  = "canary-opened-bad-8c02"
	assigning  = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" // the server's span
	refusing   = "00-5bf92f3577b34da6a3ce929d0e0e4736-10f067aa0ba902b7-01"
)

// opened is a version whose secret the server opens to the given text.
func opened(f *fakeserver.Server, version string, generation int64, secret, parent string) wire.Assignment {
	a := fakeserver.Assignment("cart.staging", version, generation, map[string]any{"key": map[string]any{"$secret": "env:" + secret[7:10]}})
	a.Data, a.TraceParent = nil, parent
	f.Update(func() {
		if f.Opened == nil {
			f.Opened = map[string][]byte{}
		}
		f.Opened[a.Hash] = []byte(`{"key":"` + secret + `"}`)
	})
	return a
}

// children are the spans below another one by name.
func children(all []testenv.Span, trace, parent string) map[string]testenv.Span {
	below := map[string]testenv.Span{}
	for _, s := range all {
		if s.Trace == trace && s.Parent == parent {
			below[s.Name] = s
		}
	}
	return below
}

// A real agent's reload goes on with the trace of whoever assigned it, through
// its commands and to the program, and back to the server. What it says of a
// failure is what it reports, and it tells all of it before it ends.
func TestAgentsReloadIsInTheTrace(t *testing.T) {
	t.Parallel()
	collector, f, dir := testenv.StartCollector(t), fakeserver.New(t), t.TempDir()
	reloaded := make(chan string, 9)
	program := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reloaded <- r.Header.Get("Traceparent") }))
	t.Cleanup(program.Close)
	a := &sidecar{t: t, binary: testenv.Binary(t), log: filepath.Join(dir, "agent.log"),
		env: append(collector.Env(), "OTEL_BSP_SCHEDULE_DELAY=3600000", "SLUICE_AGENT_TOKEN="+fakeserver.RegistrationToken),
		args: []string{
			"agent", "--server", f.URL(), "--service", "cart", "--environment", "Staging", "--file", filepath.Join(dir, "config.json"),
			"--check-command", `echo "$TRACEPARENT" >> ` + dir + `/checked; ! grep bad "$SLUICE_FILE" || exit 3`, "--reload-url", program.URL + "/-/reload",
		}}
	f.Assign(opened(f, "1.0.0", 1, goodSecret, assigning))
	a.start()
	t.Cleanup(func() {
		if a.cmd != nil {
			a.kill()
		}
	})
	f.UntilAck(1, true)
	f.Assign(opened(f, "1.0.1", 2, badSecret, refusing))
	told := f.UntilAck(2, false).Error
	a.end(syscall.SIGTERM)

	all := collector.Spans()
	t.Logf("the agent told:\n%s", testenv.Tree(all))
	well := traced(t, all, assigning, []string{"config.fetch", "config.check", "config.write", "config.load"})
	ill := traced(t, all, refusing, []string{"config.fetch", "config.check"})
	if well.Error != "" || well.Service != "sluice-agent" || well.Attributes["sluice.profile"] != "cart.staging" ||
		well.Attributes["sluice.version"] != "1.0.0" || well.Attributes["sluice.generation"] != "1" {
		t.Errorf("the reload says %+v", well)
	}
	below, refused := children(all, well.Trace, well.ID), children(all, ill.Trace, ill.ID)
	if load := below["config.load"].Attributes; load["sluice.reload"] != "http" || load["http.response.status_code"] != "200" {
		t.Errorf("the load says %v", load)
	}
	if check := refused["config.check"]; ill.Error != "failed: "+told || check.Error != ill.Error || check.Attributes["process.exit.code"] != "3" || !strings.Contains(told, "***") {
		t.Errorf("the refusal was reported as %q, the check says %+v, the reload %q", told, check, ill.Error)
	}

	checked, err := os.ReadFile(filepath.Join(dir, "checked"))
	if want := parentOf(below["config.check"]) + "\n" + parentOf(refused["config.check"]) + "\n"; err != nil || string(checked) != want {
		t.Errorf("the check command was told %q, %v, want %q", checked, err, want)
	}
	if got, want := <-reloaded, parentOf(below["config.load"]); got != want {
		t.Errorf("the program was told %q, want %q", got, want)
	}
	f.Update(func() {
		want := []string{parentOf(below["config.fetch"]), parentOf(well), parentOf(refused["config.fetch"]), parentOf(ill)}
		if !slices.Equal(f.Traces, want) {
			t.Errorf("the server was told %q, want %q", f.Traces, want)
		}
	})
	if log := a.logs(); !strings.Contains(log, `"msg":"configuration applied"`) || !strings.Contains(log, `"trace_id":"`+well.Trace+`"`) {
		t.Errorf("the log does not lead to the trace:\n%s", log)
	}
	for _, secret := range []string{goodSecret, badSecret, fakeserver.RegistrationToken, "sli_inst-1"} {
		if collector.Holds(secret) || strings.Contains(a.logs(), secret) {
			t.Errorf("%s is told", secret)
		}
	}
}

// traced is the reload below the span that a traceparent names; it has steps of
// these names and no others.
func traced(t *testing.T, all []testenv.Span, parent string, steps []string) testenv.Span {
	t.Helper()
	parts := strings.Split(parent, "-")
	reload, found := children(all, parts[1], parts[2])["config.reload"]
	if !found {
		t.Fatalf("no config.reload below %s", parent)
	}
	below := children(all, reload.Trace, reload.ID)
	for _, step := range steps {
		if _, found := below[step]; !found {
			t.Errorf("no %s below the reload", step)
		}
	}
	if len(below) != len(steps) {
		t.Errorf("the reload has the steps %v, want %v", below, steps)
	}
	return reload
}

// parentOf is how a span is named to others.
func parentOf(s testenv.Span) string { return "00-" + s.Trace + "-" + s.ID + "-01" }
