package checks_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const top = "../.." // of the repository

// instruction is one instruction of a Dockerfile, its lines joined.
type instruction struct {
	line  int
	name  string // upper case
	flags []string
	text  string // without the flags
}

// stage is a FROM and what comes before the next.
type stage struct {
	from, name string
	line       int
	platform   string
	steps      []instruction
}

// parseDockerfile reads the subset that this project writes: no heredocs and no
// parser directives. The arguments before the first FROM are none of a stage.
func parseDockerfile(text string) ([]stage, error) {
	var stages []stage
	for n, line := range joinedLines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		in := instruction{line: n, name: strings.ToUpper(word)}
		for in.text = strings.TrimSpace(rest); strings.HasPrefix(in.text, "--"); in.text = strings.TrimSpace(rest) {
			var flag string
			flag, rest, _ = strings.Cut(in.text, " ")
			in.flags = append(in.flags, strings.TrimPrefix(flag, "--"))
		}
		switch {
		case strings.Contains(in.text, "<<"):
			return nil, fmt.Errorf("line %d: heredocs are not read", n)
		case in.name == "FROM":
			words := strings.Fields(in.text)
			s := stage{from: words[0], line: n, platform: in.flag("platform")}
			if len(words) == 3 && strings.EqualFold(words[1], "as") {
				s.name = words[2]
			}
			stages = append(stages, s)
		case len(stages) > 0:
			last := &stages[len(stages)-1]
			last.steps = append(last.steps, in)
		}
	}
	if len(stages) == 0 {
		return nil, fmt.Errorf("there is no FROM")
	}
	return stages, nil
}

// joinedLines yields each instruction with the number of its first line; comments
// and empty lines are left out, within an instruction too.
func joinedLines(text string) func(func(int, string) bool) {
	return func(yield func(int, string) bool) {
		whole, first := "", 0
		for i, line := range strings.Split(text, "\n") {
			trimmed := strings.TrimSpace(line)
			if trimmed == "" || strings.HasPrefix(trimmed, "#") {
				continue
			}
			if whole == "" {
				first = i + 1
			}
			part, goesOn := strings.CutSuffix(trimmed, `\`)
			whole += part
			if goesOn {
				continue
			}
			if !yield(first, whole) {
				return
			}
			whole = ""
		}
	}
}

// flag is the value of --name=value, the first one.
func (in instruction) flag(name string) string {
	for _, flag := range in.flags {
		if value, ok := strings.CutPrefix(flag, name+"="); ok {
			return value
		}
	}
	return ""
}

// exec is the JSON form of a command; false for a shell's.
func (in instruction) exec() ([]string, bool) {
	text := in.text
	if in.name == "HEALTHCHECK" {
		text = strings.TrimSpace(strings.TrimPrefix(text, "CMD"))
	}
	var words []string
	err := json.Unmarshal([]byte(text), &words)
	return words, err == nil && len(words) > 0
}

// find lists the instructions of a name.
func (s stage) find(name string) []instruction {
	var found []instruction
	for _, in := range s.steps {
		if in.name == name {
			found = append(found, in)
		}
	}
	return found
}

// assignments reads KEY=value KEY="value" of ENV and LABEL.
func (in instruction) assignments() map[string]string {
	all := map[string]string{}
	for rest := in.text; rest != ""; {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			break
		}
		var value string
		if quoted, found := strings.CutPrefix(after, `"`); found {
			value, rest, _ = strings.Cut(quoted, `"`)
		} else {
			value, rest, _ = strings.Cut(after, " ")
		}
		all[strings.TrimSpace(key)] = value
		rest = strings.TrimSpace(rest)
	}
	return all
}

func readDockerfile(t *testing.T) []stage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages, err := parseDockerfile(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return stages
}
