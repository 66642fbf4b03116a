package checks_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// builder carries out the stages of a Dockerfile, each in a root of its own.
type builder struct {
	t         *testing.T
	context   string // what .dockerignore lets through of the working tree
	args      map[string]string
	roots     map[string]string // of the stages before, by their names
	goEnv     []string
	goFolders map[string]string // where a cache mount leads, by its target
}

// image is what a stage comes to.
type image struct {
	t      *testing.T
	root   string
	dir    string
	user   string
	config map[string]map[string]string // ENV and LABEL
	exec   map[string][]string          // ENTRYPOINT, CMD and HEALTHCHECK
}

func newBuilder(t *testing.T, args map[string]string) *builder {
	t.Helper()
	b := &builder{t: t, context: filepath.Join(t.TempDir(), "context"), args: args, roots: map[string]string{}}
	setting := func(name string) string {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	b.goFolders = map[string]string{"/go/pkg/mod": setting("GOMODCACHE"), "/root/.cache/go-build": setting("GOCACHE")}
	b.goEnv = []string{
		"PATH=" + filepath.Join(setting("GOROOT"), "bin") + ":/usr/local/bin:/usr/bin:/bin", "HOME=/root", "GOPATH=/go",
		"GOPROXY=" + setting("GOPROXY"), "GOSUMDB=" + setting("GOSUMDB"), "GOTOOLCHAIN=local",
	}
	copyContext(t, b.context)
	return b
}

// copyContext copies what Git knows or would know, without what .dockerignore names.
func copyContext(t *testing.T, to string) {
	t.Helper()
	file, err := os.Open(filepath.Join(top, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = top
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		ignored, err := matcher.MatchesOrParentMatches(name)
		if err != nil {
			t.Fatal(err)
		}
		if !ignored {
			copyFile(t, filepath.Join(top, name), filepath.Join(to, name))
		}
	}
}

// copyFile copies one; a file that is deleted and not yet committed is none.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, content, info.Mode().Perm())); err != nil {
		t.Fatal(err)
	}
}

// stage carries one stage out.
func (b *builder) stage(s stage) *image {
	b.t.Helper()
	img := &image{
		t: b.t, root: filepath.Join(b.t.TempDir(), "root"), dir: "/",
		config: map[string]map[string]string{"ENV": {}, "LABEL": {}}, exec: map[string][]string{},
	}
	b.must(os.Mkdir(img.root, 0o755))
	b.roots[s.name] = img.root
	for _, in := range s.steps {
		b.step(img, in)
	}
	return img
}

func (b *builder) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *builder) step(img *image, in instruction) {
	b.t.Helper()
	switch in.name {
	case "RUN":
		b.run(img, in)
	case "COPY":
		b.copy(img, in)
	case "WORKDIR":
		img.dir = in.text
		b.must(os.MkdirAll(filepath.Join(img.root, in.text), 0o755))
	case "USER":
		img.user = in.text
	case "ENV", "LABEL":
		for key, value := range in.assignments() {
			img.config[in.name][key] = b.expand(value)
		}
	case "ENTRYPOINT", "CMD", "HEALTHCHECK":
		img.exec[in.name], _ = in.exec()
	case "ARG", "SHELL", "EXPOSE", "VOLUME": // they change no file
	default:
		b.t.Fatalf("line %d: %s is not carried out by this test", in.line, in.name)
	}
}

var variable = regexp.MustCompile(`\$\{?([A-Z]+)(?::-([^}]*))?\}?`)

// expand replaces $NAME, ${NAME} and ${NAME:-otherwise} by the build's arguments.
func (b *builder) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(v string) string {
		parts := variable.FindStringSubmatch(v)
		if value := b.args[parts[1]]; value != "" {
			return value
		}
		return parts[2]
	})
}

func (b *builder) copy(img *image, in instruction) {
	b.t.Helper()
	source := b.context
	if from := in.flag("from"); from != "" {
		source = b.roots[from]
	}
	words := strings.Fields(in.text)
	to := words[len(words)-1]
	target := filepath.Join(img.root, to)
	if !filepath.IsAbs(to) {
		target = filepath.Join(img.root, img.dir, to)
	}
	for _, word := range words[:len(words)-1] {
		from := filepath.Join(source, word)
		if _, err := os.Stat(from); err != nil { // of the tools' own image, which here is this machine
			from = word
		}
		info, err := os.Stat(from)
		b.must(err)
		switch {
		case info.IsDir():
			b.must(os.MkdirAll(target, 0o755))
			b.program("cp", "-a", from+"/.", target)
		case strings.HasSuffix(to, "/"):
			copyFile(b.t, from, filepath.Join(target, filepath.Base(from)))
		default:
			copyFile(b.t, from, target)
		}
	}
	if owner := in.flag("chown"); owner != "" && os.Getuid() == 0 {
		b.program("chown", "-R", owner, target)
	}
}

func (b *builder) program(name string, args ...string) {
	b.t.Helper()
	if out, err := exec.CommandContext(b.t.Context(), name, args...).CombinedOutput(); err != nil {
		b.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// run runs a step's command in the stage's root.
func (b *builder) run(img *image, in instruction) {
	b.t.Helper()
	var mounts []string
	for _, flag := range in.flags {
		_, target, ok := strings.Cut(flag, "mount=type=cache,target=")
		folder, known := b.goFolders[target]
		if !ok || !known {
			b.t.Fatalf("line %d: --%s is not carried out by this test", in.line, flag)
		}
		mounts = append(mounts, folder+"="+target)
	}
	env := slices.Clone(b.goEnv)
	for _, name := range slices.Sorted(maps.Keys(b.args)) {
		env = append(env, name+"="+b.args[name])
	}
	cmd := img.confined(b.t.Context(), "build", mounts, env, "/bin/bash", "-o", "pipefail", "-c", in.text)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("line %d: RUN %s: %v\n%s", in.line, in.text, err, out)
	}
}

// command is a command of the finished image, in a root that is read-only but for
// what is mounted, each as FROM=TO.
func (i *image) command(ctx context.Context, mounts, env []string, args ...string) *exec.Cmd {
	for _, name := range slices.Sorted(maps.Keys(i.config["ENV"])) {
		env = append(env, name+"="+i.config["ENV"][name])
	}
	return i.confined(ctx, "run", mounts, env, args...)
}

// confined is a command that sees the image's root as its own, by confine.sh.
func (i *image) confined(ctx context.Context, how string, mounts, env []string, args ...string) *exec.Cmd {
	script, err := filepath.Abs("confine.sh")
	if err != nil {
		i.t.Fatal(err)
	}
	unshare := []string{"--mount", "--propagation", "private"}
	if os.Getuid() != 0 { // root of a namespace of our own
		unshare = append(unshare, "--user", "--map-root-user")
	}
	user := ""
	if os.Getuid() == 0 {
		user = i.user
	}
	line := append(unshare, script, how, i.root, i.dir, user, strings.Join(mounts, " "), "--")
	cmd := exec.CommandContext(ctx, "unshare", append(line, args...)...)
	cmd.Env = env
	return cmd
}
