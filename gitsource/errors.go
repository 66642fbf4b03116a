package gitsource

import (
	"errors"
	"fmt"
)

var (
	// ErrOptions says that a source is configured wrongly; nothing was opened and nothing was contacted.
	ErrOptions = errors.New("invalid source")
	// ErrURL says that a repository URL is malformed or not allowed. The URL itself is never part of the message.
	ErrURL = errors.New("repository URL refused")
	// ErrAuth says that the remote refused the credentials, or asked for some when there were none.
	ErrAuth = errors.New("authentication refused by the remote")
	// ErrHostKey says that an SSH host key is unknown or differs from the known one.
	ErrHostKey = errors.New("ssh host key refused")
	// ErrBlockedAddress says that a host resolved to an address that sources may not reach.
	ErrBlockedAddress = errors.New("address not allowed")
	// ErrRedirect says that the remote answered with a redirect; redirects are never followed.
	ErrRedirect = errors.New("redirect refused")
	// ErrRepositoryNotFound says that the remote has no such repository, or hides it from these credentials.
	ErrRepositoryNotFound = errors.New("repository not found")
	// ErrEmptyRepository says that the remote repository has no commit at all.
	ErrEmptyRepository = errors.New("repository is empty")
	// ErrBranchGone says that the repository is there and the branch is not.
	ErrBranchGone = errors.New("branch does not exist on the remote")
	// ErrRefGone says that the repository is there and the ref that was asked for is not: the pull request was closed
	// and cleaned away, or never was.
	ErrRefGone = errors.New("ref does not exist on the remote")
	// ErrUnrelated says that two commits have no common ancestor, so that they cannot be merged.
	ErrUnrelated = errors.New("histories without a common commit")
	// ErrConflict says that a file was changed on both sides of a merge in ways that do not go together.
	ErrConflict = errors.New("merge conflict")
	// ErrUnsupported says that the remote repository uses a feature that Sluice does not read (SHA-256, shallow).
	ErrUnsupported = errors.New("repository not supported")
	// ErrRemote says that the remote could not be reached or answered with something that is not the Git protocol.
	ErrRemote = errors.New("remote failed")
	// ErrMalformed says that the remote sent a pack or object that is not valid.
	ErrMalformed = errors.New("malformed data from the remote")
	// ErrLimit says that a fetch was refused because it went over one of the Limits.
	ErrLimit = errors.New("over the limit")
	// ErrRewritten says that the earlier commit is not on the first-parent line of the later one.
	ErrRewritten = errors.New("branch history was rewritten")
	// ErrTooManyCommits says that more commits lie between two commits than Limits.MaxCommitsPerSync.
	ErrTooManyCommits = errors.New("too many commits in one sync")
	// ErrNotFetched says that the mirror does not hold the commit; fetch first.
	ErrNotFetched = errors.New("commit is not in the mirror")
	// ErrTooLarge says that a file or a listing is larger than the limits allow.
	ErrTooLarge = errors.New("too large")
	// ErrNotRegular says that a path is not a regular file: a symbolic link, a submodule or a folder.
	ErrNotRegular = errors.New("not a regular file")
	// ErrCorrupt says that the mirror on disk is damaged. The next Fetch deletes it and fetches it again.
	ErrCorrupt = errors.New("mirror is corrupted")
	// ErrClosed says that the mirror was closed.
	ErrClosed = errors.New("mirror is closed")
	// ErrPanic says that reading hostile data panicked; the panic was contained.
	ErrPanic = errors.New("panic while reading the repository")
)

// wrap adds the operation and the source to an error, once, at the package's door.
func (m *Mirror) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, m.id, err)
}

// contain turns a panic of the calling function into an error. Parsers of hostile data may panic; one source's bad
// repository must never stop the others. The panic's value may quote remote bytes, so only its type is told.
func contain(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w (%T)", ErrPanic, r)
	}
}
