package reconciler

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
)

// instead says what a tool or a slip left where a profile lay; "" when there is no file, when no profile is known to have
// lain there, or when somebody wrote another file there, which takes the profile away.
func (o *observer) instead(files *commitFiles, path string) (string, error) {
	if k, ok := o.files[path]; !ok || len(k.was) == 0 {
		return "", nil
	}
	src, err := files.read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	}
	return slipped(src), nil
}

// slipped says what a file is that nobody wrote in a profile's place: whoever made it so sees the profile in the
// working tree still, or had a command fail over it.
func slipped(src []byte) string {
	switch {
	case bytes.HasPrefix(src, []byte("version https://git-lfs.github.com/spec/")):
		return "is a pointer of Git LFS now: only what Git itself holds is read, keep profiles out of LFS"
	case bytes.HasPrefix(src, []byte("\x00GITCRYPT\x00")):
		return "is encrypted by git-crypt now, which is not read: refer to secrets, or encrypt values by sops"
	case len(bytes.TrimSpace(src)) == 0:
		return "is empty now; to retire the profile, delete the file"
	}
	return ""
}

// noteSlip decides what such a file is: of no concern when the profile lies elsewhere now, and broken otherwise.
// A profile is retired by taking its file away, never by a slip.
func (o *observer) noteSlip(obs *observation, s sighting) {
	k, ok := o.files[s.Path]
	missed := ok && slices.ContainsFunc(k.was, func(name string) bool {
		return !slices.ContainsFunc(o.bearers[name], func(file string) bool { return file != s.Path })
	})
	if missed {
		s.Gone = false
		s.refuse(s.instead)
	}
	o.note(obs, s)
}
