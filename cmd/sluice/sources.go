package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

func newGetSources(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "sources", Aliases: []string{"source"},
		Short: "List the watched repositories with how far they are read",
		Args:  nothing,
	}
	return lister(conn, cmd, func(ctx context.Context, r remote, _ []string) (listing, error) {
		sources, err := r.c.Sources(ctx)
		if err != nil {
			return listing{}, err
		}
		return sourceListing(sources), nil
	})
}

func sourceListing(sources []wire.Source) listing {
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.ID
	}
	return listing{value: sources, kind: "source", names: names, empty: "no sources: the daemon's settings name none", table: func(l look) table {
		t := table{header: []string{"ID", "BRANCH", "PATH", "HEAD", "SYNCED", "STATE", "URL"}, spare: []string{"URL", "PATH", "BRANCH"}}
		for _, s := range sources {
			t.rows = append(t.rows, []string{s.ID, s.Branch, dash(s.Path), dash(short(s.Head)), l.agoPtr(s.SyncedAt), sourceState(s, l), s.URL})
		}
		t.paint = func(column int, text string) colour {
			switch {
			case column != 5:
				return plain
			case text == "in step":
				return green
			case text == "never read":
				return yellow
			}
			return red
		}
		return t
	}}
}

// sourceState says what keeps a source from being read, or that nothing does.
func sourceState(s wire.Source, l look) string {
	switch {
	case s.LastError != "" && s.ErrorSince != nil && !l.Now.IsZero():
		return "failing for " + span(l.Now.Sub(*s.ErrorSince)) + ": " + s.LastError
	case s.LastError != "":
		return "failing: " + s.LastError
	case s.PullRequestsError != "":
		return "pull requests failing: " + s.PullRequestsError
	case s.SyncedAt == nil:
		return "never read"
	}
	return "in step"
}

func newSyncCommand(sh *shell) *cobra.Command {
	var until string
	cmd := &cobra.Command{
		Use:   "sync SOURCE",
		Short: "Read a source now, rather than at its next turn",
		Long: `Have the daemon read a source now. It returns at once; with --until COMMIT when the
source was read up to that commit, with exit code 1 when reading failed.`,
		Args: needs(1, "a source: sluice sync SOURCE (sluice get sources lists them)"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, sourceNames)
	cmd.Flags().StringVar(&until, "until", "", "wait until it was read up to this commit, the branch's newest (at least seven digits)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if until != "" && len(until) < 7 {
			return errors.New("--until needs at least seven digits of a commit")
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		before, err := r.source(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if err := r.c.SyncSource(cmd.Context(), args[0]); err != nil {
			return err
		}
		if until == "" {
			_, err = fmt.Fprintf(sh.stdout, "%s is being read\nsee how far it is: sluice get sources\n", oneLine(args[0]))
			return err
		}
		return r.synced(cmd.Context(), sh, before, strings.ToLower(until), time.Second)
	}
	return cmd
}

// source finds a source by its id.
func (r remote) source(ctx context.Context, id string) (wire.Source, error) {
	sources, err := r.c.Sources(ctx)
	if err != nil {
		return wire.Source{}, err
	}
	names := make([]string, len(sources))
	for i, s := range sources {
		if s.ID == id {
			return s, nil
		}
		names[i] = s.ID
	}
	text := fmt.Sprintf("there is no source %q", oneLine(id))
	if guess := closest(id, names); guess != "" {
		text += ", did you mean " + guess + "?"
	} else {
		text += "; sluice get sources lists them"
	}
	return wire.Source{}, &exitError{code: exitUnknown, err: errors.New(text)}
}

// synced waits until a source was read up to a commit, and says how it went. A
// failure that was there before it was asked to read is not its answer.
func (r remote) synced(ctx context.Context, sh *shell, before wire.Source, commit string, every time.Duration) error {
	for {
		s, err := r.source(ctx, before.ID)
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(s.Head, commit):
			_, err = fmt.Fprintf(sh.stdout, "%s is read up to %s\n", oneLine(s.ID), short(s.Head))
			return err
		case s.LastError != "" && s.LastError != before.LastError:
			return notSo(fmt.Errorf("%s could not be read: %s", oneLine(s.ID), oneLine(s.LastError)))
		}
		if pause(ctx, every) != nil {
			return &exitError{code: exitInterrupted, err: errors.New("stopped waiting; the source is read all the same")}
		}
	}
}
