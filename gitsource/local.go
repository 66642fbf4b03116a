package gitsource

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/server"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// connectLocal serves a repository of this machine in process: no Git binary is started.
func (m *Mirror) connectLocal() (*connection, error) {
	c := &connection{watch: new(watch), redact: func(s string) string { return s }}
	session, err := server.NewClient(localLoader{}).NewUploadPackSession(m.remote.endpoint(), nil)
	if err != nil {
		return nil, err
	}
	c.UploadPackSession = session
	return c, nil
}

type localLoader struct{}

// Load opens the repository at the endpoint's path, bare or with a working tree.
func (localLoader) Load(ep *transport.Endpoint) (storer.Storer, error) {
	dir := ep.Path
	if info, err := os.Stat(filepath.Join(dir, ".git")); err == nil && info.IsDir() {
		dir = filepath.Join(dir, ".git")
	}
	if _, err := os.Stat(filepath.Join(dir, "objects")); err != nil {
		return nil, fmt.Errorf("%w: no Git repository there", ErrRepositoryNotFound)
	}
	return filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(16*cache.MiByte)), nil
}
