package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

// course shows a watched list the answers one after the other, then ends it as Ctrl-C does.
func course(t *testing.T, c *console, format string, answers ...any) error {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	w := newListWatcher(c.shell, format)
	w.every = time.Nanosecond
	n := 0
	return w.run(ctx, func(context.Context) (listing, error) {
		n++
		c.now = func() time.Time { return noon.Add(time.Duration(n) * time.Minute) } // time passes between answers
		if n > len(answers) {
			interrupt()
			return listing{}, ctx.Err()
		}
		if err, ok := answers[n-1].(error); ok {
			return listing{}, err
		}
		profiles, ok := answers[n-1].([]wire.Config)
		if !ok {
			t.Fatalf("%T is no answer", answers[n-1])
		}
		names := make([]string, len(profiles))
		for i, p := range profiles {
			names[i] = p.Name
		}
		return listing{value: profiles, kind: "profile", names: names, empty: "no profiles", table: func(l look) table { return profileTable(profiles, l) }}, nil
	})
}

func running(name, version string) wire.Config {
	return wire.Config{Name: name, Environment: "Staging", Origin: "API", CurrentVersion: version, DesiredVersion: version, UpdatedAt: noon}
}

func TestWatchedListInAPipe(t *testing.T) {
	t.Parallel()
	away := errors.New("connection refused")
	answers := []any{
		[]wire.Config{running("a", "1.0.0"), running("b", "1.0.0")},
		[]wire.Config{running("a", "1.0.0"), running("b", "1.0.0")}, // only time passed
		away, away,
		[]wire.Config{running("a", "1.0.0"), running("b", "1.1.0")},
		[]wire.Config{running("b", "1.1.0"), running("c", "2.0.0")},
	}
	for format, want := range map[string]string{
		formatTable: "NAME  ENVIRONMENT  CURRENT  DESIRED  ORIGIN  CHANGED  STATE\n" +
			"a     Staging      1.0.0    1.0.0    API     1m ago   in step\n" +
			"b     Staging      1.0.0    1.0.0    API     1m ago   in step\n" +
			"b     Staging      1.1.0    1.1.0    API     5m ago   in step\n" +
			"c     Staging      2.0.0    2.0.0    API     6m ago   in step\n",
		formatName: "profile/a\nprofile/b\nprofile/b\nprofile/c\n",
	} {
		c := newConsole(t, nil)
		if err := course(t, c, format, answers...); exitCode(err) != exitInterrupted || err.Error() != "" {
			t.Errorf("-o %s ended with %v", format, err)
		}
		if c.out.String() != want {
			t.Errorf("-o %s printed\n%swant\n%s", format, c.out.String(), want)
		}
		if want := "no answer, trying again: connection refused\nthe daemon answers again\na is gone from the list\n"; c.err.String() != want {
			t.Errorf("-o %s remarked %q, want %q", format, c.err.String(), want)
		}
	}
	c := newConsole(t, nil)
	if err := course(t, c, formatJSON, answers...); exitCode(err) != exitInterrupted {
		t.Error(err)
	}
	if lines := strings.Split(strings.TrimSpace(c.out.String()), "\n"); len(lines) != 4 || !strings.HasPrefix(lines[3], `{"name":"c"`) {
		t.Errorf("-o json printed %s", c.out.String())
	}
	c = newConsole(t, nil)
	if err := course(t, c, formatYAML, answers...); exitCode(err) != exitInterrupted || strings.Count(c.out.String(), "---\n") != 4 {
		t.Errorf("-o yaml printed %s, %v", c.out.String(), err)
	}
}

func TestWatchedListOnATerminal(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.terminal(100, 5, "")
	c.color = colourNever
	many := []wire.Config{running("a", "1.0.0"), running("b", "1.0.0"), running("c", "1.0.0"), running("d", "1.0.0")}
	if err := course(t, c, formatTable, many[:2], many[:3], errors.New("connection refused"), many); exitCode(err) != exitInterrupted {
		t.Error(err)
	}
	frames := strings.Split(c.out.String(), "\x1b[J")
	if len(frames) != 5 {
		t.Fatalf("%d frames: %q", len(frames), c.out.String())
	}
	if !strings.HasPrefix(frames[1], "\x1b[3A\r") || !strings.HasPrefix(frames[2], "\x1b[4A\r") || !strings.HasPrefix(frames[3], "\x1b[5A\r") {
		t.Errorf("frames are not drawn over each other: %q", frames)
	}
	if !strings.Contains(frames[2], "no answer, trying again: connection refused") || !strings.Contains(frames[2], "c     Staging") {
		t.Errorf("while the daemon is away it shows %q", frames[2])
	}
	if !strings.Contains(frames[3], "2 lines more, the terminal is too small") || strings.Count(frames[3], "\n") != 4 {
		t.Errorf("what is too long is %q", frames[3])
	}
}

// What is refused at first is refused for good; so is what comes to be refused.
func TestWatchedListIsRefused(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	denied := &client.APIError{Status: http.StatusForbidden, Code: "FORBIDDEN"}
	if err := course(t, c, formatTable, denied); !errors.Is(err, denied) {
		t.Errorf("at first: %v", err)
	}
	if err := course(t, c, formatTable, []wire.Config{running("a", "1.0.0")}, denied); !errors.Is(err, denied) {
		t.Errorf("later: %v", err)
	}
}

func TestWatchFlag(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	d := newDaemon(t)
	d.mux.HandleFunc("GET /api/v1/configs", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, page(running("a", "1.0.0")))
		interrupt()
	})
	c := newConsole(t, d)
	if code := c.run(ctx, []string{"get", "profiles", "--watch", "-o", "name"}); code != exitInterrupted || c.err.Len() > 0 {
		t.Errorf("ended with %d and %q", code, c.err.String())
	}
}
