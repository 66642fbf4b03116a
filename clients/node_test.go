package clients_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// nodeReaders are programs of npm that read, each with the line that it printed last.
type nodeReaders struct {
	mu   sync.Mutex
	said map[string]string // by token
}

// npmInstall gets what clients/node needs, in a folder of the test's own.
func npmInstall(s *stage) (dir string) {
	s.t.Helper()
	dir = s.t.TempDir()
	s.must(os.CopyFS(dir, os.DirFS("clients/node")))
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}

// newNodeReaders starts a program of a kind for each reader, from where npmInstall put it. They end with
// the test.
func newNodeReaders(s *stage, dir, kind string) *nodeReaders {
	s.t.Helper()
	n := &nodeReaders{said: map[string]string{}}
	for _, r := range s.readers {
		n.start(s, dir, kind, r)
	}
	return n
}

func (n *nodeReaders) start(s *stage, dir, kind string, r reader) {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", filepath.Join(dir, "reader.js"), kind, s.daemon.URL(), r.token)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	s.must(err)
	cmd.Stderr = os.Stderr
	s.must(cmd.Start())
	var ended sync.WaitGroup
	ended.Go(func() { n.hear(r, out) })
	s.t.Cleanup(func() {
		stop()
		ended.Wait()
		cmd.Wait() //nolint:errcheck // it was killed
	})
}

func (n *nodeReaders) hear(r reader, out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n.mu.Lock()
		n.said[r.token] = lines.Text()
		n.mu.Unlock()
	}
}

// show is what the program printed last.
func (n *nodeReaders) show(_ *stage, r reader) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.said[r.token]
}
