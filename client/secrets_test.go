package client_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/fakeserver"
)

// withSecret is a version whose stored form is {"key": REF, "n": n}, and what the server opens it to.
func withSecret(f *fakeserver.Server, version string, generation int64, reference, opened string) wire.Assignment {
	a := fakeserver.Assignment(profileName, version, generation, map[string]any{"key": map[string]any{"$secret": reference}})
	a.Data = nil
	f.Update(func() {
		if f.Opened == nil {
			f.Opened = map[string][]byte{}
		}
		f.Opened[a.Hash] = []byte(`{"key":"` + opened + `"}`)
	})
	return a
}

func (c *calls) data() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, cfg := range c.got {
		out = append(out, string(cfg.Data))
	}
	return out
}

// What is fetched has the hash that comes with it; what is acknowledged is the
// version. The same secrets again are no news, others are.
func TestOpenedSecrets(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	a := withSecret(f, "1.0.0", 3, "env:A", "canary-first")
	f.Assign(a)
	c := newCalls(nil)
	dir := t.TempDir()
	watch(t, options(f, dir), c)
	if ack := f.UntilAck(3, true); ack.Hash != a.Hash {
		t.Errorf("acknowledged %s, want the version's %s", ack.Hash, a.Hash)
	}
	a.Generation = 4
	f.Assign(a)
	f.UntilAck(4, true)
	c.want(t, "1.0.0")
	f.Update(func() { f.Opened[a.Hash] = []byte(`{"key":"canary-second"}`) })
	a.Generation = 5
	f.Assign(a)
	f.UntilAck(5, true)
	if got := strings.Join(c.data(), " "); got != `{"key":"canary-first"} {"key":"canary-second"}` {
		t.Errorf("the callback got %s", got)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s: it holds secrets", d.Name(), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A version whose secret cannot be opened is refused in the open, and what runs
// stays. The way back needs nobody who keeps secrets: also not after a restart.
func TestSecretsThatDoNotOpen(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	v1 := withSecret(f, "1.0.0", 3, "env:A", "canary-first")
	f.Assign(v1)
	c := newCalls(nil)
	dir := t.TempDir()
	stop := watch(t, options(f, dir), c)
	f.UntilAck(3, true)
	v2 := withSecret(f, "1.1.0", 4, "env:B", "canary-second")
	f.Assign(v2)
	f.UntilAck(4, true)

	f.Update(func() { f.Shut = 409 })
	f.Assign(withSecret(f, "1.2.0", 5, "env:C", "canary-third"))
	if ack := f.UntilAck(5, false); ack.OK || ack.Version != "1.2.0" {
		t.Errorf("acknowledged %+v, want a refusal", ack)
	}
	v1.Generation = 6
	f.Assign(v1) // the rollback
	f.UntilAck(6, true)
	if got := c.data(); got[len(got)-1] != `{"key":"canary-first"}` {
		t.Errorf("went back to %s", got[len(got)-1])
	}
	stop()
	again := newCalls(nil)
	v1.Generation = 7
	f.Assign(v1)
	watch(t, options(f, dir), again)
	f.UntilAck(7, true)
	again.want(t, "1.0.0 cached")
}

// A changed answer is refused: it is not what its own hash says.
func TestDeliveredHashIsChecked(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	a := withSecret(f, "1.0.0", 3, "env:A", "canary-first")
	f.Update(func() {
		f.Large = map[string][]byte{a.Hash: f.Opened[a.Hash]} // without the header: neither hash fits
		f.Opened = nil
	})
	f.Assign(a)
	c := newCalls(nil)
	watch(t, options(f, t.TempDir()), c)
	if ack := f.UntilAck(3, false); !strings.Contains(ack.Error, "does not match its hash") {
		t.Errorf("refused with %q", ack.Error)
	}
	c.want(t, "")
}

// What a service says of its configuration may repeat it, and goes to the server.
func TestRefusalsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	a := withSecret(f, "1.0.0", 3, "env:A", `canary-line-1\ncanary-line-2`)
	f.Assign(a)
	dir := t.TempDir()
	c := newCalls(func(cfg client.Config) error {
		return errors.New("cannot use canary-line-2 of " + string(cfg.Data) + " canary-line-1")
	})
	watch(t, options(f, dir), c)
	ack := f.UntilAck(3, false)
	if strings.Contains(ack.Error, "canary") || !strings.Contains(ack.Error, "cannot use *** of") {
		t.Errorf("the refusal is %q", ack.Error)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "profiles", profileName+".json")); err != nil || strings.Contains(string(raw), "canary") {
		t.Errorf("what was refused is kept: %s, %v", raw, err)
	}
}
