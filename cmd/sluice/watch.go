package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/rollout"
)

func newWatchCommand(sh *shell) *cobra.Command {
	var next bool
	var commit string
	cmd := &cobra.Command{
		Use:   "watch DEPLOYMENT|PROFILE",
		Short: "Follow a deployment live until it ends",
		Long: `Follow a deployment, or a profile's newest one, live: its phases, each instance,
and what the gate measures. On a terminal the picture is drawn in place; in a
pipe every change is a line. A lost connection is shown and tried again.

Exit code 0 when the deployment completed, 1 when it ended any other way, or when
the commit was read and makes none.`,
		Args: needs(1, "a deployment or a profile: sluice watch PROFILE"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, deploymentOrProfileNames)
	cmd.Flags().BoolVar(&next, "next", false, "when the profile's newest deployment has ended, wait for the one after it")
	cmd.Flags().StringVar(&commit, "commit", "", "wait for the deployment that this commit (at least seven digits) makes of the profile, and follow it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		w := &watcher{sh: sh, remote: r, tick: time.Second}
		id, err := w.find(cmd.Context(), args[0], commit, next || commit != "")
		if err != nil {
			return err
		}
		return w.follow(cmd.Context(), id)
	}
	return cmd
}

// watcher follows one deployment to its end.
type watcher struct {
	sh     *shell
	remote remote
	tick   time.Duration // how often the picture is drawn again, and find asks again
	out    io.Writer     // where it is shown; nil is standard output
}

// find resolves a profile to its newest deployment, or to that of a commit.
func (w *watcher) find(ctx context.Context, arg, commit string, next bool) (string, error) {
	if isDeployment(arg) {
		return arg, nil
	}
	told, none := false, error(nil)
	for {
		d, err := w.remote.newestDeployment(ctx, arg, commit)
		switch {
		case err != nil && !(next && errors.Is(err, errNoDeployment)):
			return "", err
		case err == nil && (commit != "" || !(next && client.Final(d.Status))):
			return d.ID, nil
		case none != nil: // the deployment may have come between the two questions, so it was asked for once more
			return "", none
		}
		if commit != "" {
			whole, outcome, err := w.read(ctx, arg, commit)
			if err != nil {
				return "", err
			}
			if none = outcome; none != nil || whole != commit {
				commit = whole
				continue
			}
		}
		if !told {
			fmt.Fprintf(w.sh.stderr, "waiting for the %s\n", awaited(arg, commit))
			told = true
		}
		if err := pause(ctx, w.tick); err != nil {
			return "", errStopped
		}
	}
}

func awaited(profile, commit string) string {
	if commit != "" {
		return fmt.Sprintf("deployment of %s that commit %s makes", oneLine(profile), short(oneLine(commit)))
	}
	return "next deployment of " + oneLine(profile)
}

// read asks what a commit is told: its whole SHA, and where nothing of it is
// under way why it makes no deployment of the profile.
func (w *watcher) read(ctx context.Context, profile, commit string) (whole string, none, err error) {
	statuses, err := w.remote.c.Statuses(ctx, commit)
	if isNotFound(err) {
		return commit, nil, nil // not read yet
	}
	if err != nil || len(statuses) == 0 {
		return commit, nil, err
	}
	whole, why := statuses[0].Commit, "it changes other profiles alone"
	for _, s := range statuses {
		if s.State == "pending" {
			return whole, nil, nil
		}
		if s.Context == rollout.Context(profile) || len(statuses) == 1 {
			why = s.Description
		}
	}
	return whole, notSo(fmt.Errorf("commit %s makes no deployment of %s: %s", short(whole), oneLine(profile), oneLine(why))), nil
}

// errStopped ends a command that was interrupted; the deployment goes on.
var errStopped = &exitError{code: exitInterrupted, err: errors.New("stopped watching; the deployment goes on")}

// pause waits, or returns early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// update is what a stream brings: a deployment, or that the connection is lost.
type update struct {
	deployment wire.Deployment
	lost       error
	end        error // the stream will bring nothing more
}

// follow draws the deployment until it ends.
func (w *watcher) follow(ctx context.Context, id string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	updates := make(chan update)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.remote.follow(ctx, id, func(u update) {
			select {
			case updates <- u:
			case <-ctx.Done():
			}
		})
	}()
	defer func() { cancel(); <-done }()

	s := newScreen(w.sh, w.out)
	ticker := time.NewTicker(w.tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return errStopped
		case <-ticker.C:
			s.draw()
		case u := <-updates:
			switch {
			case ctx.Err() != nil: // what came last is only that it was interrupted
				return errStopped
			case u.end != nil:
				return u.end
			case u.lost != nil:
				s.lost(u.lost)
				continue
			}
			s.show(u.deployment)
			if client.Final(u.deployment.Status) {
				return ended(u.deployment)
			}
		}
	}
}

// endError is a deployment's end that is not the good one.
type endError struct{ name, version, status string }

func (e *endError) Error() string {
	return fmt.Sprintf("%s %s ended as %s", e.name, e.version, e.status)
}

// ExitCode says that the deployment is not what one watches for.
func (*endError) ExitCode() int { return exitProblems }

// ended tells whether the deployment's end is a good one.
func ended(d wire.Deployment) error {
	if d.Status == "Completed" {
		return nil
	}
	return &endError{oneLine(d.ConfigName), oneLine(d.ConfigVersion), oneLine(d.Status)}
}

// screen shows a deployment as it changes: in place on a terminal, as lines
// in a pipe.
type screen struct {
	sh      *shell
	canvas  canvas
	known   bool
	last    wire.Deployment
	trouble string // why the connection is lost, "" while it stands
	printed string // the line last printed in a pipe
}

func newScreen(sh *shell, out io.Writer) *screen {
	if out == nil {
		out = sh.stdout
	}
	return &screen{sh: sh, canvas: newCanvas(sh, out)}
}

// show takes in what is new.
func (s *screen) show(d wire.Deployment) {
	if s.trouble != "" && !s.canvas.terminal {
		fmt.Fprintln(s.sh.stderr, "connected again")
	}
	s.known, s.last, s.trouble = true, d, ""
	if s.canvas.terminal {
		s.draw()
		return
	}
	line := drawLine(d, s.sh.lookOf(s.canvas.out))
	// The clock in front always differs; the rest says whether anything happened.
	if _, rest, _ := strings.Cut(line, "  "); rest != s.printed {
		s.printed = rest
		fmt.Fprintln(s.canvas.out, line)
	}
}

// lost shows that the connection is lost, once for each reason in a pipe.
func (s *screen) lost(err error) {
	text := oneLine(err.Error())
	if !s.canvas.terminal && text != s.trouble {
		fmt.Fprintln(s.sh.stderr, "connection lost, trying again: "+text)
	}
	s.trouble = text
	s.draw()
}

// draw draws the picture over the one before.
func (s *screen) draw() {
	if !s.canvas.terminal || !s.known && s.trouble == "" {
		return
	}
	l := s.sh.lookOf(s.canvas.out)
	picture := "\n"
	if s.known {
		picture += drawDeployment(s.last, l)
	}
	if s.trouble != "" {
		picture += "\n  " + l.paint(yellow, l.cut("connection lost, trying again: "+s.trouble, l.Width-2)) + "\n"
	}
	s.canvas.draw(strings.SplitAfter(picture, "\n"), l)
}
