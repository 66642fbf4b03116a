package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/sluicehq/sluice/internal/telemetry"
)

const canary = "CANARY0123456789"

type valuer struct{}

func (valuer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("registration_token", canary), slog.String("name", "shown"))
}

func TestLogHidesSecrets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rule string
		log  func(*slog.Logger)
		want string // must be in the line
	}{
		{"by key", func(l *slog.Logger) { l.Info("m", "password", canary) }, `"password":"***"`},
		{"by the name of the group", func(l *slog.Logger) { l.Info("m", slog.Group("secrets", "one", canary)) }, `"one":"***"`},
		{"in a URL of a value", func(l *slog.Logger) { l.Info("m", "repo", "https://"+canary+"@host/x.git") }, `https://***@host/x.git`},
		{"in a URL of the message", func(l *slog.Logger) { l.Info("get https://host/x?q=" + canary) }, `https://host/x?***`},
		{"in an error", func(l *slog.Logger) { l.Info("m", "error", errors.New("get https://u:"+canary+"@host/: refused")) }, `https://***@host/: refused`},
		{"in a Stringer", func(l *slog.Logger) {
			l.Info("m", "url", &url.URL{Scheme: "https", User: url.User(canary), Host: "host"})
		}, `https://***@host`},
		{"in headers", func(l *slog.Logger) {
			l.Info("m", "headers", http.Header{"Authorization": {canary}, "Accept": {"text/plain"}})
		}, `"Accept":["text/plain"]`},
		{"in a struct", func(l *slog.Logger) { l.Info("m", "login", struct{ User, Password string }{"ann", canary}) }, `"User":"ann"`},
		{"in a LogValuer", func(l *slog.Logger) { l.Info("m", "settings", valuer{}) }, `"name":"shown"`},
		{"in attributes given before", func(l *slog.Logger) { l.With("token", canary).WithGroup("g").Info("m", "a", 1) }, `"g":{"a":1}`},
		{"a bearer token in text", func(l *slog.Logger) { l.Info("m", "header", "Bearer "+canary) }, `Bearer ***`},
		{"a value that has no JSON", func(l *slog.Logger) { l.Info("m", "f", func() string { return canary }) }, `(func() string)`},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			tt.log(telemetry.NewLogger(&out, "json", telemetry.NewLevels(slog.LevelInfo)))
			if !strings.Contains(out.String(), tt.want) {
				t.Errorf("%s lacks %s", out.String(), tt.want)
			}
			if strings.Contains(out.String(), canary) {
				t.Errorf("%s leaks", out.String())
			}
			if !json.Valid(out.Bytes()) {
				t.Errorf("%s is not JSON", out.String())
			}
		})
	}
}

func TestLogKeepsTheRest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, "text", telemetry.NewLevels(slog.LevelInfo))
	log.Info("synced", "source", "configs", "n", 3, "took", 2*time.Second, "token", "", "list", []string{"a"}, "nothing", nil)
	for _, want := range []string{`msg=synced`, "level=INFO", "source=configs", "n=3", "took=2s", `token=""`, "list=[a]", "nothing=<nil>"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s lacks %s", out.String(), want)
		}
	}
}

func TestLogWritesDurationsForPeople(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"json": `"took":"1.5s"`, "text": "took=1.5s"} {
		var out bytes.Buffer
		telemetry.NewLogger(&out, format, telemetry.NewLevels(slog.LevelInfo)).Info("applied", "took", 1500*time.Millisecond)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s lacks %s", out.String(), want)
		}
	}
}

