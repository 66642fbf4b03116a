package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

// validateRemotely asks the daemon what a pull request with the files would be
// told. A directory is a whole tree; a file is laid over what its source has.
func (r remote) validateRemotely(ctx context.Context, root, source string, paths []string) (listing, bool, error) {
	if len(paths) != 1 {
		return listing{}, false, trouble(errors.New("the daemon checks one directory or one file at a time"))
	}
	req, err := requestOf(root, source, paths[0])
	if err != nil {
		return listing{}, false, trouble(err)
	}
	got, err := r.c.ValidateFiles(ctx, req)
	if err != nil {
		return listing{}, false, err
	}
	return forecastListing(got), got.IsValid, nil
}

func (c *connection) validate(ctx context.Context, format, root, source string, paths []string) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	found, valid, err := r.validateRemotely(ctx, root, source, paths)
	if err != nil {
		return err
	}
	if err := c.sh.show(format, found); err != nil {
		return trouble(fmt.Errorf("print report: %w", err))
	}
	if !valid {
		return &exitError{code: exitProblems}
	}
	return nil
}

// requestOf reads the files that the daemon is asked about.
func requestOf(root, source, file string) (req wire.ValidateRequest, err error) {
	req.Source = source
	dir, name, err := locate(root, file)
	if err != nil {
		return req, err
	}
	tree, err := openTree(dir)
	if err != nil {
		return req, err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	info, err := tree.root.Stat(name)
	if err != nil {
		return req, fmt.Errorf("read %s: %w", file, err)
	}
	if !info.IsDir() {
		src, err := tree.ReadFile(name)
		req.Path, req.Content = name, string(src)
		return req, err
	}
	names, err := tree.files(name)
	if err != nil {
		return req, err
	}
	for _, n := range names {
		src, err := tree.ReadFile(n)
		if err != nil {
			return req, fmt.Errorf("read %s: %w", tree.shown(n), err)
		}
		req.Files = append(req.Files, wire.File{Path: n, Content: string(src)})
	}
	if len(req.Files) == 0 {
		return req, fmt.Errorf("no Sluice files in %s", file)
	}
	return req, nil
}

// forecastListing shows what the daemon says of files.
func forecastListing(got wire.ValidateResponse) listing {
	var names []string
	for _, p := range got.Profiles {
		if p.IsValid {
			names = append(names, p.Name)
		}
	}
	return listing{value: got, kind: "profile", names: names, text: func(l look) string {
		var b strings.Builder
		for _, p := range got.Problems {
			fmt.Fprintln(&b, l.paint(red, problemOf(p, profile.Error).Error()))
		}
		for _, p := range got.Warnings {
			fmt.Fprintln(&b, l.paint(yellow, problemOf(p, profile.Warning).Error()))
		}
		for _, p := range got.Profiles {
			fmt.Fprintln(&b, forecastLine(p))
		}
		fmt.Fprintf(&b, "%s: %s, %s\n", plural(len(got.Profiles), "profile"), plural(len(got.Problems), "error"), plural(len(got.Warnings), "warning"))
		return b.String()
	}}
}

func problemOf(p wire.FileProblem, s profile.Severity) profile.Problem {
	return profile.Problem{Path: oneLine(p.File), Line: p.Line, Column: p.Column, Field: oneLine(p.Field), Message: oneLine(p.Message), Severity: s}
}

// forecastLine says in one line what would become of a profile.
func forecastLine(p wire.ProfileForecast) string {
	name := oneLine(p.Name)
	if name == "" {
		name = oneLine(p.File)
	}
	text := "makes no version"
	switch {
	case p.Retires:
		text = "is retired: its file is not there"
	case p.Version != "" && p.CurrentVersion == "":
		text = "becomes " + oneLine(p.Version) + ", its first version"
	case p.Version != "":
		text = fmt.Sprintf("%s becomes %s, %s", oneLine(p.CurrentVersion), oneLine(p.Version), oneLine(p.Bump))
	case p.IsValid:
		text = "stays as it is"
	}
	if p.Breaking {
		text += ", breaking"
	}
	if p.Guard != "" {
		text += "; a person is asked first: " + oneLine(p.Guard)
	}
	return name + " " + text
}
