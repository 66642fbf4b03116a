package checks_test

import (
	"os/exec"
	"strconv"
	"testing"
)

// run runs a program that must succeed, and answers what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
