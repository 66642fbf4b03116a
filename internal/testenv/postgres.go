package testenv

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // to ask whether a server answers
)

// Postgres is a private PostgreSQL server.
type Postgres struct {
	server
	shared bool // by the tests of the process, so that it outlives each of them
}

const leastPostgres = 15

// pgBin is the folder of the newest PostgreSQL programs on this machine.
var pgBin = sync.OnceValues(func() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if inPath, err := exec.LookPath("postgres"); err == nil {
		found = append(found, inPath)
	}
	newest, folder := 0, ""
	for _, program := range found {
		if major := postgresMajor(program); major > newest {
			newest, folder = major, filepath.Dir(program)
		}
	}
	if newest < leastPostgres {
		return "", fmt.Errorf("PostgreSQL %d or newer is needed: please install it (Debian: apt-get install postgresql)", leastPostgres)
	}
	return folder, nil
})

// postgresMajor reads "postgres (PostgreSQL) 15.19 (Debian ...)"; 0 when it cannot.
func postgresMajor(program string) int {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return 0
	}
	for word := range strings.FieldsSeq(string(out)) {
		major, _, _ := strings.Cut(word, ".")
		if n, err := strconv.Atoi(major); err == nil {
			return n
		}
	}
	return 0
}

// PostgresProgram is the path of one of PostgreSQL's own programs, such as psql.
func PostgresProgram(t testing.TB, name string) string {
	t.Helper()
	bin, err := pgBin()
	must(t, err)
	return filepath.Join(bin, name)
}

// NewPostgres starts a PostgreSQL server of the test's own, which the test may
// kill. Its settings are lines of postgresql.conf.
func NewPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	p, err := newPostgres(openTestFolder(t), settings...)
	must(t, err)
	p.startUntilEnd(t)
	return p
}

// startUntilEnd starts a server that ends with the test.
func (p *Postgres) startUntilEnd(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		if err := p.end(syscall.SIGQUIT); err != nil {
			t.Error(err)
		}
	})
	must(t, p.start())
}

