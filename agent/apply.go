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

	"github.com/sluicehq/sluice/client"
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
		a.log.Error("journal is lost: the file is loaded again", "error", err)
	}
	present, existed, err := a.target.read()
	if err != nil {
		return fmt.Errorf("present file: %w", err)
	}
	same := existed && bytes.Equal(present, content)
	if same && j.Swap == nil && j.Loaded == digest(content) {
		return nil
	}
	staged, err := a.check(ctx, cfg, content)
	if err != nil {
		return err
	}
	return a.swap(ctx, j, content, present, existed, staged)
}

// check stages the content and lets the check command look at it.
func (a *applier) check(ctx context.Context, cfg client.Config, content []byte) (staged string, err error) {
	staged, err = a.target.stage(content, cfg.Secret())
	if err != nil {
		return "", fmt.Errorf("write: %w", err)
	}
	if a.opts.CheckCommand == "" {
		return staged, nil
	}
	err = run(ctx, a.opts.CheckCommand, a.opts.CheckTimeout,
		"SLUICE_FILE="+staged, "SLUICE_PROFILE="+cfg.Profile, "SLUICE_VERSION="+cfg.Version)
	if err != nil {
		return "", errors.Join(fmt.Errorf("check command: %w", err), os.Remove(staged))
	}
	return staged, nil
}

// swap replaces the file, makes the program load it, and goes back when it does not.
func (a *applier) swap(ctx context.Context, j journal, content, present []byte, existed bool, staged string) error {
	j = j.begun(present, existed)
	if err := j.write(a.journal); err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	if err := a.target.commit(staged); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	err := a.opts.Reload.reload(ctx, a.http, a.target.path)
	switch {
	case err == nil:
		return j.loaded(digest(content)).write(a.journal)
	case errors.Is(err, errNotRunning):
		// Going back would help nobody: the program will start with the file that is there, and when
		// it ended because of the former one, that one must not come back.
		a.log.Warn("file is written; the program is not running and will read it when it starts", "error", err)
		return j.unloaded().write(a.journal)
	case slices.Contains(j.Proven, digest(content)):
		// This content was loaded well before, the former one is what it replaces: the way back is not
		// turned round.
		a.log.Error("reload failed; the file stays, it was good before", "error", err)
		return errors.Join(err, j.unloaded().write(a.journal))
	}
	return errors.Join(err, a.back(ctx, j))
}

// back puts the former file in its place again and makes the program load it, even while the agent
// is being stopped.
func (a *applier) back(ctx context.Context, j journal) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.opts.Reload.Timeout+time.Second)
	defer cancel()
	if err := a.target.restore(j.Swap.Former, j.Swap.Existed); err != nil {
		return fmt.Errorf("put the former file back: %w", err)
	}
	if !j.Swap.Existed {
		a.log.Warn("reload failed: the file is removed, there was none before")
		return j.unloaded().write(a.journal)
	}
	a.log.Warn("reload failed: the former file is back")
	err := a.opts.Reload.reload(ctx, a.http, a.target.path)
	switch {
	case errors.Is(err, errNotRunning):
		return j.unloaded().write(a.journal)
	case err != nil:
		return errors.Join(fmt.Errorf("former file: %w", err), j.unloaded().write(a.journal))
	}
	return j.loaded(digest(j.Swap.Former)).write(a.journal)
}
