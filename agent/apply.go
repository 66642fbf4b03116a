package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/spans"
)

// applier brings configurations into the file and into the program.
type applier struct {
	opts    Options
	target  target
	journal string // path
	http    *http.Client
	log     *slog.Logger
}

func newApplier(opts Options) (*applier, error) {
	t, err := newTarget(opts.File, opts.Mode)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	a := &applier{opts: opts, target: t, journal: filepath.Join(opts.Session.StateDir, "journal.json"),
		http: localClient(), log: opts.Session.Logger.With("file", opts.File)}
	if err := t.sweep(); err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	return a, nil
}

// apply makes the program run cfg. An error is the reason why it does not; the program then runs
// what it ran before, unless the error says otherwise.
func (a *applier) apply(ctx context.Context, cfg client.Config) error {
	text := ""
	if a.opts.Format == FormatTemplate {
		var err error
		if text, err = readTemplate(a.opts.Template); err != nil {
			return err
		}
	}
	content, err := render(cfg, a.opts.Format, text)
	if err != nil {
		return err
	}
	j, err := readJournal(a.journal)
	if err != nil {
		a.log.ErrorContext(ctx, "journal is lost: the file is loaded again", "error", err)
	}
	present, existed, err := a.target.read()
	if err != nil {
		return fmt.Errorf("present file: %w", err)
	}
	same := existed && bytes.Equal(present, content)
	if same && j.Swap == nil && j.Loaded == digest(content) {
		return nil
	}
	staged, err := a.target.stage(content, cfg.Secret())
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := a.check(ctx, cfg, staged); err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	j = j.begun(present, existed)
	if err := step(ctx, cfg, "config.write", func(context.Context) error { return a.write(j, staged) }); err != nil {
		return err
	}
	return a.load(ctx, cfg, j, digest(content))
}

// step does one step within a span of its own, which says of a failure what may be told to others.
func step(ctx context.Context, cfg client.Config, name string, do func(context.Context) error) error {
	ctx, span := spans.Start(ctx, name)
	err := do(ctx)
	spans.End(span, cfg.Hide(err))
	return err
}

// check lets the check command look at the staged file.
func (a *applier) check(ctx context.Context, cfg client.Config, staged string) error {
	if a.opts.CheckCommand == "" {
		return nil
	}
	return step(ctx, cfg, "config.check", func(ctx context.Context) error {
		err := run(ctx, a.opts.CheckCommand, a.opts.CheckTimeout,
			"SLUICE_FILE="+staged, "SLUICE_PROFILE="+cfg.Profile, "SLUICE_VERSION="+cfg.Version)
		if err != nil {
			return fmt.Errorf("check command: %w", err)
		}
		return nil
	})
}

// write brings the staged file to its place, after the journal knows of it.
func (a *applier) write(j journal, staged string) error {
	if err := j.write(a.journal); err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	if err := a.target.commit(staged); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// load makes the program load the file, whose digest is given, and goes back when it does not.
func (a *applier) load(ctx context.Context, cfg client.Config, j journal, written string) error {
	err := a.reload(ctx, cfg)
	switch {
	case err == nil:
		return j.loaded(written).write(a.journal)
	case errors.Is(err, errNotRunning):
		// Going back would help nobody: the program will start with the file that is there, and when
		// it ended because of the former one, that one must not come back.
		a.log.WarnContext(ctx, "file is written; the program is not running and will read it when it starts", "error", err)
		return j.unloaded().write(a.journal)
	case slices.Contains(j.Proven, written):
		// This content was loaded well before, the former one is what it replaces: the way back is not
		// turned round.
		a.log.ErrorContext(ctx, "reload failed; the file stays, it was good before", "error", cfg.Hide(err))
		return errors.Join(err, j.unloaded().write(a.journal))
	}
	return errors.Join(err, step(ctx, cfg, "config.restore", func(ctx context.Context) error { return a.back(ctx, cfg, j) }))
}

// reload tells the program, unless it watches its file itself. That it is not running is no failure of this step.
func (a *applier) reload(ctx context.Context, cfg client.Config) (err error) {
	r := a.opts.Reload
	if r.way() == "" {
		return nil
	}
	ctx, span := spans.Start(ctx, "config.load", attribute.String("sluice.reload", r.way()))
	err = r.reload(ctx, a.http, a.target.path)
	if errors.Is(err, errNotRunning) {
		span.SetAttributes(attribute.Bool("sluice.running", false))
		span.End()
		return err
	}
	spans.End(span, cfg.Hide(err))
	return err
}

// back puts the former file in its place again and makes the program load it, even while the agent
// is being stopped.
func (a *applier) back(ctx context.Context, cfg client.Config, j journal) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.opts.Reload.Timeout+time.Second)
	defer cancel()
	if err := a.target.restore(j.Swap.Former, j.Swap.Existed); err != nil {
		return fmt.Errorf("put the former file back: %w", err)
	}
	if !j.Swap.Existed {
		a.log.WarnContext(ctx, "reload failed: the file is removed, there was none before")
		return j.unloaded().write(a.journal)
	}
	a.log.WarnContext(ctx, "reload failed: the former file is back")
	err := a.reload(ctx, cfg)
	switch {
	case errors.Is(err, errNotRunning):
		return j.unloaded().write(a.journal)
	case err != nil:
		return errors.Join(fmt.Errorf("former file: %w", err), j.unloaded().write(a.journal))
	}
	return j.loaded(digest(j.Swap.Former)).write(a.journal)
}