func TestLevelsCanBeChanged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	levels := telemetry.NewLevels(slog.LevelInfo)
	log := telemetry.NewLogger(&out, "json", levels)
	engine, door := log.With("component", "engine"), log.With("component", "api")
	written := func() (lines string) { lines = out.String(); out.Reset(); return lines }
	speak := func() string {
		for name, l := range map[string]*slog.Logger{"all": log, "engine": engine.With("n", 1), "door": door.WithGroup("g")} {
			l.Debug("debug", "of", name)
			l.Warn("warn", "of", name)
		}
		return written()
	}
	if lines := speak(); strings.Contains(lines, "debug") || strings.Count(lines, "warn") != 3 {
		t.Errorf("as configured: %s", lines)
	}
	levels.Set(slog.LevelError, map[string]slog.Level{"engine": slog.LevelDebug})
	if lines := speak(); strings.Count(lines, "msg") != 2 || strings.Count(lines, `"of":"engine"`) != 2 {
		t.Errorf("the engine alone: %s", lines)
	}
	levels.Set(slog.LevelDebug, nil)
	if lines := speak(); strings.Count(lines, "msg") != 6 {
		t.Errorf("everything: %s", lines)
	}
	levels.Set(slog.LevelInfo, map[string]slog.Level{"door": slog.LevelDebug})
	log.WithGroup("g").With("component", "door").Debug("of a group") // which names no component
	if lines := written(); lines != "" {
		t.Errorf("what a group holds is taken for a component: %s", lines)
	}
	levels.Reset()
	if lines := speak(); strings.Contains(lines, "debug") {
		t.Errorf("after the reset: %s", lines)
	}
	if got := levels.Components(); !slices.Equal(got, []string{"api", "engine"}) {
		t.Errorf("components are %v", got)
	}
	if _, err := telemetry.ParseLevel("loud"); err == nil {
		t.Error("loud is a level")
	}
}

func TestTracesWithoutAnExporter(t *testing.T) {
	t.Parallel()
	provider, err := telemetry.NewTracerProvider(t.Context(), func(string) string { return "" }, "sluice", "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := provider.Tracer("test").Start(t.Context(), "step")
	defer span.End()
	if !span.SpanContext().HasTraceID() || span.SpanContext().IsSampled() {
		t.Errorf("span is %+v", span.SpanContext())
	}
	carrier := propagation.MapCarrier{}
	telemetry.Propagator().Inject(ctx, carrier)
	if !strings.Contains(carrier["traceparent"], span.SpanContext().TraceID().String()) {
		t.Errorf("traceparent is %q", carrier["traceparent"])
	}
	var out bytes.Buffer
	telemetry.NewLogger(&out, "json", telemetry.NewLevels(slog.LevelInfo)).InfoContext(ctx, "m")
	if !strings.Contains(out.String(), span.SpanContext().TraceID().String()) {
		t.Errorf("the line does not name its trace: %s", out.String())
	}
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestTracesAreExported sets variables, which the exporter reads itself, so it
// cannot run beside others.
func TestTracesAreExported(t *testing.T) {
	got := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case got <- r.Header.Get("X-Canary") + " " + r.URL.Path:
		default:
		}
	}))
	defer collector.Close()
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_EXPORTER_OTLP_HEADERS": "x-canary=yes"}
	for k, v := range env {
		t.Setenv(k, v)
	}
	provider, err := telemetry.NewTracerProvider(t.Context(), func(k string) string { return env[k] }, "sluice", "test")
	if err != nil {
		t.Fatal(err)
	}
	_, span := provider.Tracer("test").Start(t.Context(), "step")
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := provider.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if request := <-got; request != "yes /v1/traces" {
		t.Errorf("the collector got %q", request)
	}
}

func TestExportCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	for _, off := range []map[string]string{{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}} {
		off["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
		provider, err := telemetry.NewTracerProvider(t.Context(), func(k string) string { return off[k] }, "sluice", "test")
		if err != nil {
			t.Fatal(err)
		}
		_, span := provider.Tracer("test").Start(t.Context(), "step")
		if span.SpanContext().IsSampled() {
			t.Errorf("%v does not turn it off", off)
		}
		span.End()
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	families, err := telemetry.NewRegistry("1.2.3").Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		if f.GetName() == "sluice_build_info" && !strings.Contains(f.String(), "1.2.3") {
			t.Errorf("build info is %s", f)
		}
	}
	for _, want := range []string{"go_goroutines", "process_start_time_seconds", "sluice_build_info"} {
		if !names[want] {
			t.Errorf("%s is missing", want)
		}
	}
}

// TestWhatTelemetryCannotDoIsLogged sets what is the process's own, so it cannot
// run beside others.
func TestWhatTelemetryCannotDoIsLogged(t *testing.T) {
	before := otel.GetErrorHandler()
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	var out bytes.Buffer
	telemetry.LogErrors(telemetry.NewLogger(&out, "json", telemetry.NewLevels(slog.LevelInfo)))
	otel.Handle(errors.New("traces export: https://u:" + canary + "@collector/v1/traces: refused"))
	if text := out.String(); !json.Valid(out.Bytes()) || !strings.Contains(text, "@collector/v1/traces: refused") || strings.Contains(text, canary) {
		t.Errorf("the log is %s", text)
	}
}
