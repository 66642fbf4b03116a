//go:build !unix

package store

import "os"

// lockFile has no lock to take here; the engine's own file locks remain.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
}
