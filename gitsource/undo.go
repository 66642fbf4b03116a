package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"unicode/utf8"
)

// Undo returns what has to be written to bring files back to what they were: of the given paths those that differ
// between commit now and the earlier commit then, with their content at then, or nil where they were not there yet.
// Errors wrap ErrNotFetched, ErrNotRegular for links, submodules, folders, bad names and files that are no text, ErrTooLarge, or ErrCorrupt.
func (m *Mirror) Undo(ctx context.Context, now, then string, paths []string) (_ map[string]*string, err error) {
	defer func() { err = m.wrap("undo changes of", err) }()
	defer contain(&err)
	after, err := m.commitBySHA(ctx, now)
	if err != nil {
		return nil, err
	}
	before, err := m.commitBySHA(ctx, then)
	if err != nil {
		return nil, err
	}
	out := map[string]*string{}
	for _, p := range paths {
		is, err := find(ctx, m, after.TreeHash, p)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", safePath(p), err)
		}
		if is.mode == folder {
			return nil, fmt.Errorf("%s: %w: it is a folder", safePath(p), ErrNotRegular)
		}
		was, err := findFile(ctx, m, before.TreeHash, p)
		if errors.Is(err, fs.ErrNotExist) {
			if is.mode != "" {
				out[p] = nil
			}
			continue
		}
		if err == nil && is.hash == was.hash && is.mode == was.mode {
			continue
		}
		content, err := m.text(ctx, was, err)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", safePath(p), err)
		}
		out[p] = &content
	}
	return out, nil
}

// text reads a file that was found as text.
func (m *Mirror) text(ctx context.Context, e treeEntry, err error) (string, error) {
	if err != nil {
		return "", err
	}
	b, err := m.blob(ctx, e.hash)
	if err == nil && !utf8.Valid(b) {
		err = fmt.Errorf("%w: it is no text", ErrNotRegular)
	}
	return string(b), err
}
