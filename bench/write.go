package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// The generated part of the page stands between these lines.
const (
	begins = "<!-- make bench writes from here -->\n"
	ends   = "<!-- to here -->\n"
)

// Write puts text between the marks of the page at path.
func Write(path, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the page of figures: %w", err)
	}
	before, rest, ok := strings.Cut(string(page), begins)
	_, after, closed := strings.Cut(rest, ends)
	if !ok || !closed {
		return errors.New(path + " has no lines " + strings.TrimSpace(begins) + " and " + strings.TrimSpace(ends))
	}
	return os.WriteFile(path, []byte(before+begins+text+ends+after), 0o644)
}

// Machine says on what the figures were taken, by which programs, and how.
func Machine(took time.Duration) string {
	return fmt.Sprintf("\nTaken by `make bench` in %s on %s, %d processors of %s, %s memory, %s/%s, %s, %s, %s.\n",
		took.Round(time.Second), time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), processor(), memory(), runtime.GOOS, runtime.GOARCH,
		runtime.Version(), said("git", "--version"), said("psql", "--version"))
}

func said(program string, args ...string) string {
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		return program + " of an unknown version"
	}
	return strings.TrimSpace(string(out))
}

func processor() string { return procLine("/proc/cpuinfo", "model name", "an unknown kind") }

func memory() string { return procLine("/proc/meminfo", "MemTotal", "unknown") }

// procLine reads "name : value" from a file of /proc.
func procLine(path, name, otherwise string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return otherwise
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}
