package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// Set by the linker: what was built, from which commit, and that commit's time. A
// commit ends with -dirty where the tree was not what it holds.
var version, commit, date string

// dirty ends the commit of a tree that was changed after it.
const dirty = "-dirty"

// build is what a program was made from, and with.
type build struct {
	Version    string `json:"version"`
	Commit     string `json:"commit,omitempty"`
	CommitDate string `json:"commitDate,omitempty"`
	Modified   bool   `json:"modified"`
	GoVersion  string `json:"goVersion"`
	Platform   string `json:"platform"`
}

// programBuild describes this program.
func programBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(version, commit, date, info)
}

// programVersion names the build: the release, else the commit it was made from.
func programVersion() string { return programBuild().Version }

// buildOf believes the linker first: a reproducible build has nothing of Git in it
// but what it was told. A build by `go build` or `go install` says it by itself.
func buildOf(release, stamped, at string, info *debug.BuildInfo) build {
	revision, changed := strings.CutSuffix(stamped, dirty)
	b := build{
		Commit: revision, CommitDate: at, Modified: changed,
		GoVersion: cmp.Or(info.GoVersion, runtime.Version()), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	for _, s := range info.Settings {
		switch {
		case stamped != "": // the linker knows
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.time":
			b.CommitDate = s.Value
		case s.Key == "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	b.Version = cmp.Or(release, b.unreleased(info.Main.Version))
	return b
}

// unreleased names a build that is no release.
func (b build) unreleased(module string) string {
	switch {
	case b.Commit != "" && b.Modified:
		return "devel-" + b.Commit[:min(12, len(b.Commit))] + dirty
	case b.Commit != "":
		return "devel-" + b.Commit[:min(12, len(b.Commit))]
	case module != "" && module != "(devel)":
		return module
	}
	return "devel"
}

// line is the build for people: sluice 1.2.0 (commit 9f1c2ab, 2026-03-01T12:00:00Z) go1.26.0 linux/amd64.
func (b build) line() string {
	var from []string
	if b.Commit != "" {
		from = append(from, "commit "+b.Commit)
	}
	if b.CommitDate != "" {
		from = append(from, b.CommitDate)
	}
	if b.Modified {
		from = append(from, "modified")
	}
	text := "sluice " + b.Version
	if len(from) > 0 {
		text += " (" + strings.Join(from, ", ") + ")"
	}
	return fmt.Sprintf("%s %s %s\n", text, b.GoVersion, b.Platform)
}

func newVersionCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program, and what it was built from",
		Args:  nothing,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		b := programBuild()
		return sh.show(*format, listing{value: b, names: []string{b.Version}, text: func(look) string { return b.line() }})
	}
	return cmd
}
