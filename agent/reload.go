package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// errNotRunning says that there is no program to tell. It will read the file when it starts.
var errNotRunning = errors.New("the program is not running")

// signalGrace is how long a program is looked at after a signal: one that cannot live with its
// configuration often ends at once.
const signalGrace = 250 * time.Millisecond

var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1,
	"USR2": syscall.SIGUSR2, "TERM": syscall.SIGTERM, "WINCH": syscall.SIGWINCH, "CONT": syscall.SIGCONT,
}

func parseSignal(name string) (syscall.Signal, error) {
	sig, ok := signals[strings.TrimPrefix(strings.ToUpper(name), "SIG")]
	if !ok {
		return 0, fmt.Errorf("signal %q: want HUP, INT, QUIT, USR1, USR2, TERM, WINCH or CONT", name)
	}
	return sig, nil
}

// way is how the program is told, "" when it is not.
func (r Reload) way() string {
	switch {
	case r.Signal != "":
		return "signal"
	case r.Command != "":
		return "command"
	case r.URL != "":
		return "http"
	}
	return ""
}

// reload tells the program to load file. Errors wrap errNotRunning when there is none.
func (r Reload) reload(ctx context.Context, hc *http.Client, file string) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	switch r.way() {
	case "signal":
		return r.signal(ctx)
	case "command":
		if err := run(ctx, r.Command, r.Timeout, "SLUICE_FILE="+file); err != nil {
			return fmt.Errorf("reload command: %w", err)
		}
	case "http":
		return r.post(ctx, hc)
	}
	return nil
}

func (r Reload) post(ctx context.Context, hc *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, http.NoBody)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	res, err := hc.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("reload: %w: connection refused", errNotRunning)
	}
	if err != nil {
		return fmt.Errorf("reload: %w", bareError(err))
	}
	defer res.Body.Close()
	trace.SpanFromContext(ctx).SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
	body, err := io.ReadAll(io.LimitReader(res.Body, maxOutput))
	if res.StatusCode/100 == 2 {
		return nil
	}
	if text := clean(body); err == nil && text != "" {
		return fmt.Errorf("reload: the program answered %d: %s", res.StatusCode, text)
	}
	return fmt.Errorf("reload: the program answered %d", res.StatusCode)
}

func (r Reload) signal(ctx context.Context) error {
	sig, err := parseSignal(r.Signal)
	if err != nil {
		return err
	}
	pids, err := r.pids()
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	for _, pid := range pids {
		err := syscall.Kill(pid, sig)
		if errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("reload: process %d: %w", pid, errNotRunning)
		}
		if err != nil {
			return fmt.Errorf("reload: signal process %d: %w", pid, err)
		}
	}
	t := time.NewTimer(signalGrace)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("reload: %w", ctx.Err())
	case <-t.C:
	}
	for _, pid := range pids {
		if !alive(pid) {
			return fmt.Errorf("reload: process %d ended after the signal", pid)
		}
	}
	return nil
}

func (r Reload) pids() ([]int, error) {
	if r.Process != "" {
		return processes("/proc", r.Process)
	}
	raw, err := os.ReadFile(r.PIDFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: no pid file", errNotRunning)
	}
	if err != nil {
		return nil, fmt.Errorf("pid file: %w", err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(raw)), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid < 2 { // 0 and 1 would hit a whole group or the system
		return nil, fmt.Errorf("pid file %s holds no process id", r.PIDFile)
	}
	if !alive(pid) {
		return nil, fmt.Errorf("process %d: %w", pid, errNotRunning)
	}
	return []int{pid}, nil
}

// alive says that the process exists and is no zombie.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return errors.Is(err, syscall.EPERM)
	}
	_, state, _, err := procStat("/proc", pid)
	return err != nil || (state != "Z" && state != "X")
}

// processes finds the processes of that name whose parent is not one of them too: the master of a
// program with workers. The agent itself is left out.
func processes(proc, name string) ([]int, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, fmt.Errorf("processes: %w", err)
	}
	parents := map[int]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid < 2 || pid == os.Getpid() {
			continue
		}
		comm, state, parent, err := procStat(proc, pid)
		if err != nil || state == "Z" || comm != name[:min(len(name), 15)] { // the kernel keeps 15 bytes
			continue
		}
		parents[pid] = parent
	}
	var pids []int
	for pid, parent := range parents {
		if _, worker := parents[parent]; !worker {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("%w: no process %q", errNotRunning, name)
	}
	slices.Sort(pids)
	return pids, nil
}

// procStat reads name, state and parent of a process.
func procStat(proc string, pid int) (comm, state string, parent int, err error) {
	raw, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", "", 0, err
	}
	line := string(raw)
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')') // the name may hold both
	if open < 0 || end < open {
		return "", "", 0, fmt.Errorf("process %d: no stat", pid)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 2 {
		return "", "", 0, fmt.Errorf("process %d: no stat", pid)
	}
	parent, err = strconv.Atoi(fields[1])
	return line[open+1 : end], fields[0], parent, err
}
