package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
)

func TestSnapshotKeys(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	file := filepath.Join(t.TempDir(), "snapshot.key")
	c.wants(t, exitDone, "snapshot", "key", "--id", "2026-11", file)
	public := strings.TrimSpace(c.out.String())
	private, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key, err := snapshot.ParsePrivateKey(string(private))
	if err != nil || key.ID() != "2026-11" || key.Public().String() != public {
		t.Errorf("printed %q of %v, %v", public, key, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
	c.wants(t, exitDone, "snapshot", "key", "--public", file)
	if got := strings.TrimSpace(c.out.String()); got != public {
		t.Errorf("its public key is %q", got)
	}
	c.wants(t, exitTrouble, "snapshot", "key", file)
	if again, err := os.ReadFile(file); err != nil || string(again) != string(private) {
		t.Errorf("the key was written over, %v", err)
	}
	c.wants(t, exitTrouble, "snapshot", "key", "--id", "No Id", file+"2")
	if said := c.out.String() + c.err.String(); strings.Contains(said, string(private)[20:]) {
		t.Errorf("the private key is printed: %s", said)
	}
}

func TestSnapshotVerify(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	dir := t.TempDir()
	key, err := snapshot.NewKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	other, err := snapshot.NewKey("k2")
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data profile.Data, age time.Duration) {
		t.Helper()
		file, err := snapshot.Sign(snapshot.Snapshot{Profile: name, Service: "cart", Environment: profile.Staging, Version: "1.2.0", Hash: profile.Hash(data), Data: data,
			WrittenAt: noon.Add(-age)}, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, snapshot.FileName(name)), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(code int, want string, args ...string) {
		t.Helper()
		c.wants(t, code, append([]string{"snapshot", "verify", "--key", key.Public().String()}, args...)...)
		if said := c.out.String() + c.err.String(); !strings.Contains(said, want) {
			t.Errorf("%v: %s, want %q", args, said, want)
		}
	}
	verify(exitProblems, "holds no snapshots", dir)
	put("cart.staging", profile.Data{"n": json.Number("1")}, time.Hour)
	put("till.staging", profile.Data{"key": map[string]any{"$secret": "vault:secret/till#key"}}, 2*time.Hour)
	verify(exitDone, "good     cart.staging 1.2.0, written 20", dir)
	verify(exitDone, "agents refuse it, because it needs secrets", dir)
	put("till.staging", profile.Data{}, 200*time.Hour)
	verify(exitProblems, "too old", dir)
	verify(exitProblems, "1 snapshot of 2 refused", dir)
	verify(exitDone, "till.staging", "--max-age", "0", dir)
	verify(exitDone, "cart.staging", filepath.Join(dir, "cart.staging.snapshot.json"))
	if err := os.Rename(filepath.Join(dir, "cart.staging.snapshot.json"), filepath.Join(dir, "till.staging.snapshot.json")); err != nil {
		t.Fatal(err)
	}
	verify(exitProblems, "another profile's", dir)
	c.wants(t, exitProblems, "snapshot", "verify", "--key", other.Public().String(), dir)
	c.wants(t, exitTrouble, "snapshot", "verify", dir)
	c.wants(t, exitTrouble, "snapshot", "verify", "--key", key.Reveal(), dir)
	if strings.Contains(c.err.String(), key.Reveal()[20:]) {
		t.Error("the private key is printed")
	}
	c.wants(t, exitTrouble, "snapshot", "verify", "--key", key.Public().String(), filepath.Join(dir, "none"))
}
