// Package fakeforge is one repository at a forge, for tests: a real bare Git
// repository behind git's own smart HTTP, with the users, pull requests,
// comments, reviews and commit statuses that the forge keeps beside it. A
// dialect is one forge's REST API and webhooks over that state.
//
// It checks what it is sent as the real forge does and is never looser:
// credentials and their scheme, shapes, names of states, lengths, commits that
// exist, limits and quotas. It misbehaves when it is told to.
// Only tests import it.
package fakeforge
