package gitsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

// Kind says what a tree entry is.
type Kind string

// The kinds of entries. Folders are walked and never listed.
const (
	Regular   Kind = "Regular"   // a file, executable or not
	Symlink   Kind = "Symlink"   // a symbolic link; its target is never read
	Submodule Kind = "Submodule" // a commit of another repository; never fetched
	BadName   Kind = "BadName"   // an entry whose name is not allowed, whatever it is
	Unknown   Kind = "Unknown"   // a mode that Git does not write

	folder Kind = "Folder"
)

// maxTreeDepth bounds how deep folders may lie in each other.
const maxTreeDepth = 64

// treeEntry is one line of a tree object.
type treeEntry struct {
	name   string
	hash   plumbing.Hash
	octal  string // the mode as it is written
	mode   Kind   // what the mode says
	kind   Kind   // what is made of it, with the name in view
	reason string // why the entry is not used; "" for files and folders
}

func (e treeEntry) valid() bool { return e.reason == "" }

// minTreeLine is about how long a line of a tree is that has a short name.
const minTreeLine = 40

// parseTree reads a tree object. It does not judge order or duplicates as Git does; it reports names that must not be
// used instead of failing, so that one bad name does not hide its neighbours.
func parseTree(b []byte) ([]treeEntry, error) {
	out := make([]treeEntry, 0, len(b)/minTreeLine+1)
	seen := make(map[string]string, cap(out))
	for len(b) > 0 {
		mode, rest, ok := bytes.Cut(b, []byte{' '})
		name, rest, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 || len(rest) < 20 || len(mode) > 7 {
			return nil, errors.New("tree does not parse")
		}
		e := treeEntry{name: string(name), hash: plumbing.Hash(rest[:20]), octal: modeText(mode)}
		e.mode, e.reason = judgeMode(e.octal)
		e.kind = e.mode
		folded := strings.ToLower(e.name)
		if r := judgeName(e.name, e.kind); r != "" {
			e.kind, e.reason = BadName, r
		} else if other, dup := seen[folded]; dup {
			e.kind, e.reason = BadName, fmt.Sprintf("the name differs from %s only in case", other)
			if other == e.name {
				e.reason = "the name is there twice"
			}
		} else {
			seen[folded] = e.name
		}
		out = append(out, e)
		b = rest[20:]
	}
	return out, nil
}

// modeText is the mode as it is written; those that Git writes cost nothing.
func modeText(mode []byte) string {
	switch string(mode) {
	case "100644":
		return "100644"
	case "40000":
		return "40000"
	}
	return string(mode)
}

func judgeMode(octal string) (Kind, string) {
	mode, err := strconv.ParseUint(octal, 8, 32)
	if err != nil {
		return Unknown, "the mode is not valid"
	}
	switch mode & 0o170000 {
	case 0o100000:
		return Regular, ""
	case 0o040000:
		return folder, ""
	case 0o120000:
		return Symlink, "symbolic links are not followed"
	case 0o160000:
		return Submodule, "submodules are not fetched"
	}
	return Unknown, "the mode is not known"
}

// plain reports whether any file or folder may have the name: ASCII letters, digits, dots, dashes and underscores, no
// dot or dash in front, 255 bytes at most.
func plain(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
		case i > 0 && (c == '.' || c == '-'):
		default:
			return false
		}
	}
	return name != "" && len(name) <= 255
}

// judgeName returns why a name must not be used, or "". Any file may have a name that one can print; files that could
// be configuration, and nothing else Sluice reads, keep to plain ASCII.
func judgeName(name string, kind Kind) string {
	if plain(name) {
		return ""
	}
	lower := strings.ToLower(name)
	switch {
	case name == "" || name == "." || name == "..":
		return "the name is a relative path"
	case strings.TrimRight(strings.ToLower(name), ". ") == ".git" || lower == "git~1":
		return "the name is reserved by Git"
	case len(name) > 255:
		return "the name is longer than 255 bytes"
	case strings.ContainsAny(name, "/\\"):
		return "the name holds a slash or backslash"
	case !utf8.ValidString(name):
		return "the name is not valid UTF-8"
	case printable(name, 1024) != name:
		return "the name holds control or invisible characters"
	case isData(lower) && kind != folder && !hidden(name) && !plain(name):
		return "the name of a configuration file may hold letters, digits, dots, dashes and underscores only"
	}
	return ""
}

func isData(lower string) bool {
	return strings.HasSuffix(lower, ".yaml") || strings.HasSuffix(lower, ".yml") || strings.HasSuffix(lower, ".json")
}

// hidden reports whether a file or folder belongs to tools (.github, .gitignore) and not to the source.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// missing reports an object that must be there and is not: the next fetch starts over.
func (m *Mirror) missing(h plumbing.Hash) error {
	m.store().damaged.Store(true)
	return fmt.Errorf("%w: object %s is missing", ErrCorrupt, h)
}

// treeReader reads tree objects: a mirror's, or those of a merge that nobody has stored.
type treeReader interface {
	tree(ctx context.Context, h plumbing.Hash) (*folderTree, error)
}

// find returns the entry at a path below a tree. The path "" is the tree itself. Errors wrap fs.ErrNotExist.
func find(ctx context.Context, trees treeReader, root plumbing.Hash, p string) (treeEntry, error) {
	e := treeEntry{hash: root, kind: folder}
	if p == "" {
		return e, nil
	}
	segments := strings.Split(p, "/")
	if len(segments) > maxTreeDepth {
		return treeEntry{}, fs.ErrNotExist
	}
	for _, name := range segments {
		if e.kind != folder {
			return treeEntry{}, fs.ErrNotExist
		}
		t, err := trees.tree(ctx, e.hash)
		if err != nil {
			return treeEntry{}, err
		}
		if e, err = t.lookup(name); err != nil {
			return treeEntry{}, err
		}
	}
	return e, nil
}
