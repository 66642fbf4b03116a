package testenv

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Redis is a private Redis server. It keeps nothing on disk.
type Redis struct{ server }

// NewRedis starts a Redis server of the test's own, which the test may kill.
// Its settings are arguments such as "--requirepass", "secret".
func NewRedis(t testing.TB, settings ...string) *Redis {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("Redis 7 or newer is needed: please install it (Debian: apt-get install redis-server)")
	}
	port, err := freePort()
	must(t, err)
	r := &Redis{server{
		name: "redis", program: program, dir: t.TempDir(), addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		args: append([]string{
			"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no", "--daemonize", "no",
		}, settings...),
	}}
	r.ready = r.answers
	t.Cleanup(func() {
		if err := r.end(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
	must(t, r.start())
	return r
}

// answers holds once the server says anything, be it that a password is missing.
func (r *Redis) answers(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // what was asked was answered, or not
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && strings.HasPrefix(line, "-LOADING") {
		err = fmt.Errorf("redis says %s", strings.TrimSpace(line))
	}
	return err
}

// Command sends a command that any client may send, such as FLUSHALL.
func (r *Redis) Command(t testing.TB, command string) {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	must(t, err)
	defer conn.Close() //nolint:errcheck // what was asked was answered, or not
	_, err = fmt.Fprint(conn, command+"\r\n")
	must(t, err)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	must(t, err)
	if strings.HasPrefix(answer, "-") {
		t.Fatalf("redis: %s: %s", command, strings.TrimSpace(answer))
	}
}

// Addr is where the server listens.
func (r *Redis) Addr() string { return r.addr }

// URL is that of the server.
func (r *Redis) URL() string { return "redis://" + r.addr + "/0" }

// Kill ends the server; what it held is gone.
func (r *Redis) Kill(t testing.TB) {
	t.Helper()
	must(t, r.end(syscall.SIGKILL))
}

// Freeze makes the server hang until Thaw: connections stand and nothing answers.
func (r *Redis) Freeze(t testing.TB) {
	t.Helper()
	must(t, r.signal(syscall.SIGSTOP))
}

// Thaw lets a frozen server go on.
func (r *Redis) Thaw(t testing.TB) {
	t.Helper()
	must(t, r.signal(syscall.SIGCONT))
}

// Start starts it again, empty.
func (r *Redis) Start(t testing.TB) {
	t.Helper()
	must(t, r.start())
}