// openTestFolder is removed with the test.
func openTestFolder(t testing.TB) string {
	t.Helper()
	dir, err := openFolder()
	must(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// openFolder is a temporary folder that another account may enter, unlike those
// of testing.
func openFolder() (string, error) {
	dir, err := os.MkdirTemp("", "sluice-postgres-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// pristine is a cluster that never ran, to be copied: to make one takes a second of
// a processor, and a copy next to nothing.
var pristine = sync.OnceValues(func() (string, error) {
	bin, err := pgBin()
	if err != nil {
		return "", err
	}
	dir, err := openFolder()
	if err != nil {
		return "", err
	}
	atEnd(func() error { return os.RemoveAll(dir) })
	account, err := unprivileged("postgres", dir)
	if err != nil {
		return "", err
	}
	data := filepath.Join(dir, "pg")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "sluice", "--auth=trust", "--no-sync",
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions")
	initdb.Dir = dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return data, nil
})

// newPostgres makes a cluster in dir and does not start it. Packages that use it
// run their tests through Main.
func newPostgres(dir string, settings ...string) (*Postgres, error) {
	bin, err := pgBin()
	if err != nil {
		return nil, err
	}
	account, err := unprivileged("postgres", dir)
	if err != nil {
		return nil, err
	}
	template, err := pristine()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "pg")
	if out, err := exec.Command("cp", "-a", template, data).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy a cluster: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	// A kill loses nothing that the system has: only a power cut would need fsync.
	conf := append([]string{
		"listen_addresses = '127.0.0.1'", fmt.Sprintf("port = %d", port), "unix_socket_directories = ''", "max_connections = 400",
		"fsync = off", "full_page_writes = off", "shared_buffers = 64MB", "log_min_messages = warning",
	}, settings...)
	file, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = file.WriteString("\n" + strings.Join(conf, "\n") + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	p := &Postgres{server: server{
		name: "postgres", program: filepath.Join(bin, "postgres"), args: []string{"-D", data}, dir: dir,
		addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), account: account,
	}}
	p.ready = func(ctx context.Context) error {
		db, err := sql.Open("pgx", p.URL("postgres"))
		if err != nil {
			return err
		}
		return errors.Join(db.PingContext(ctx), db.Close())
	}
	return p, nil
}

// Addr is where the server listens.
func (p *Postgres) Addr() string { return p.addr }

// DataDir is the folder of the cluster's files.
func (p *Postgres) DataDir() string { return filepath.Join(p.dir, "pg") }

// URL is that of one of its databases.
func (p *Postgres) URL(database string) string { return URLVia(p.addr, database) }

// URLVia is the URL of a database that is reached at addr, such as through a proxy.
func URLVia(addr, database string) string {
	return "postgres://sluice@" + addr + "/" + database + "?sslmode=disable"
}

// Kill ends the server as kill -9 of all its processes does.
func (p *Postgres) Kill(t testing.TB) {
	t.Helper()
	must(t, p.end(syscall.SIGQUIT)) // "immediate": the postmaster kills its children and writes nothing
}

// Stop ends the server in order, cutting its connections ("fast").
func (p *Postgres) Stop(t testing.TB) {
	t.Helper()
	must(t, p.end(syscall.SIGINT))
}

// Freeze makes the server hang until Thaw, with every process that serves a
// connection: nothing is answered and nothing breaks.
func (p *Postgres) Freeze(t testing.TB) {
	t.Helper()
	p.signalAll(t, syscall.SIGSTOP)
}

// Thaw lets a frozen server go on.
func (p *Postgres) Thaw(t testing.TB) {
	t.Helper()
	p.signalAll(t, syscall.SIGCONT)
}

func (p *Postgres) signalAll(t testing.TB, sig syscall.Signal) {
	t.Helper()
	must(t, p.signal(sig))
	out, err := exec.Command("pgrep", "--parent", strconv.Itoa(p.cmd.Process.Pid)).Output()
	must(t, err)
	for field := range strings.FieldsSeq(string(out)) {
		pid, err := strconv.Atoi(field)
		must(t, err)
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
}

// Start starts it again.
func (p *Postgres) Start(t testing.TB) {
	t.Helper()
	must(t, p.start())
}

var databases atomic.Int64

// CreateDatabase makes a new, empty database, a copy of template if that is
// given, and returns its URL. It lasts as long as the test.
func (p *Postgres) CreateDatabase(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("sluice_%d", databases.Add(1))
	if template == "" {
		template = "template1"
	}
	// As files: through the journal, as is usual, each page of the template would be written twice.
	p.Exec(t, "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY file_copy", name, template))
	if p.shared { // hundreds of databases take gigabytes; a server of the test's own goes with it
		t.Cleanup(func() { p.Exec(t, "postgres", fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)) })
	}
	return p.URL(name)
}

// Exec runs a statement in one of the databases.
func (p *Postgres) Exec(t testing.TB, database, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("pgx", p.URL(database))
	must(t, err)
	_, err = db.ExecContext(context.Background(), statement, args...)
	must(t, errors.Join(err, db.Close()))
}

// sharedPostgres is one server for all tests of a process that do not kill it.
var sharedPostgres = sync.OnceValues(func() (*Postgres, error) {
	dir, err := openFolder()
	if err != nil {
		return nil, err
	}
	atEnd(func() error { return os.RemoveAll(dir) })
	// Of hundreds of databases the vacuum would visit one after the other all the time.
	p, err := newPostgres(dir, "autovacuum = off")
	if err != nil {
		return nil, err
	}
	p.shared = true
	atEnd(func() error { return p.end(syscall.SIGQUIT) })
	return p, p.start()
})

// SharedPostgres is a server that all tests of the process share, each with a
// database of its own. Packages that use it run their tests through Main.
func SharedPostgres(t testing.TB) *Postgres {
	t.Helper()
	p, err := sharedPostgres()
	must(t, err)
	return p
}

// ends is what Main does after the tests.
var (
	endsMu sync.Mutex
	ends   []func() error
)

func atEnd(step func() error) {
	endsMu.Lock()
	defer endsMu.Unlock()
	ends = append(ends, step)
}

func runEnds() error {
	endsMu.Lock()
	defer endsMu.Unlock()
	var errs []error
	for _, step := range slices.Backward(ends) {
		errs = append(errs, step())
	}
	return errors.Join(errs...)
}
