package reconciler

import (
	"iter"
	"path"
	"slices"
	"strings"
)

// known is what the observer remembers of one profile file.
type known struct {
	names  []string // that it may bear, being sound
	was    []string // the profiles that lay there last; a broken file is still theirs
	deps   []string
	broken bool // or refused for its name: looked at again with every commit until it is mended
}

// mayBeProfile says whether a path is worth a look: a YAML file below the
// root, one that was a profile, or an entry that must not be used and looks
// like a folder, which can hide profiles.
func (o *observer) mayBeProfile(file, refused string) bool {
	if _, ok := o.files[file]; ok {
		return true
	}
	if !o.below(file) {
		return false
	}
	switch path.Ext(file) {
	case ".yaml", ".yml":
		return true
	case "":
		return refused != ""
	}
	return false
}

// below says whether a path lies in the source's folder.
func (o *observer) below(file string) bool {
	return o.root == "" || strings.HasPrefix(file, o.root+"/")
}

func (o *observer) remember(file string, deps []string, broken bool) {
	k, ok := o.files[file]
	if !ok {
		k = &known{}
		o.files[file] = k
	}
	k.broken = broken
	if broken && len(deps) == 0 {
		return // too broken to say on what it rests: what was known still holds
	}
	for _, d := range deps {
		if !slices.Contains(k.deps, d) {
			o.dependents[d] = append(o.dependents[d], file)
		}
	}
	k.deps = deps
}

// restingOn are the profile files that rest on one. A path may be there twice.
func (o *observer) restingOn(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, file := range o.dependents[path] {
			if k, ok := o.files[file]; ok && slices.Contains(k.deps, path) && !yield(file) {
				return
			}
		}
	}
}

// bear adds a name that the file may bear; the empty one withdraws all.
func (o *observer) bear(file, name string) {
	k := o.files[file]
	if name == "" {
		for _, n := range k.names {
			o.bearers[n] = slices.DeleteFunc(o.bearers[n], func(f string) bool { return f == file })
		}
		k.names = nil
		return
	}
	k.names = append(k.names, name)
	if !slices.Contains(o.bearers[name], file) {
		o.bearers[name] = append(o.bearers[name], file)
	}
}

func (o *observer) forget(file string) {
	o.bear(file, "")
	delete(o.files, file)
}
