package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/internal/settings"
)

const aKey = "ada@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHZvFe0DGdqfu/3TLHttt2PnzT2jOkJA6P9FIDQFvl/Z\n"

// Keys are read when the daemon starts, so that a wrong file is noticed then,
// and again at every check, so that a new key needs no restart.
func TestSigningKeysAreReadAtEveryCheck(t *testing.T) {
	t.Parallel()
	mirror, err := gitsource.Open(t.Context(), gitsource.Options{ID: "configs", URL: "file:///nowhere", Branch: "main", Dir: t.TempDir(), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mirror.Close(); err != nil {
			t.Error(err)
		}
	})
	if check, err := newSignatureCheck(mirror, settings.Source{ID: "configs"}); check != nil || err != nil {
		t.Errorf("a source that requires nothing: %v, %v", check, err)
	}
	file := filepath.Join(t.TempDir(), "signers")
	src := settings.Source{ID: "configs", RequireSignedCommits: true, AllowedSignersFile: file}
	if _, err := newSignatureCheck(mirror, src); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "source configs: allowed_signers_file") {
		t.Errorf("a missing file: %v", err)
	}
	put := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("ada@example.com\n")
	if _, err := newSignatureCheck(mirror, src); !errors.Is(err, gitsource.ErrKeyring) || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a broken file: %v", err)
	}
	put(aKey)
	check, err := newSignatureCheck(mirror, src)
	if err != nil {
		t.Fatal(err)
	}
	unknown := strings.Repeat("ab", 20)
	if _, err := check.Unverified(t.Context(), nil, unknown); !errors.Is(err, gitsource.ErrNotFetched) {
		t.Errorf("Unverified = %v, want ErrNotFetched", err)
	}
	put("")
	if _, err := check.Unverified(t.Context(), nil, unknown); !errors.Is(err, gitsource.ErrKeyring) {
		t.Errorf("Unverified without keys = %v, want ErrKeyring", err)
	}
}
