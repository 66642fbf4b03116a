package e2e_test

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluicehq/sluice/internal/doctest"
	"github.com/sluicehq/sluice/internal/testenv"
)

// The pages of docs/ are run as a reader would run them: block after block in
// one shell, on a machine where nobody has configured anything. The scripts of
// testdata/docs say what each block shows; internal/doctest holds that no block
// is forgotten. Their own commands are
//
//	page PATH      open the page or go on with it; at first, open a shell in an empty folder
//	block TEXT     run the page's next block, which has TEXT in it; ! when it must fail
//	shows TEXT...  the block's output, errors too, has these words
//	hidden LINE    run a line that the page takes for granted
//	postgres, redis  start a server, as DATABASE_URL or REDIS_URL
func TestDocs(t *testing.T) {
	t.Parallel()
	readers := &readers{t: t, open: map[*testscript.TestScript]*reader{}}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "docs"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"page": readers.page, "block": readers.block, "hidden": readers.hidden, "shows": shows,
			"postgres": readers.postgres, "redis": readers.redis,
		},
	})
}

// readers are those who read pages, each by himself, at the same time.
type readers struct {
	t    *testing.T
	mu   sync.Mutex
	open map[*testscript.TestScript]*reader
}

// reader is where one of them is.
type reader struct {
	shell *bashShell
	page  string
	left  map[string][]doctest.Block // of each page that was opened, in order
}

func (r *readers) page(ts *testscript.TestScript, _ bool, args []string) {
	page, err := doctest.ReadPage(filepath.Join("..", ".."), args[0])
	ts.Check(err)
	blocks := slices.DeleteFunc(page.Blocks, func(b doctest.Block) bool { return !b.Runs() })
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := r.open[ts]; at != nil {
		at.turnTo(page.Path, blocks)
		return
	}
	shell, err := openBash(ts.MkAbs("."), r.environment(ts))
	ts.Check(err)
	ts.Defer(func() {
		if err := shell.close(); err != nil {
			r.t.Errorf("%s: %v", ts.Name(), err)
		}
	})
	at := &reader{shell: shell, left: map[string][]doctest.Block{}}
	at.turnTo(page.Path, blocks)
	r.open[ts] = at
}

// turnTo opens a page, or goes on with it where it was left.
func (r *reader) turnTo(page string, blocks []doctest.Block) {
	r.page = page
	if _, begun := r.left[page]; !begun {
		r.left[page] = blocks
	}
}

// environment is that of somebody who has the program on his path, and nothing set up.
func (r *readers) environment(ts *testscript.TestScript) []string {
	home := ts.MkAbs(".")
	address := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(r.t))
	env := []string{
		"PATH=" + filepath.Dir(testenv.Binary(r.t)) + ":" + ts.Getenv("PATH"),
		"HOME=" + home, "XDG_CONFIG_HOME=" + home, "LC_ALL=C.UTF-8", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Reader", "GIT_AUTHOR_EMAIL=reader@example.com", "GIT_COMMITTER_NAME=Reader", "GIT_COMMITTER_EMAIL=reader@example.com",
		"SLUICE_LISTEN=" + address, "SLUICE_SERVER=http://" + address, "SLUICE_AGENT_SERVER=http://" + address,
	}
	for _, name := range []string{"DATABASE_URL", "REDIS_URL", "PGHOST", "PGPORT", "PGUSER"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// reader is the one of a script, which has opened a page.
func (r *readers) reader(ts *testscript.TestScript) *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.open[ts]
	if at == nil {
		ts.Fatalf("no page is open")
	}
	return at
}

func (r *readers) block(ts *testscript.TestScript, neg bool, args []string) {
	r.reader(ts).block(ts, neg, args[0])
}

func (r *readers) hidden(ts *testscript.TestScript, neg bool, args []string) {
	r.reader(ts).run(ts, neg, strings.Join(args, " "))
}

func (r *reader) block(ts *testscript.TestScript, neg bool, words string) {
	left := r.left[r.page]
	if len(left) == 0 {
		ts.Fatalf("%s has no more blocks", r.page)
	}
	b := left[0]
	r.left[r.page] = left[1:]
	if !strings.Contains(b.Text, words) {
		ts.Fatalf("the page's next block, on line %d, has no %q in it:\n%s", b.Line, words, b.Text)
	}
	r.run(ts, neg, b.Text)
}

func (r *reader) run(ts *testscript.TestScript, neg bool, text string) {
	out, ok, err := r.shell.run(text)
	_, printErr := fmt.Fprint(ts.Stdout(), out)
	ts.Check(printErr)
	switch {
	case err != nil:
		ts.Fatalf("%v:\n%s", err, text)
	case ok == neg:
		ts.Fatalf("it ended well: %v; it should not have: %v", ok, neg)
	}
}

func shows(ts *testscript.TestScript, neg bool, args []string) {
	out := ts.ReadFile("stdout")
	for _, want := range args {
		if strings.Contains(out, want) == neg {
			ts.Fatalf("the block shows %q: %v", want, neg)
		}
	}
}

// postgres makes a database for the page, and lets PostgreSQL's own programs find its server.
func (r *readers) postgres(ts *testscript.TestScript, _ bool, _ []string) {
	server := testenv.SharedPostgres(r.t)
	host, port, err := net.SplitHostPort(server.Addr())
	ts.Check(err)
	ts.Setenv("DATABASE_URL", server.CreateDatabase(r.t, ""))
	ts.Setenv("PGHOST", host)
	ts.Setenv("PGPORT", port)
	ts.Setenv("PGUSER", "sluice")
	ts.Setenv("PATH", filepath.Dir(testenv.PostgresProgram(r.t, "psql"))+":"+ts.Getenv("PATH"))
}

func (r *readers) redis(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Setenv("REDIS_URL", testenv.NewRedis(r.t).URL())
}
