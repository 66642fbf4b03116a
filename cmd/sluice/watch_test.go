package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// states are a canary's course to the status given.
func states(end string) []wire.Deployment {
	first := canary()
	first.Phase, first.Progress, first.Revision = 1, wire.Progress{Targets: 10, Assigned: 1}, 1
	first.Explanation = "canary 10%, 0 of 10 instances"
	second := canary()
	second.Revision = 2
	last := canary()
	last.Status, last.Revision, last.Explanation = end, 3, "the end"
	return []wire.Deployment{first, second, second, last}
}

func TestWatchInAPipe(t *testing.T) {
	t.Parallel()
	for end, code := range map[string]int{"Completed": 0, "RolledBack": 1, "Failed": 1, "Superseded": 1, "Cancelled": 1} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t)
			d.streams(deploymentID, states(end))
			c := newConsole(t, d)
			c.wants(t, code, "watch", deploymentID)
			want := "12:00:00  payment-service.production@1.4.0  InProgress  phase 1/4  0/10 applied  gate Pass  canary 10%, 0 of 10 instances\n" +
				"12:00:00  payment-service.production@1.4.0  InProgress  phase 2/4  3/10 applied  gate Pass  canary 30%, 3 of 10 instances: the gate passes, 42 s to go\n" +
				"12:00:00  payment-service.production@1.4.0  " + end + "  phase 2/4  3/10 applied  gate Pass  the end\n"
			if c.out.String() != want {
				t.Errorf("printed\n%swant each change once\n%s", c.out.String(), want)
			}
			if code == 1 && c.err.String() != "sluice: payment-service.production 1.4.0 ended as "+end+"\n" {
				t.Errorf("the error is %q", c.err.String())
			}
		})
	}
}

func TestWatchOnATerminal(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.streams(deploymentID, states("Completed"))
	c := newConsole(t, d)
	c.terminal(80, 40, "")
	c.env["NO_COLOR"] = "1"
	c.wants(t, 0, "watch", deploymentID)
	frames := strings.Split(c.out.String(), "\x1b[J")
	if len(frames) < 5 {
		t.Fatalf("%d frames: %q", len(frames), c.out.String())
	}
	for i, frame := range frames[1 : len(frames)-1] {
		if !strings.HasPrefix(frame, "\x1b[19A\r") {
			t.Errorf("frame %d is not drawn over the one before: %q", i+2, frame[:min(20, len(frame))])
		}
	}
}

func TestWatchFitsTheTerminal(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.streams(deploymentID, states("Completed"))
	c := newConsole(t, d)
	c.terminal(80, 10, "")
	c.wants(t, 0, "watch", deploymentID)
	for frame := range strings.SplitSeq(c.out.String(), "\x1b[J") {
		if n := strings.Count(frame, "\n"); n > 9 {
			t.Errorf("a frame has %d lines on a terminal of 10", n)
		}
	}
}

func TestWatchShowsALostConnection(t *testing.T) {
	t.Parallel()
	all := states("Completed")
	d := newDaemon(t)
	d.streams(deploymentID, all[:1], all[1:])
	c := newConsole(t, d)
	c.wants(t, 0, "watch", deploymentID)
	if !strings.Contains(c.err.String(), "connection lost, trying again") || !strings.Contains(c.err.String(), "connected again") {
		t.Errorf("stderr is %q", c.err.String())
	}

	d = newDaemon(t)
	d.streams(deploymentID, all[:1], all[1:])
	c = newConsole(t, d)
	c.terminal(80, 40, "")
	c.wants(t, 0, "watch", deploymentID)
	if !strings.Contains(c.out.String(), "connection lost, trying again") || c.err.Len() > 0 {
		t.Errorf("printed %q and %q", c.out.String(), c.err.String())
	}
}

func TestWatchOfAProfile(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("GET /deployments", page(canary()))
	d.streams(deploymentID, states("Completed"))
	c := newConsole(t, d)
	c.wants(t, 0, "watch", "payment-service.production")
	if got := d.asked()[0]; got != "GET /deployments?configName=payment-service.production&limit=1" {
		t.Errorf("asked %q first", got)
	}
}

func TestWatchForTheNext(t *testing.T) {
	t.Parallel()
	done := canary()
	done.ID, done.Status = strings.Replace(deploymentID, "019a", "0199", 1), "Completed"
	d := newDaemon(t)
	n := 0
	d.mux.HandleFunc("GET /api/v1/deployments", func(w http.ResponseWriter, _ *http.Request) {
		n++
		switch n {
		case 1:
			reply(w, 200, page[wire.Deployment]())
		case 2:
			reply(w, 200, page(done))
		default:
			reply(w, 200, page(canary()))
		}
	})
	d.answers("GET /configs/payment", wire.Config{Name: "payment"})
	c := newConsole(t, d)
	r, err := (&connection{sh: c.shell}).open()
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{sh: c.shell, remote: r, tick: time.Millisecond}
	id, err := w.find(t.Context(), "payment", "", true)
	if err != nil || id != deploymentID {
		t.Errorf("found %q, %v", id, err)
	}
	if want := "waiting for the next deployment of payment\n"; c.err.String() != want {
		t.Errorf("stderr is %q", c.err.String())
	}
	n = 1
	if id, err := w.find(t.Context(), "payment", "", false); err != nil || id != done.ID {
		t.Errorf("without --next it found %q, %v", id, err)
	}
}

