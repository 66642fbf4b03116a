package profile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Files reads the files of one repository at one commit. Paths are relative to the repository's root, with slashes. A
// missing file is fs.ErrNotExist; a file that exists but must not be read wraps ErrRefused. Any other error ends the
// load as it is: it says nothing about the profile.
//
// A schema that is registered elsewhere can be answered as schemas/ID.json when the repository has no file for it.
type Files interface {
	ReadFile(path string) ([]byte, error)
}

// ErrRefused is wrapped by Files for a symbolic link, a submodule or a file over the limit. Its text becomes a Problem.
var ErrRefused = errors.New("file is not read")

// maxExtends bounds the bases that one file names, and maxDepth how far they follow each other.
const (
	maxExtends      = 16
	maxExtendsDepth = 16
)

// Load reads the profile at path, lays its data over the bases that it extends, and checks the result against its
// schema. Root is the source's path ("" is the whole repository): bases must stay inside it.
//
// When the profile is wrong the error is Problems, every problem of every file involved, and the Profile holds what
// could be read, its Dependencies above all. Any other error means that a file could not be read and judges nothing.
func Load(files Files, root, path string, lim Limits) (Profile, error) {
	return NewLoader(root, lim).Load(files, path)
}

// Loader loads many profiles of one source. It remembers the schemas that it compiled, by content, which is most of the
// work of a load; it is for one goroutine at a time.
type Loader struct {
	root    string
	lim     Limits
	schemas map[[sha256.Size]byte]*Schema
	places  map[string][]string // where each schema is looked for
	deps    []string            // of the profile before: those of the next are mostly the same
	// Keeper says which secrets will open; nil says nothing.
	Keeper Keeper
}

// NewLoader returns a Loader for the profiles below root.
func NewLoader(root string, lim Limits) *Loader {
	return &Loader{root: root, lim: lim, schemas: map[[sha256.Size]byte]*Schema{}, places: map[string][]string{}}
}

// maxCachedSchemas bounds what a Loader remembers; past it, it starts anew.
const maxCachedSchemas = 1_000

// Load is the function Load with the schemas remembered. Each call may bring other files: those of the next commit.
func (c *Loader) Load(files Files, path string) (Profile, error) {
	l := newLoader(files, c.root, c.lim)
	l.schemas, l.places, l.keeper = c.schemas, c.places, c.Keeper
	if len(l.schemas) > maxCachedSchemas || len(l.places) > maxCachedSchemas {
		clear(l.schemas)
		clear(l.places)
	}
	p, err := l.profile(path)
	if slices.Equal(p.Dependencies, c.deps) {
		p.Dependencies = c.deps
	}
	c.deps = p.Dependencies
	if err != nil {
		return p, fmt.Errorf("load %s: %w", path, err)
	}
	l.out.warnings.sort()
	p.Warnings = l.out.warnings
	return p, l.out.err()
}

// LoadBase checks the base at path by itself and everything that it extends, and returns its effective data and the
// files it depends on. Its error is as Load's.
func LoadBase(files Files, root, path string, lim Limits) (Data, []string, error) {
	l := newLoader(files, root, lim)
	if err := l.checkPath(path); err != nil {
		l.out.add(place{path: path}.problem("", err.Error()))
		return nil, nil, l.out.err()
	}
	t, err := l.base(path, place{path: path}, "")
	delete(l.deps, path)
	deps := sortedKeys(l.deps)
	if err != nil {
		return nil, deps, fmt.Errorf("load %s: %w", path, err)
	}
	if t == nil || len(l.out.errors) > 0 {
		return nil, deps, l.out.err()
	}
	data, _ := t.value().(map[string]any)
	return data, deps, nil
}

func newLoader(files Files, root string, lim Limits) *loader {
	lim = lim.withDefaults()
	return &loader{
		files: files, root: cleanRoot(root), lim: lim,
		out:  &collector{max: lim.MaxProblems},
		deps: map[string]bool{}, done: map[string]*tree{},
	}
}

