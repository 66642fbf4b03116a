package reconciler

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// see fills in what the commit's tree has at s.Path. Its error says that Git
// could not be read; what is wrong with the file itself becomes s.Problems.
func (o *observer) see(files *commitFiles, s *sighting) error {
	src, err := o.source(files, s.Path, s.refused)
	switch {
	case errors.Is(err, profile.ErrRefused):
		s.refuse(err.Error())
		return nil
	case err != nil:
		return err
	case src == nil:
		s.Gone = true
		s.instead, err = o.instead(files, s.Path)
		return err
	}
	p, err := o.load(files, s.Path, src)
	s.Profile = p
	if problems, ok := errors.AsType[profile.Problems](err); ok {
		s.Problems = problems
		return nil
	} else if err != nil {
		return err
	}
	s.Text = profile.Canonical(p.Data)
	s.Hash = profile.HashCanonical(s.Text)
	if _, stored := o.stored[p.Name]; o.lean && !stored {
		s.Profile.Data = nil // nothing is there to compare it with
	}
	s.SchemaHash, err = files.schemaHash(o.root, p.Schema)
	if err != nil {
		return err
	}
	s.VersionAt = profile.Problem{Path: s.Path, Field: "$.version", Severity: profile.Error}
	if p.Version != "" {
		s.VersionAt = versionPlace(s.VersionAt, src)
	}
	s.Edition = files.edition(p.Schema)
	warning, err := files.schemaWarning(p.Schema, s.Edition)
	if warning != "" {
		s.Profile.Warnings = append(s.Profile.Warnings, profile.Problem{Path: s.Path, Field: "$.schema", Message: warning, Severity: profile.Warning})
	}
	return err
}

// source reads the profile file at a path; nil when there is none. An error that wraps
// profile.ErrRefused says why it must not be used.
func (o *observer) source(files *commitFiles, path, refused string) ([]byte, error) {
	if !o.below(path) {
		return nil, nil // it is not the source's any more
	}
	if refused != "" && profile.ValidPath(path) != nil { // any other is asked for by its name, and says the same each time
		return nil, refusal(refused)
	}
	src, err := files.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if kind := profile.Kind(src); kind == profile.KindNone || kind == profile.KindBase {
		return nil, nil
	}
	return src, nil
}

// refusal is why the tree's entry must not be used at all.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) Unwrap() error   { return profile.ErrRefused }

func (s *sighting) refuse(why string) {
	s.Problems = profile.Problems{{Path: s.Path, Message: why, Severity: profile.Error}}
}

// load is profile.Load with a panic turned into a problem of the file: one
// file must never stop the others.
func (o *observer) load(files *commitFiles, file string, src []byte) (p profile.Profile, err error) {
	defer func() {
		if v := recover(); v != nil {
			o.log.Error("reading a profile panicked", "path", file, "commit", files.commit, "panic", v)
			p = profile.Profile{Path: file}
			err = profile.Problems{{Path: file, Message: "internal error: reading this file panicked", Severity: profile.Error}}
		}
	}()
	began := time.Now()
	defer func() { o.timed(files.ctx, time.Since(began)) }()
	loader := o.loader()
	p, err = loader.Load(profileFiles{files, file, src}, file)
	o.give(loader) // not one that panicked
	return p, err
}

// schemaHash is the SHA-256 of the schema file that Load used for id.
func (f *commitFiles) schemaHash(root, id string) (hash string, err error) {
	if id == "" {
		return "", nil
	}
	f.mu.Lock()
	hash, known := f.hashes[id]
	f.mu.Unlock()
	if known {
		return hash, nil
	}
	if hash, err = hashOfSchema(f, root, id); err == nil {
		f.mu.Lock()
		f.hashes[id] = hash
		f.mu.Unlock()
	}
	return hash, err
}

func hashOfSchema(files profile.Files, root, id string) (string, error) {
	for _, file := range profile.SchemaPaths(root, id) {
		src, err := files.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(src)
		return hex.EncodeToString(sum[:]), nil
	}
	return "", nil
}

var versionKey = regexp.MustCompile(`(?m)^["']?version["']?[ \t]*:[ \t]*`)

// versionPlace adds to a problem where a file sets its explicit version.
func versionPlace(at profile.Problem, src []byte) profile.Problem {
	if m := versionKey.FindIndex(src); m != nil {
		at.Line = 1 + strings.Count(string(src[:m[0]]), "\n")
		at.Column = 1 + m[1] - m[0]
	}
	return at
}
