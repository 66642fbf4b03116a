package testenv_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func TestBinary(t *testing.T) {
	t.Parallel()
	program := testenv.Binary(t)
	out, err := exec.CommandContext(t.Context(), program, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "sluice ") {
		t.Errorf("it says %q, %v", out, err)
	}
	if again := testenv.Binary(t); again != program {
		t.Errorf("it is built again: %s and %s", program, again)
	}
}

func TestRepo(t *testing.T) {
	t.Parallel()
	r := testenv.NewRepo(t)
	r.Write("a/b.yaml", "one\n")
	first := r.Commit("first")
	r.Push()
	merge := r.Merge("change", "Merge pull request #1 from ann/change", func() {
		r.Write("a/b.yaml", "two\n")
		r.Write("c.yaml", "three\n")
	})
	r.Push()
	if parents := r.Git("rev-list", "--first-parent", "--parents", "-n1", merge); parents == merge {
		t.Error("the merge has no parents")
	}
	if got := r.Git("rev-parse", merge+"^1"); got != first {
		t.Errorf("the first parent is %s, want %s", got, first)
	}
	if got := r.Git("ls-remote", r.Bare, "refs/heads/main"); got[:40] != merge {
		t.Errorf("main is %s, want %s", got, merge)
	}
	r.Remove("c.yaml")
	r.Commit("without c")
	r.Push()
	r.Git("reset", "--quiet", "--hard", first)
	r.ForcePush()
	if got := r.Git("ls-remote", r.Bare, "refs/heads/main"); got[:40] != first {
		t.Errorf("main was not rewritten: %s", got)
	}
	if _, err := os.Stat(filepath.Join(r.Work, "c.yaml")); !os.IsNotExist(err) {
		t.Errorf("c.yaml is still there: %v", err)
	}
}

// Whoever asks for a port while others hold theirs gets another one, and can
// listen on it whenever it comes to that.
func TestFreePort(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 50 {
		port := testenv.FreePort(t)
		if seen[port] {
			t.Errorf("port %d is given twice", port)
		}
		seen[port] = true
	}
	for port := range seen {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	p := testenv.NewPostgres(t)
	url := p.CreateDatabase(t, "")
	p.Exec(t, url[strings.LastIndex(url, "/")+1:strings.Index(url, "?")], `CREATE TABLE kept (n int)`)
	for _, end := range []func(testing.TB){p.Kill, p.Stop} {
		end(t)
		if conn, err := net.Dial("tcp", p.Addr()); err == nil {
			conn.Close()
			t.Fatal("a server that was stopped still listens")
		}
		p.Start(t)
		p.Exec(t, url[strings.LastIndex(url, "/")+1:strings.Index(url, "?")], `INSERT INTO kept VALUES (1)`)
	}
}

func TestFrozenPostgres(t *testing.T) {
	t.Parallel()
	p := testenv.NewPostgres(t)
	db, err := sql.Open("pgx", p.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(1)
	p.Freeze(t)
	for _, which := range []string{"the open connection", "a new connection"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if _, err := db.ExecContext(ctx, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s to a frozen server: %v", which, err)
		}
		cancel()
	}
	p.Thaw(t)
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("after the thaw: %v", err)
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	r := testenv.NewRedis(t)
	r.Kill(t)
	if conn, err := net.Dial("tcp", r.Addr()); err == nil {
		conn.Close()
		t.Fatal("a server that was killed still listens")
	}
	r.Start(t)
	r.Freeze(t)
	r.Thaw(t)
	if !strings.Contains(r.URL(), r.Addr()) {
		t.Errorf("its URL is %s", r.URL())
	}
}

func TestPrometheus(t *testing.T) {
	t.Parallel()
	p := testenv.NewPrometheus(t, "  - {job_name: self, static_configs: [{targets: ['127.0.0.1:1']}]}\n")
	p.Kill(t)
	addr := strings.TrimPrefix(p.URL(), "http://")
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Fatal("a server that was killed still listens")
	}
	p.Start(t)
	p.Freeze(t)
	p.Thaw(t)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
