package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/store"
)

func TestLook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule     string
		env      map[string]string
		terminal bool
		want     look
	}{
		{"a pipe has no colour", map[string]string{"LANG": "C.UTF-8"}, false, look{Width: 80, Height: 24, Unicode: true, Now: noon}},
		{"a terminal says how wide it is", map[string]string{"LANG": "C.UTF-8", "COLUMNS": "90"}, true, look{Width: 132, Height: 50, Color: true, Unicode: true, Now: noon}},
		{"a pipe believes COLUMNS", map[string]string{"LANG": "C.UTF-8", "COLUMNS": "90"}, false, look{Width: 90, Height: 24, Unicode: true, Now: noon}},
		{"NO_COLOR", map[string]string{"NO_COLOR": "1"}, true, look{Width: 132, Height: 50, Now: noon}},
		{"a dumb terminal", map[string]string{"TERM": "dumb"}, true, look{Width: 132, Height: 50, Now: noon}},
		{"no locale is ASCII", nil, false, look{Width: 80, Height: 24, Now: noon}},
		{"LC_ALL goes first", map[string]string{"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, false, look{Width: 80, Height: 24, Now: noon}},
		{"LC_CTYPE is next", map[string]string{"LC_CTYPE": "de_DE.utf8", "LANG": "C"}, false, look{Width: 80, Height: 24, Unicode: true, Now: noon}},
	} {
		c := newConsole(t, nil)
		c.env = tt.env
		if tt.terminal {
			c.terminal(132, 50, "")
		}
		if got := c.lookOf(c.stdout); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.rule, got, tt.want)
		}
	}
}

func TestStreamsAreAsked(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, stream := range []io.Writer{file, &bytes.Buffer{}} {
		if onTerminal(stream) {
			t.Errorf("%T is a terminal", stream)
		}
		if w, h := terminalSize(stream); w != 0 || h != 0 {
			t.Errorf("%T is %d by %d", stream, w, h)
		}
	}
	sh := newShell(file, file, &bytes.Buffer{}, func(string) string { return "" })
	if _, err := sh.promptPassword(); err == nil {
		t.Error("a file is asked for a password")
	}
}

func TestReadLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a\nb": "a", "a\r\n": "a", "end": "end", "\n": ""} {
		if got, err := readLine(strings.NewReader(in)); err != nil || got != want {
			t.Errorf("%q gives %q, %v", in, got, err)
		}
	}
	if _, err := readLine(strings.NewReader("")); !errors.Is(err, io.EOF) {
		t.Errorf("nothing gives %v", err)
	}
	if _, err := readLine(strings.NewReader(strings.Repeat("x", 5000))); err == nil {
		t.Error("there is no bound")
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for want, errs := range map[int][]error{
		0: {nil},
		1: {notSo(nil), notSo(errors.New("no")), fmt.Errorf("wrapped: %w", notSo(nil)), &endError{"a", "1", "Failed"}},
		2: {errors.New("x"), trouble(errors.New("y")), &client.APIError{Status: 400}, &client.APIError{Status: 404}, &client.APIError{Status: 422}},
		3: {
			store.ErrUnavailable, fmt.Errorf("GET /configs: %w", context.DeadlineExceeded), &client.APIError{Status: 429},
			&client.APIError{Status: 500}, &client.APIError{Status: 503}, &net.OpError{Op: "dial", Err: errors.New("refused")},
		},
		4:   {&client.APIError{Status: 401}, fmt.Errorf("wrapped: %w", &client.APIError{Status: 403})},
		5:   {&client.APIError{Status: 404, Code: "NOT_FOUND"}},
		6:   {&client.APIError{Status: 409}, &client.APIError{Status: 412}},
		130: {errStopped, errWatchEnded, fmt.Errorf("GET /configs: %w", context.Canceled)},
	} {
		for _, err := range errs {
			if got := exitCode(err); got != want {
				t.Errorf("%v ends with %d, want %d", err, got, want)
			}
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.wants(t, 0, "--help")
	for _, want := range []string{"Look:", "Act:", "Access:", "Exit codes:", "watch", "rollback"} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("the help lacks %s", want)
		}
	}
	c.wants(t, 0, "get")
	if !strings.Contains(c.out.String(), "profiles") {
		t.Errorf("get alone prints %q", c.out.String())
	}
	c.wants(t, 0, "completion", "bash")
	if !strings.Contains(c.out.String(), "__start_sluice") {
		t.Error("there is no completion for bash")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.wants(t, 0, "version")
	if !strings.HasPrefix(c.out.String(), "sluice devel") {
		t.Errorf("printed %q", c.out.String())
	}
	c.wants(t, 0, "--version")
	if !strings.HasPrefix(c.out.String(), "sluice devel") {
		t.Errorf("printed %q", c.out.String())
	}
	c.wants(t, 0, "version", "-o", "json")
	var got map[string]any
	if err := json.Unmarshal(c.out.Bytes(), &got); err != nil || got["goVersion"] != runtime.Version() ||
		got["platform"] != runtime.GOOS+"/"+runtime.GOARCH || got["version"] != programVersion() {
		t.Errorf("printed %s, %v", c.out.String(), err)
	}
	c.wants(t, 0, "version", "-o", "name")
	if c.out.String() != programVersion()+"\n" {
		t.Errorf("printed %q", c.out.String())
	}
}

// What the linker was told goes before what Go finds out by itself.
func TestBuildOf(t *testing.T) {
	t.Parallel()
	const id = "9f1c2ab47dd0e5b6aa"
	none := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, GoVersion: "go1.26.0"}
	vcs := func(dirty string) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v0.0.0-2026"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: id}, {Key: "vcs.time", Value: "2026-03-01T12:00:00Z"}, {Key: "vcs.modified", Value: dirty},
		}}
	}
	here := " go1.26.0 " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	for _, tt := range []struct {
		rule                  string
		release, commit, date string
		info                  *debug.BuildInfo
		want                  string
	}{
		{"nothing is known", "", "", "", none, "sluice devel"},
		{"go install of a version", "", "", "", &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3"}}, "sluice v1.2.3"},
		{"go build in a clone", "", "", "", vcs("false"), "sluice devel-9f1c2ab47dd0 (commit " + id + ", 2026-03-01T12:00:00Z)"},
		{"go build of changed files", "", "", "", vcs("true"), "sluice devel-9f1c2ab47dd0-dirty (commit " + id + ", 2026-03-01T12:00:00Z, modified)"},
		{"a release", "1.2.3", id, "2026-03-01T12:00:00Z", none, "sluice 1.2.3 (commit " + id + ", 2026-03-01T12:00:00Z)"},
		{"a release of changed files says so", "1.2.3", id + "-dirty", "", none, "sluice 1.2.3 (commit " + id + ", modified)"},
		{"no release", "", id, "", none, "sluice devel-9f1c2ab47dd0 (commit " + id + ")"},
		{"no release of changed files", "", id + "-dirty", "", none, "sluice devel-9f1c2ab47dd0-dirty (commit " + id + ", modified)"},
		{"the linker knows better", "", "abc", "", vcs("true"), "sluice devel-abc (commit abc)"},
	} {
		if got := buildOf(tt.release, tt.commit, tt.date, tt.info).line(); got != tt.want+here {
			t.Errorf("%s: %s", tt.rule, got)
		}
	}
}

func TestErrorsAreSafeToPrint(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.wants(t, 2, "get", "\x1b[31mred\x07")
	if strings.ContainsAny(c.err.String(), "\x1b\x07") {
		t.Errorf("stderr is %q", c.err.String())
	}
}