type loader struct {
	files Files
	root  string
	lim   Limits
	out   *collector
	deps  map[string]bool  // files read or looked for, besides the profile itself
	done  map[string]*tree // effective data of each base; nil while it is wrong
	stack []string         // files being extended, to see a cycle
	bytes int

	mayHold bool // whether the effective data may hold secrets

	schemas map[[sha256.Size]byte]*Schema // compiled before; nil remembers none
	places  map[string][]string           // where the schemas are looked for; nil remembers none
	keeper  Keeper                        // nil knows nothing
}

func cleanRoot(root string) string {
	root = strings.Trim(path.Clean("/"+root), "/")
	return root
}

func (l *loader) profile(file string) (p Profile, err error) {
	p.Path = file
	defer func() { p.Dependencies = sortedKeys(l.deps) }()
	if err := l.checkPath(file); err != nil {
		l.out.add(place{path: file}.problem("", err.Error()))
		return p, nil
	}
	src, problem, err := l.read(file)
	if err != nil {
		return p, err
	}
	if problem != "" {
		l.out.add(place{path: file}.problem("", problem))
		return p, nil
	}
	root := l.parse(file, src)
	if root != nil {
		root = l.sops(root)
	}
	if root == nil {
		return p, nil
	}
	o := newObject(root, "$", l.out)
	l.header(o, KindProfile)
	decodeProfile(o, &p)
	l.stack = append(l.stack, file)
	data, extends, err := l.layers(file, o)
	p.Extends = extends
	if err != nil {
		return p, err
	}
	o.done()
	if data == nil {
		return p, nil
	}
	if l.effective(root.at, &p, data) {
		err = l.checkSchema(root, &p, data)
	}
	return p, err
}

// effective fills in p.Data when it is within the limits.
func (l *loader) effective(at place, p *Profile, data *tree) bool {
	l.checkSecrets(p.Name, data, "", "$.data")
	d, _ := data.value().(map[string]any)
	size := 0
	written(d, func(text []byte) { size, l.mayHold = len(text), MayHoldSecrets(text) })
	if size > l.lim.MaxBytes {
		l.out.add(at.problem("$.data", fmt.Sprintf("effective data has %d bytes, at most %d are read", size, l.lim.MaxBytes)))
		return false
	}
	p.Data = d
	return true
}

// checkPath refuses a path that is not valid or not inside the source's root.
func (l *loader) checkPath(file string) error {
	if err := ValidPath(file); err != nil {
		return err
	}
	if l.root != "" && !strings.HasPrefix(file, l.root+"/") {
		return fmt.Errorf("%s is outside of %s", file, l.root)
	}
	return nil
}

// read returns the bytes of a file, or in problem why there are none.
func (l *loader) read(file string) (src []byte, problem string, err error) {
	src, err = l.files.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "file does not exist", nil
	case errors.Is(err, ErrRefused):
		return nil, shortenTo(err.Error(), 200), nil
	case err != nil:
		return nil, "", fmt.Errorf("read %s: %w", file, err)
	}
	if l.bytes += len(src); l.bytes > l.lim.MaxTotalBytes {
		return nil, fmt.Sprintf("the files of this profile have more than %d bytes together", l.lim.MaxTotalBytes), nil
	}
	return src, "", nil
}

// parse returns the file's top-level map, or nil.
func (l *loader) parse(file string, src []byte) *tree {
	root := parseYAML(file, src, l.lim, l.out)
	if root != nil && root.kind != mapTree {
		l.out.add(root.at.problem("", "a file must be an object, got "+root.typeName()))
		return nil
	}
	return root
}

// header checks apiVersion and kind; a base may also be a profile.
func (l *loader) header(o *object, want FileKind) {
	version, kind := o.text("apiVersion"), o.text("kind")
	if _, ok := o.t.fields["apiVersion"]; !ok {
		o.missing("apiVersion")
	} else if version != "" && version != APIVersion {
		o.fail(o.t.fields["apiVersion"].value, "apiVersion", "apiVersion %s is not known, this is %s", quote(version), APIVersion)
	}
	known := []FileKind{KindProfile}
	if want == KindBase {
		known = append(known, KindBase)
	}
	switch _, ok := o.t.fields["kind"]; {
	case !ok:
		o.missing("kind")
	case kind == string(KindBase) && want == KindProfile:
		o.fail(o.t.fields["kind"].value, "kind", "a ConfigBase is no profile: it takes part where a profile extends it")
	case kind != "" && !slices.Contains(known, FileKind(kind)):
		o.fail(o.t.fields["kind"].value, "kind", "%s", oneOf("kind", kind, known))
	}
}