func TestWatchOfACommitThatMakesNoDeployment(t *testing.T) {
	t.Parallel()
	const sha = "891fdb65cfdeb8861cf31620b40d7f744e6394b3"
	status := func(context, state, description string) wire.CommitStatus {
		return wire.CommitStatus{Commit: sha, Context: context, State: state, Description: description}
	}
	for name, c := range map[string]struct {
		statuses []wire.CommitStatus
		want     string
	}{
		"it is not valid": {
			[]wire.CommitStatus{status("sluice", "failure", "2 profiles failed"), status("sluice/shop", "failure", "shop.yaml:9:1: a tab indents this line")},
			"sluice: commit 891fdb65 makes no deployment of shop: shop.yaml:9:1: a tab indents this line\n",
		},
		"it changes no profile": {
			[]wire.CommitStatus{status("sluice", "success", "no profile changed")},
			"sluice: commit 891fdb65 makes no deployment of shop: no profile changed\n",
		},
		"it changes others": {
			[]wire.CommitStatus{status("sluice", "success", "1.0.1 runs on 3 of 3 instances"), status("sluice/other", "success", "1.0.1 runs on 3 of 3 instances")},
			"sluice: commit 891fdb65 makes no deployment of shop: it changes other profiles alone\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t)
			d.answers("GET /deployments", page[wire.Deployment]())
			d.answers("GET /statuses/891fdb6", page(c.statuses...))
			d.answers("GET /statuses/"+sha, page(c.statuses...))
			con := newConsole(t, d)
			con.wants(t, 1, "watch", "shop", "--commit", "891fdb6")
			if con.err.String() != c.want {
				t.Errorf("stderr is %q, want %q", con.err.String(), c.want)
			}
		})
	}
}

func TestWatchOfACommitThatIsNotReadYet(t *testing.T) {
	t.Parallel()
	const sha = "891fdb65cfdeb8861cf31620b40d7f744e6394b3"
	d := newDaemon(t)
	asked := 0
	d.mux.HandleFunc("GET /api/v1/statuses/{commit}", func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			reply(w, 404, map[string]any{"error": map[string]any{"code": "NOT_FOUND", "message": "not found"}})
			return
		}
		reply(w, 200, page(wire.CommitStatus{Commit: sha, Context: "sluice", State: "pending"}))
	})
	d.mux.HandleFunc("GET /api/v1/deployments", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("commit") == sha {
			reply(w, 200, page(canary()))
			return
		}
		reply(w, 200, page[wire.Deployment]())
	})
	c := newConsole(t, d)
	r, err := (&connection{sh: c.shell}).open()
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{sh: c.shell, remote: r, tick: time.Millisecond}
	if id, err := w.find(t.Context(), "payment", "891fdb6", true); err != nil || id != deploymentID {
		t.Errorf("found %q, %v", id, err)
	}
	if want := "waiting for the deployment of payment that commit 891fdb6 makes\n"; c.err.String() != want {
		t.Errorf("stderr is %q", c.err.String())
	}
}

func TestWatchRefused(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("GET /deployments", page[wire.Deployment]())
	d.answers("GET /configs/idle", wire.Config{Name: "idle"})
	d.refuses("GET /configs/unknown", 404, "NOT_FOUND", "no profile unknown")
	d.refuses("GET /deployments/"+deploymentID+"/events", 404, "NOT_FOUND", "no such deployment")
	c := newConsole(t, d)
	for arg, want := range map[string]string{
		"idle":       "sluice: idle has no deployment yet\n",
		"unknown":    "no profile unknown (404 NOT_FOUND)\n  sluice get profiles lists",
		deploymentID: "no such deployment (404 NOT_FOUND)",
	} {
		c.wants(t, exitUnknown, "watch", arg)
		if !strings.Contains(c.err.String(), want) {
			t.Errorf("watch %s says %q, want %q", arg, c.err.String(), want)
		}
	}
}

func TestWatchInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	d := newDaemon(t)
	d.mux.HandleFunc("GET /api/v1/deployments/"+deploymentID+"/events", func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	})
	c := newConsole(t, d)
	if code := c.run(ctx, []string{"watch", deploymentID}); code != exitInterrupted || !strings.Contains(c.err.String(), "the deployment goes on") {
		t.Errorf("ended with %d: %q", code, c.err.String())
	}
}

func TestScreenIsRedrawnAsTimePasses(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.terminal(80, 40, "")
	s := newScreen(c.shell, nil)
	s.draw()
	if c.out.Len() > 0 {
		t.Error("it draws before it knows anything")
	}
	s.show(canary())
	c.now = func() time.Time { return noon.Add(10 * time.Second) }
	c.out.Reset()
	s.draw()
	if !strings.Contains(c.out.String(), "next in 32s") {
		t.Errorf("drawn is %q", c.out.String())
	}
}
