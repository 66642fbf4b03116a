package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bench is the copy of the tree in which guards are taken away.
type bench struct {
	dir   string
	sound map[string]error // by command: what the tests say of the tree as it is
}

func newBench(dir string) *bench { return &bench{dir: dir, sound: map[string]error{}} }

// try takes a guard away and puts it back. It says why the tests do not miss
// it, and how long they took without it.
func (b *bench) try(ctx context.Context, g guard) (took time.Duration, err error) {
	if err := b.passes(ctx, g.command); err != nil {
		return 0, err
	}
	if err := b.git(ctx, "apply", "--", g.patch); err != nil {
		return 0, fmt.Errorf("the patch does not apply any more; make it anew: %w", err)
	}
	defer func() {
		// The next guard needs the whole tree, also after an interrupt.
		if back := b.git(context.WithoutCancel(ctx), "apply", "--reverse", "--", g.patch); back != nil {
			err = errors.Join(err, fmt.Errorf("put the guard back: %w", back))
		}
	}()
	// Compiles every package and, unlike go build, links none.
	if out, err := b.command(ctx, "go", "list", "-export", "-trimpath", "./...").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("the program does not compile without it: %w\n%s", err, out)
	}
	start := time.Now()
	o, err := b.test(ctx, g.command)
	if err != nil {
		return 0, err
	}
	return time.Since(start), o.missed(g.says)
}

// passes says that the tests pass on the tree as it is, and that there are any.
func (b *bench) passes(ctx context.Context, command []string) error {
	key := strings.Join(command, " ")
	if err, known := b.sound[key]; known {
		return err
	}
	o, err := b.test(ctx, command)
	if err == nil {
		err = o.sound()
	}
	b.sound[key] = err
	return err
}

// test runs the tests. That they fail is an outcome, not an error.
func (b *bench) test(ctx context.Context, command []string) (outcome, error) {
	var stdout, stderr bytes.Buffer
	args := append([]string{"test", "-json", "-count=1", "-trimpath", "-timeout=2m"}, command[2:]...)
	run := b.command(ctx, "go", args...)
	run.Stdout, run.Stderr = &stdout, &stderr
	err := run.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return outcome{}, fmt.Errorf("run %s: %w", strings.Join(command, " "), err)
	}
	o, err := readOutcome(&stdout)
	if err != nil {
		return o, fmt.Errorf("run %s: %w\n%s", strings.Join(command, " "), err, stderr.Bytes())
	}
	return o, nil
}

func (b *bench) git(ctx context.Context, args ...string) error {
	if out, err := b.command(ctx, "git", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// command runs in the copy, which is no part of a repository that may be around it.
func (b *bench) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(b.dir))
	return cmd
}