// layers returns the file's data over everything that it extends, or nil when something is wrong, and the bases' paths.
func (l *loader) layers(file string, o *object) (*tree, []string, error) {
	own := &tree{at: o.t.at, kind: mapTree, fields: map[string]field{}, size: 1}
	if data := o.object("data"); data != nil {
		own = data.t
	}
	items := o.list("extends", "paths")
	if len(items) > maxExtends {
		o.fail(o.t.fields["extends"].value, "extends", "extends names %d files, at most %d are read", len(items), maxExtends)
		return nil, nil, nil
	}
	var below *tree
	var names []string
	sound := true
	for i, item := range items {
		at := joinIndex(joinKey(o.path, "extends"), i)
		name, message := l.resolve(file, item)
		if message != "" {
			l.out.add(item.at.problem(at, message))
			sound = false
			continue
		}
		names = append(names, name)
		base, err := l.base(name, item.at, at)
		if err != nil {
			return nil, names, err
		}
		if base == nil {
			sound = false
			continue
		}
		if below != nil {
			base = overlay(below, base)
		}
		below = base
	}
	if !sound {
		return nil, names, nil
	}
	if below == nil {
		return own, names, nil
	}
	out := overlay(below, own)
	if out.size > l.lim.MaxNodes {
		o.fail(o.t, "data", "effective data holds more than %d values", l.lim.MaxNodes)
		return nil, names, nil
	}
	return out, names, nil
}

// resolve returns the repository path that an extends entry of file means.
func (l *loader) resolve(file string, item *tree) (name, message string) {
	s, ok := item.scalar.(string)
	switch {
	case !ok || s == "":
		return "", "an extends entry must be a path, got " + item.typeName()
	case strings.HasPrefix(s, "/"), strings.Contains(s, "\\"), strings.Contains(s, "://"), len(s) > 1024:
		return "", fmt.Sprintf("%s must be a path relative to this file", quote(s))
	}
	name = path.Join(path.Dir(file), s)
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", fmt.Sprintf("%s leads out of the repository", quote(s))
	}
	if err := l.checkPath(name); err != nil {
		return "", err.Error()
	}
	if !YAMLFile(name) {
		return "", fmt.Sprintf("%s must name a .yaml or .yml file", quote(s))
	}
	return name, ""
}

// base returns the effective data of a base, or nil when it is wrong, which is then reported.
func (l *loader) base(name string, at place, fieldPath string) (*tree, error) {
	fail := func(format string, args ...any) (*tree, error) {
		l.out.add(at.problem(fieldPath, fmt.Sprintf(format, args...)))
		return nil, nil
	}
	if slices.Contains(l.stack, name) {
		return fail("extends makes a circle: %s", strings.Join(append(slices.Clone(l.stack), name), " -> "))
	}
	if t, ok := l.done[name]; ok {
		return t, nil
	}
	l.deps[name] = true
	if len(l.stack) > maxExtendsDepth {
		return fail("extends goes more than %d files deep", maxExtendsDepth)
	}
	if len(l.done) >= l.lim.MaxFiles {
		return fail("a profile extends at most %d files", l.lim.MaxFiles)
	}
	src, problem, err := l.read(name)
	if err != nil {
		return nil, err
	}
	if problem != "" {
		return fail("extends %s: %s", name, problem)
	}
	l.done[name] = nil
	root := l.parse(name, src)
	if root != nil {
		root = l.sops(root)
	}
	if root == nil {
		return nil, nil
	}
	o := newObject(root, "$", l.out)
	l.header(o, KindBase)
	o.text("description")
	l.stack = append(l.stack, name)
	t, _, err := l.layers(name, o)
	l.stack = l.stack[:len(l.stack)-1]
	if root.fields["kind"].value != nil && root.fields["kind"].value.scalar != string(KindProfile) {
		o.done() // a profile's other fields are judged when it is loaded itself
	}
	l.done[name] = t
	return t, err
}

