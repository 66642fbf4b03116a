package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// seal has a keeper seal values under the keys, as the daemon would.
func seal(t *testing.T, url, keys string, values ...string) profile.Data {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	parsed, err := secrets.ParseKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	data := profile.Data{}
	for i, v := range values {
		data[fmt.Sprint("k", i)] = map[string]any{"type": "secret", "value": v}
	}
	sealed, err := secrets.New(secrets.Options{Keys: parsed, Boxes: db}).Seal(t.Context(), "payments", data)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// opens says what the keys make of sealed data.
func opens(t *testing.T, url, keys string, sealed profile.Data) (profile.Data, error) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: url, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	parsed, err := secrets.ParseKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	return secrets.New(secrets.Options{Keys: parsed, Boxes: db}).Open(t.Context(), "payments", sealed)
}

// The life of a key: made, taken into use beside the old one, put before it,
// everything sealed anew, and the old one dropped.
func TestSecretsRotation(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	url := "sqlite:" + filepath.Join(t.TempDir(), "sluice.db")
	c.env["SLUICE_DATABASE_URL"] = url
	made := func(id string) string {
		c.wants(t, 0, "secrets", "key", "--id", id)
		return strings.TrimSpace(c.out.String())
	}
	old, fresh := made("2025"), made("2026")
	values := make([]string, 250) // more than two batches
	for i := range values {
		values[i] = fmt.Sprint("canary-", i)
	}
	sealed := seal(t, url, old, values...)
	prints := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(c.out.String()+c.err.String(), w) {
				t.Errorf("printed %s%s, want %q", c.out.String(), c.err.String(), w)
			}
		}
		for _, key := range []string{old, fresh} {
			if strings.Contains(c.out.String()+c.err.String(), key[5:]) {
				t.Errorf("printed a key")
			}
		}
	}

	c.env["SLUICE_MASTER_KEY"] = fresh + "," + old
	c.wants(t, 0, "secrets", "status")
	prints("2026                                  0 values  seals", "2025                                250 values  still opens: run sluice secrets rotate")
	c.wants(t, 0, "secrets", "rotate", "--dry-run")
	prints("250 values to be sealed anew under 2026")
	c.wants(t, 0, "secrets", "rotate")
	prints("250 values sealed anew under 2026", "2025                                  0 values  may be taken out of master_key")
	c.wants(t, 0, "secrets", "rotate")
	prints("0 values sealed anew")
	opened, err := opens(t, url, fresh, sealed)
	if err != nil || opened["k249"] != "canary-249" {
		t.Errorf("with the new key alone: %v, %v", opened["k249"], err)
	}

	c.env["SLUICE_MASTER_KEY"] = old
	c.wants(t, 1, "secrets", "status")
	prints("250 values  not in master_key", "put them back, or give the secrets again")
	c.wants(t, 1, "secrets", "rotate")
	prints("not opened: sv_")
	c.env["SLUICE_MASTER_KEY"] = ""
	c.wants(t, 2, "secrets", "rotate")
	prints("master_key is empty")
	c.env["SLUICE_MASTER_KEY"] = "short:AAAA"
	c.wants(t, 2, "secrets", "status")
	prints("master_key: key short has 3 bytes, it must have 32; sluice secrets key makes one")
	c.wants(t, 2, "secrets", "key", "--id", "A B")
	prints("lower-case letters")
}
