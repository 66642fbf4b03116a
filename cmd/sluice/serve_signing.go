package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/reconciler"
)

// signatureCheck checks a source's commits with the keys that its files hold
// at the time, so that a key that is added counts without a restart.
type signatureCheck struct {
	mirror   *gitsource.Mirror
	gpg, ssh string // files, "" for none
}

// newSignatureCheck is nil for a source that does not require signatures. Its
// error names the file that does not read, before anything is watched.
func newSignatureCheck(mirror *gitsource.Mirror, src settings.Source) (reconciler.Signatures, error) {
	if !src.RequireSignedCommits {
		return nil, nil
	}
	c := signatureCheck{mirror: mirror, gpg: src.SigningKeysFile, ssh: src.AllowedSignersFile}
	if _, err := c.keys(); err != nil {
		return nil, fmt.Errorf("source %s: %w", src.ID, err)
	}
	return c, nil
}

// Unverified lists the commits whose signature does not count.
func (c signatureCheck) Unverified(ctx context.Context, trusted []string, to string) ([]gitsource.Unverified, error) {
	keys, err := c.keys()
	if err != nil {
		return nil, err
	}
	return c.mirror.Unverified(ctx, trusted, to, keys)
}

func (c signatureCheck) keys() (*gitsource.Keyring, error) {
	gpg, err := readKeys(c.gpg)
	if err != nil {
		return nil, fmt.Errorf("signing_keys_file: %w", err)
	}
	ssh, err := readKeys(c.ssh)
	if err != nil {
		return nil, fmt.Errorf("allowed_signers_file: %w", err)
	}
	return gitsource.ParseKeyring(gpg, ssh)
}

// readKeys reads a file of keys; one that is far too large is cut, and then refused for its size.
func readKeys(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return io.ReadAll(io.LimitReader(f, 8<<20))
}
