package checks_test

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule is a rule of hadolint, by its code, and one or two of our own.
type rule struct {
	code, says string
	broken     func(stages []stage) (line int, is bool)
}

// minorTag is a tag down to the minor version: fixes come by themselves, changes do not.
var minorTag = regexp.MustCompile(`^[a-z0-9./-]+:[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z0-9]+)?(@sha256:[0-9a-f]{64})?$`)

var rules = []rule{
	{"DL3006", "an image has a tag, down to the minor version (DL3007: and not latest)", anyStage(func(s stage, before []string) bool {
		return s.from != "scratch" && !slices.Contains(before, s.from) && !minorTag.MatchString(s.from)
	})},
	{"DL3029", "--platform is a variable, never one platform", anyStage(func(s stage, _ []string) bool {
		return s.platform != "" && !strings.HasPrefix(s.platform, "$")
	})},
	{"DL3000", "WORKDIR is absolute", anyStep("WORKDIR", func(_ stage, in instruction) bool { return !path.IsAbs(in.text) })},
	{"DL3002", "the last USER is not root, and a number", func(stages []stage) (int, bool) {
		users := last(stages).find("USER")
		if len(users) == 0 {
			return last(stages).line, true
		}
		user, _, _ := strings.Cut(users[len(users)-1].text, ":")
		id, err := strconv.Atoi(user)
		return users[len(users)-1].line, err != nil || id == 0
	}},
	{"DL3003", "WORKDIR, not cd", anyStep("RUN", func(_ stage, in instruction) bool { return regexp.MustCompile(`(^|&&|;)\s*cd\s`).MatchString(in.text) })},
	{"DL3004", "no sudo", anyStep("RUN", func(_ stage, in instruction) bool { return strings.Contains(in.text, "sudo ") })},
	{"DL3008", "no packages: what is needed is in the image of the tools", anyStep("RUN", func(_ stage, in instruction) bool {
		return regexp.MustCompile(`\b(apt-get|apt|apk|yum|dnf|pip|npm) `).MatchString(in.text)
	})},
	{"DL3020", "COPY, not ADD, which unpacks and downloads", anyStep("ADD", func(stage, instruction) bool { return true })},
	{"DL3021", "COPY of several to a folder ends with /", anyStep("COPY", func(_ stage, in instruction) bool {
		words := strings.Fields(in.text)
		return len(words) > 2 && !strings.HasSuffix(words[len(words)-1], "/")
	})},
	{"DL3022", "COPY --from names a stage", func(stages []stage) (int, bool) {
		return anyStep("COPY", func(_ stage, in instruction) bool {
			from := in.flag("from")
			return from != "" && !slices.ContainsFunc(stages, func(s stage) bool { return s.name == from })
		})(stages)
	}},
	{"DL3025", "ENTRYPOINT, CMD and HEALTHCHECK are JSON: there is no shell", func(stages []stage) (int, bool) {
		for _, name := range []string{"ENTRYPOINT", "CMD", "HEALTHCHECK"} {
			found := last(stages).find(name)
			if len(found) != 1 {
				return last(stages).line, true
			}
			if _, ok := found[0].exec(); !ok {
				return found[0].line, true
			}
		}
		return 0, false
	}},
	{"DL4000", "no MAINTAINER", anyStep("MAINTAINER", func(stage, instruction) bool { return true })},
	{"DL4006", "a pipe needs a shell with pipefail", anyStep("RUN", func(s stage, in instruction) bool {
		shells := s.find("SHELL")
		return strings.Contains(in.text, "|") && (len(shells) == 0 || !strings.Contains(shells[0].text, "pipefail"))
	})},
	{"SC2086", "variables are quoted in RUN", anyStep("RUN", func(_ stage, in instruction) bool {
		return regexp.MustCompile(`=\$|\s\$`).MatchString(in.text)
	})},
	{"secrets", "no secret is given by ARG or ENV, where it stays readable", func(stages []stage) (int, bool) {
		secret := regexp.MustCompile(`(?i)(password|secret|token|key)`)
		for _, s := range stages {
			for _, in := range append(s.find("ARG"), s.find("ENV")...) {
				if secret.MatchString(in.text) {
					return in.line, true
				}
			}
		}
		return 0, false
	}},
}

