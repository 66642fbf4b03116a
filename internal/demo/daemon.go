package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// daemon is a real `sluice serve` process.
type daemon struct {
	binary string
	args   []string
	env    []string
	addr   string
	logs   *os.File

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has been waited for
}

// start starts the process and returns when it is ready.
func (d *daemon) start(ctx context.Context) error {
	cmd := exec.Command(d.binary, d.args...)
	cmd.Env = append(os.Environ(), d.env...)
	cmd.Stdout, cmd.Stderr = d.logs, d.logs
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	d.cmd, d.done = cmd, make(chan struct{})
	go func() {
		defer close(d.done)
		cmd.Wait() //nolint:errcheck // how it ended is read from ProcessState
	}()
	return d.waitReady(ctx)
}

func (d *daemon) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if d.ready(ctx) {
			return nil
		}
		select {
		case <-tick.C:
		case <-d.done:
			return fmt.Errorf("the daemon ended at its start (%v): see %s", d.cmd.ProcessState, d.logs.Name())
		case <-ctx.Done():
			return fmt.Errorf("the daemon was not ready in time: see %s", d.logs.Name())
		}
	}
}

func (d *daemon) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.addr+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// kill ends the process at once, as kill -9 does, and waits for its end.
func (d *daemon) kill() error {
	if err := d.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the daemon: %w", err)
	}
	<-d.done
	return nil
}

// stop asks the process to end, and ends it when it does not within 10 s.
func (d *daemon) stop() error {
	if d.cmd == nil {
		return nil
	}
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		if errors.Is(err, os.ErrProcessDone) {
			return nil
		}
		return fmt.Errorf("stop the daemon: %w", err)
	}
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
		return d.kill()
	}
	if !d.cmd.ProcessState.Success() {
		return fmt.Errorf("the daemon stopped badly (%v): see %s", d.cmd.ProcessState, d.logs.Name())
	}
	return nil
}

// freeAddress finds a free loopback port. Another process could take it before
// the daemon does; then the daemon says so and the demo fails.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}
