package testenv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// templates are the files that were made to be copied.
var templates struct {
	sync.Mutex
	paths map[string]string
}

// Template copies a file into the test's folder, and returns the copy's path. The
// file is made once in a process, by the first test that asks for its name: to
// migrate an embedded database takes longer than most tests of it.
func Template(t testing.TB, name string, prepare func(path string) error) string {
	t.Helper()
	path, err := template(name, prepare)
	must(t, err)
	to := filepath.Join(t.TempDir(), name)
	content, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(to, content, 0o600))
	return to
}

func template(name string, prepare func(path string) error) (string, error) {
	templates.Lock()
	defer templates.Unlock()
	if path := templates.paths[name]; path != "" {
		return path, nil
	}
	if err := makeFolder(); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "template-"+name)
	if err := prepare(path); err != nil {
		return "", err
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("testenv: " + name + " has a log beside it: close it before it is copied")
	}
	if templates.paths == nil {
		templates.paths = map[string]string{}
	}
	templates.paths[name] = path
	return path, nil
}
