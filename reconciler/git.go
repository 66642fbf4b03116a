package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
)

// Git is what the reconciler needs of a source's mirror.
type Git interface {
	// Head asks the remote for the branch's commit.
	Head(ctx context.Context) (sha string, err error)
	// Fetch brings the branch and returns its commit.
	Fetch(ctx context.Context) (head string, err error)
	// Walk lists the first-parent commits after from up to to, oldest first.
	Walk(ctx context.Context, from, to string) ([]gitsource.Commit, error)
	// Changes lists the source's files that differ between two commits.
	Changes(ctx context.Context, from, to string) ([]gitsource.Change, error)
	// List lists the source's files at a commit.
	List(ctx context.Context, commit string) ([]gitsource.Entry, error)
	// Read reads one file at a commit.
	Read(ctx context.Context, commit, path string) ([]byte, error)
}

// fetcher brings a branch into a mirror.
type fetcher interface {
	Fetch(ctx context.Context) (head string, err error)
}

// fetched does something with a mirror, and once more after a fetch when a
// commit is not there: another replica may have synced what this one's mirror has
// not seen yet.
func fetched[T any](ctx context.Context, git fetcher, do func() (T, error)) (T, error) {
	out, err := do()
	if !errors.Is(err, gitsource.ErrNotFetched) {
		return out, err
	}
	if _, err := git.Fetch(ctx); err != nil {
		return out, err
	}
	return do()
}

// maxMemo bounds the bytes that one commit's files are remembered with, so
// that a base shared by thousands of profiles is read once and a huge tree is
// never held whole.
const maxMemo = 32 << 20

// commitFiles is profile.Files over one commit.
type commitFiles struct {
	ctx    context.Context // of the pass: profile.Files, being pure, has none to give
	git    Git
	commit string

	schemas SchemaStore // answers for schemas that the commit has not

	reading  sync.Mutex // held while a file is read that is to be remembered
	mu       sync.Mutex // guards what follows
	memo     map[string][]byte
	bytes    int
	hashes   map[string]string                // of the schemas, by ID
	editions map[string]profile.SchemaEdition // those that answered, by ID
	both     map[string]bool                  // whether a schema that the commit has is registered too, by ID
}

func newCommitFiles(ctx context.Context, git Git, schemas SchemaStore, commit string) *commitFiles {
	return &commitFiles{
		ctx: ctx, git: git, commit: commit, memo: make(map[string][]byte),
		schemas: schemas, hashes: make(map[string]string), editions: make(map[string]profile.SchemaEdition), both: make(map[string]bool),
	}
}

// profileFiles are a commit's files with one of them read already: a profile's own
// file is asked for once, and need not be remembered.
type profileFiles struct {
	*commitFiles
	path string
	src  []byte
}

// ReadFile reads one file.
func (f profileFiles) ReadFile(path string) ([]byte, error) {
	if path == f.path {
		return f.src, nil
	}
	return f.commitFiles.ReadFile(path)
}

// ReadFile reads one file and remembers it. A missing one is fs.ErrNotExist, one that must not
// be read wraps profile.ErrRefused, and any other error ends the pass.
func (f *commitFiles) ReadFile(path string) ([]byte, error) {
	if src, ok := f.remembered(path); ok && src != nil {
		return src, nil
	}
	f.reading.Lock() // two profiles that want one base at once read it once
	defer f.reading.Unlock()
	src, err := f.read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, ok := f.remembered(path); ok {
		return src, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bytes += len(src); f.bytes <= maxMemo {
		f.memo[path] = src // nil for none
	}
	return src, err
}

// read reads one file as ReadFile does, and does not remember it.
func (f *commitFiles) read(path string) ([]byte, error) {
	if src, ok := f.remembered(path); ok {
		if src == nil {
			return nil, fs.ErrNotExist
		}
		return src, nil
	}
	src, err := f.git.Read(f.ctx, f.commit, path)
	if errors.Is(err, fs.ErrNotExist) {
		src, err = f.registered(path)
	}
	switch {
	case errors.Is(err, gitsource.ErrTooLarge), errors.Is(err, gitsource.ErrNotRegular):
		return nil, fmt.Errorf("%w: %w", profile.ErrRefused, cause(err))
	case err != nil:
		return nil, err
	}
	if src == nil {
		src = []byte{}
	}
	return src, nil
}

func (f *commitFiles) remembered(path string) (src []byte, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	src, ok = f.memo[path]
	return src, ok
}

// cause takes the operation and the place off an error that is told with its
// place anyway.
func cause(err error) error {
	inner := errors.Unwrap(err)
	if errors.Is(inner, gitsource.ErrTooLarge) || errors.Is(inner, gitsource.ErrNotRegular) {
		return inner
	}
	return err
}
