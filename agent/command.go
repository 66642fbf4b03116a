package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sluicehq/sluice/internal/spans"
)

// maxOutput bounds what is kept of a command's output or of a refusal's body, in bytes.
const maxOutput = 1 << 10

// run runs a command by sh -c in a process group of its own, which is killed at the timeout. An
// error holds the last lines of the output. The agent's own settings, among them its token, are not
// passed on. What the command starts can join the trace, if there is one, by TRACEPARENT.
func run(ctx context.Context, command string, timeout time.Duration, env ...string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = append(ownEnvironment(), env...)
	if parent := spans.Format(ctx); parent != "" {
		cmd.Env = append(cmd.Env, "TRACEPARENT="+parent)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if cmd.ProcessState != nil { // it ran
		trace.SpanFromContext(ctx).SetAttributes(attribute.Int("process.exit.code", cmd.ProcessState.ExitCode()))
	}
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // a daemon it started holds its output open
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("no end within %s", timeout)
	}
	if text := out.String(); text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}

func ownEnvironment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "SLUICE_AGENT_") {
			env = append(env, kv)
		}
	}
	return env
}

// tail keeps the end of what is written to it.
type tail struct {
	buf []byte
	cut bool
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > maxOutput {
		p, t.cut = p[len(p)-maxOutput:], true
	}
	if over := len(t.buf) + len(p) - maxOutput; over > 0 {
		t.buf, t.cut = t.buf[over:], true
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

// String returns whole lines, joined to one, without control characters.
func (t *tail) String() string {
	b := t.buf
	if t.cut {
		if _, rest, ok := bytes.Cut(b, []byte("\n")); ok && len(rest) > 0 {
			b = rest
		}
	}
	return clean(b)
}

// clean makes one line of printable text of foreign output.
func clean(b []byte) string {
	text := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(b), "?"), func(r rune) bool {
		return r == '\n' || r == '\r'
	}), " | ")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text))
}