func last(stages []stage) stage { return stages[len(stages)-1] }

// anyStage looks at each stage, and the names of those before it.
func anyStage(broken func(s stage, before []string) bool) func([]stage) (int, bool) {
	return func(stages []stage) (int, bool) {
		var before []string
		for _, s := range stages {
			if broken(s, before) {
				return s.line, true
			}
			before = append(before, s.name)
		}
		return 0, false
	}
}

func anyStep(name string, broken func(stage, instruction) bool) func([]stage) (int, bool) {
	return func(stages []stage) (int, bool) {
		for _, s := range stages {
			for _, in := range s.find(name) {
				if broken(s, in) {
					return in.line, true
				}
			}
		}
		return 0, false
	}
}

// lint lists the codes of the rules that a Dockerfile breaks, with its lines.
func lint(stages []stage) []string {
	var found []string
	for _, r := range rules {
		if line, is := r.broken(stages); is {
			found = append(found, fmt.Sprintf("%s line %d: %s", r.code, line, r.says))
		}
	}
	return found
}

func TestDockerfileIsClean(t *testing.T) {
	t.Parallel()
	for _, problem := range lint(readDockerfile(t)) {
		t.Error(problem)
	}
}

// Each rule finds what it is there for, and nothing else in the same file.
func TestRulesHaveTeeth(t *testing.T) {
	t.Parallel()
	const good = "FROM golang:1.26 AS build\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nWORKDIR /src\nRUN make build\n" +
		"FROM scratch\nCOPY --from=build /out/a /a\nUSER 65532:65532\nHEALTHCHECK --interval=1s CMD [\"/a\", \"b\"]\nENTRYPOINT [\"/a\"]\nCMD [\"b\"]\n"
	for _, tt := range []struct{ code, old, new string }{
		{"", "", ""},
		{"DL3006", "golang:1.26", "golang"},
		{"DL3006", "golang:1.26", "golang:latest"},
		{"DL3006", "golang:1.26", "golang:1"},
		{"DL3029", "FROM golang", "FROM --platform=linux/amd64 golang"},
		{"DL3000", "WORKDIR /src", "WORKDIR src"},
		{"DL3002", "USER 65532:65532\n", ""},
		{"DL3002", "USER 65532:65532\n", "USER 0\n"},
		{"DL3002", "USER 65532:65532\n", "USER sluice\n"},
		{"DL3002", "USER 65532:65532\n", "USER 65532\nUSER root\n"},
		{"DL3003", "RUN make", "RUN cd x && make"},
		{"DL3004", "RUN make", "RUN sudo make"},
		{"DL3008", "RUN make", "RUN apt-get install -y make"},
		{"DL3020", "COPY --from=build /out/a /a", "ADD a.tar.gz /a"},
		{"DL3021", "COPY --from=build /out/a /a", "COPY --from=build /out/a /out/b /a"},
		{"DL3022", "--from=build", "--from=builder"},
		{"DL3025", `CMD ["b"]` + "\n", "CMD b\n"},
		{"DL3025", `CMD ["/a", "b"]`, "CMD /a b || exit 1"},
		{"DL3025", `ENTRYPOINT ["/a"]`, "ENTRYPOINT /a"},
		{"DL4000", "USER", "MAINTAINER me\nUSER"},
		{"DL4006", "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nWORKDIR /src\nRUN make", "WORKDIR /src\nRUN yes | make"},
		{"SC2086", "RUN make build", "RUN make build VERSION=$VERSION"},
		{"secrets", "RUN make", "ARG GIT_TOKEN\nRUN make"},
	} {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if tt.code != "" && text == good {
			t.Fatalf("%s: %q is not in the file", tt.code, tt.old)
		}
		stages, err := parseDockerfile(text)
		if err != nil {
			t.Fatal(err)
		}
		found := lint(stages)
		if tt.code == "" && len(found) > 0 || tt.code != "" && (len(found) != 1 || !strings.HasPrefix(found[0], tt.code+" line ")) {
			t.Errorf("%s, with %q: found %q", tt.code, tt.new, found)
		}
	}
}