// checkSchema finds the profile's schema and sends what breaks it to the places that set the values.
func (l *loader) checkSchema(root *tree, p *Profile, data *tree) error {
	f, named := root.fields["schema"]
	if !named || f.value.isNull() {
		problem := root.at.problem("$.schema", "Production needs a schema")
		if p.Environment != Production {
			problem = root.at.problem("$.schema", "no schema: nothing checks this profile's data")
			problem.Severity = Warning
		}
		l.out.add(problem)
		return nil
	}
	if p.Schema == "" {
		return nil // its name was refused already
	}
	file, src, err := l.schemaFile(p.Schema, f.value.at)
	if err != nil || src == nil {
		return err
	}
	schema := l.schema(p.Schema, file, src)
	if schema == nil {
		return nil
	}
	if slices.ContainsFunc(l.out.errors, func(p Problem) bool { return p.Field == "" }) {
		return nil // some values could not be read at all, and judging what stands for them would mislead
	}
	for _, e := range schema.validate(p.Data, l.mayHold) {
		at := data.find(e.keys)
		if e.aboutKey {
			at = data.findKey(e.keys)
		}
		l.out.add(at.problem("$.data"+strings.TrimPrefix(e.Path, "$"), e.Message))
	}
	return nil
}

// schema compiles a schema, or remembers it, or reports what is wrong with it and returns nil.
func (l *loader) schema(id, file string, src []byte) *Schema {
	hash := sha256.New()
	hash.Write([]byte(id + "\x00"))
	hash.Write(src)
	key := [sha256.Size]byte(hash.Sum(nil))
	if s, ok := l.schemas[key]; ok {
		return s
	}
	s, problems := compileSchema(id, file, src, l.lim)
	for _, problem := range problems {
		l.out.add(problem)
	}
	if s != nil && l.schemas != nil {
		l.schemas[key] = s
	}
	return s
}

// SchemaPaths returns where the schema with an ID is looked for, in order: below root, then at the top of the repository.
func SchemaPaths(root, id string) []string {
	dirs := []string{path.Join(cleanRoot(root), "schemas")}
	if dirs[0] != "schemas" {
		dirs = append(dirs, "schemas")
	}
	var out []string
	for _, dir := range dirs {
		for _, ext := range []string{".yaml", ".yml", ".json"} {
			out = append(out, dir+"/"+id+ext)
		}
	}
	return out
}

// schemaPaths returns where a schema is looked for, if all of that can be a path.
func (l *loader) schemaPaths(id string) ([]string, error) {
	if names, known := l.places[id]; known {
		return names, nil
	}
	names := SchemaPaths(l.root, id)
	for _, name := range names {
		if err := ValidPath(name); err != nil {
			return nil, err
		}
	}
	if l.places != nil {
		l.places[id] = names
	}
	return names, nil
}

func (l *loader) schemaFile(id string, at place) (file string, src []byte, err error) {
	names, err := l.schemaPaths(id)
	if err != nil {
		l.out.add(at.problem("$.schema", err.Error()))
		return "", nil, nil
	}
	for _, name := range names {
		l.deps[name] = true
		src, err := l.files.ReadFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, ErrRefused):
			l.out.add(at.problem("$.schema", "schema "+name+": "+shortenTo(err.Error(), 200)))
			return "", nil, nil
		case err != nil:
			return "", nil, fmt.Errorf("read schema %s: %w", name, err)
		}
		if src == nil {
			src = []byte{}
		}
		return name, src, nil
	}
	l.out.add(at.problem("$.schema", fmt.Sprintf("schema %s does not exist: schemas/%s.yaml, .yml or .json", id, id)))
	return "", nil, nil
}
