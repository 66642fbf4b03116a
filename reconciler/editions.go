package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// edition is a profile under a schema of another content than the one that the
// data it runs was checked by.
type edition struct{ profile, schemaHash string }

// loadEditions finds out where data would come under an edition of its schema
// that breaks what the edition before it declared. The one before is that of the
// running version, so that a break is approved when a deployment under it
// completes, and not forgotten when the data changes only later.
func (st *state) loadEditions(ctx context.Context, git Git, store SchemaStore, root string, observations []observation) error {
	l := editions{git: git, store: store, root: root, schemas: make(map[string]*profile.Schema), breaks: make(map[[3]string]string)}
	for _, obs := range observations {
		for _, s := range obs.Sightings {
			was, ok := st.baseline(s.Profile.Name)
			if !ok || len(s.Problems) > 0 || s.Edition != nil || // a registered one is approved by itself
				was.SchemaID != s.Profile.Schema ||
				was.SchemaHash == "" || s.SchemaHash == "" || was.SchemaHash == s.SchemaHash {
				continue
			}
			reason, err := l.compare(ctx, was, obs.Commit.SHA, s.SchemaHash)
			if err != nil {
				return fmt.Errorf("schema %s of %s: %w", s.Profile.Schema, s.Profile.Name, err)
			}
			if reason != "" {
				st.Broken[edition{s.Profile.Name, s.SchemaHash}] = reason
			}
		}
	}
	return nil
}

// baseline is the version that a guard compares with: what runs, or else the
// newest.
func (st *state) baseline(name string) (v profile.Version, ok bool) {
	if v, ok = st.Current[name]; !ok {
		v, ok = st.Latest[name]
	}
	return v, ok
}

// editions reads and compares schemas, each once.
type editions struct {
	git     Git
	store   SchemaStore
	root    string
	schemas map[string]*profile.Schema // by ID and hash; nil: cannot be read
	breaks  map[[3]string]string       // by ID and both hashes
}

// compare says how the schema at commit breaks the one that a version was
// checked by, "" when it does not.
func (l *editions) compare(ctx context.Context, was profile.Version, commit, hash string) (string, error) {
	key := [3]string{was.SchemaID, was.SchemaHash, hash}
	if reason, known := l.breaks[key]; known {
		return reason, nil
	}
	is, err := l.schema(ctx, was.SchemaID, commit, hash)
	if err != nil {
		return "", err
	}
	before, err := l.schema(ctx, was.SchemaID, was.Commit, was.SchemaHash)
	if err != nil {
		return "", err
	}
	reason := broken(was, before, is)
	if before != nil { // otherwise another version's commit may still have it
		l.breaks[key] = reason
	}
	return reason, nil
}

// broken says in one line what is the matter between two editions of a schema.
func broken(was profile.Version, before, is *profile.Schema) (reason string) {
	defer func() {
		if recover() != nil { // a comparison that panics has proved nothing
			reason = fmt.Sprintf(cannotBeCompared+"with its edition before", was.SchemaID)
		}
	}()
	switch {
	case is == nil:
		return "" // no version comes of it
	case before == nil && is.Compatibility() == profile.CompatibilityNone:
		return "" // nobody here promises anything
	case before == nil:
		return fmt.Sprintf(declares+"%s compatibility, and the edition that version %s was checked by cannot be read any more",
			was.SchemaID, is.Compatibility(), was.Number)
	}
	found := is.Breaks(before)
	if len(found) == 0 {
		return ""
	}
	more := ""
	if len(found) > 1 {
		more = fmt.Sprintf(", and %d more", len(found)-1)
	}
	return fmt.Sprintf(breaksItsWord+"%s compatibility that it declared: %s%s",
		was.SchemaID, before.Compatibility(), printable(found[0].Error()), more)
}

// schema reads the edition of that hash at a commit; nil when it is not there.
func (l *editions) schema(ctx context.Context, id, commit, hash string) (*profile.Schema, error) {
	key := id + "@" + hash
	if s, known := l.schemas[key]; known {
		return s, nil
	}
	src, err := l.read(ctx, id, commit)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(src)
	if src == nil || hex.EncodeToString(sum[:]) != hash {
		return l.registeredBefore(ctx, id, hash) // or else another commit may have it
	}
	s := compiled(id, src)
	l.schemas[key] = s
	return s, nil
}

func (l *editions) read(ctx context.Context, id, commit string) ([]byte, error) {
	if commit == "" {
		return nil, nil
	}
	for _, file := range profile.SchemaPaths(l.root, id) {
		src, err := l.git.Read(ctx, commit, file)
		switch {
		case err == nil:
			return src, nil
		case errors.Is(err, gitsource.ErrNotFetched), errors.Is(err, gitsource.ErrTooLarge), errors.Is(err, gitsource.ErrNotRegular):
			return nil, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return nil, nil
}

// compiled is nil for a schema that does not compile, which every profile under
// it says already.
func compiled(id string, src []byte) (s *profile.Schema) {
	defer func() {
		if recover() != nil {
			s = nil
		}
	}()
	s, err := profile.CompileSchema(id, src)
	if err != nil {
		return nil
	}
	return s
}

// WaitsForSchema says that a deployment waits for nothing but the approval of a
// schema that breaks what it declared.
func WaitsForSchema(d rollout.Deployment, id string) bool {
	return strings.HasPrefix(d.Guard, fmt.Sprintf(breaksItsWord, id)) || strings.HasPrefix(d.Guard, fmt.Sprintf(cannotBeCompared, id)) ||
		strings.HasPrefix(d.Guard, fmt.Sprintf(declares, id))
}

// How the guards of broken schemas begin.
const (
	breaksItsWord    = "schema %s breaks the "
	declares         = "schema %s declares "
	cannotBeCompared = "schema %s cannot be compared "
)
