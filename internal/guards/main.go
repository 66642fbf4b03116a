package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "guards:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, wanted []string, out io.Writer) error {
	root, err := repositoryRoot(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sluice-guards-")
	if err != nil {
		return fmt.Errorf("make a folder for the copy: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a copy in the temporary folder
	if err := copyTree(ctx, root, dir); err != nil {
		return err
	}
	// The patches of the copy: the tree may change while they are tried.
	guards, err := readGuards(filepath.Join(dir, "internal", "guards", "patches"), wanted)
	if err != nil {
		return err
	}
	return tryAll(ctx, newBench(dir), guards, out)
}

// tryAll prints a line for each guard as soon as it was tried.
func tryAll(ctx context.Context, b *bench, guards []guard, out io.Writer) error {
	const line = "%-26s %7s  %-6s  %s\n"
	fmt.Fprintf(out, line, "GUARD", "SECONDS", "CAUGHT", "TEST")
	missed := 0
	for _, g := range guards {
		took, err := b.try(ctx, g)
		if ctx.Err() != nil {
			return fmt.Errorf("stopped: %w", ctx.Err())
		}
		caught := "yes"
		if err != nil {
			caught = "NO"
			missed++
		}
		fmt.Fprintf(out, line, g.name, fmt.Sprintf("%.1f", took.Seconds()), caught, strings.Join(g.command, " "))
		if err != nil {
			fmt.Fprintf(out, "  %s: %v\n", g.what, err)
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d guards can be removed without a test that says so", missed, len(guards))
	}
	fmt.Fprintf(out, "%d guards, each with a test that misses it\n", len(guards))
	return nil
}

func repositoryRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w; run it inside a working tree", err)
	}
	return strings.TrimSpace(string(out)), nil
}
