package reconciler_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// signedWorld is a world whose source requires signed commits.
type signedWorld struct {
	*world
	known, other ssh.Signer
	keys         *gitsource.Keyring
}

func newSignedWorld(t *testing.T, from string) *signedWorld {
	w := &signedWorld{known: newKey(t), other: newKey(t)}
	w.allow(t, w.known)
	w.world = newWorld(t, func(o *reconciler.Options) { o.Signatures, o.SignedFrom = w, from })
	return w
}

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// allow makes the keys those that count, for the world's committer.
func (w *signedWorld) allow(t *testing.T, keys ...ssh.Signer) {
	t.Helper()
	var lines strings.Builder
	for _, k := range keys {
		lines.WriteString("grace@example.com " + string(ssh.MarshalAuthorizedKey(k.PublicKey())))
	}
	var err error
	if w.keys, err = gitsource.ParseKeyring(nil, []byte(lines.String())); err != nil {
		t.Fatal(err)
	}
}

// Unverified asks the real mirror.
func (w *signedWorld) Unverified(ctx context.Context, trusted []string, to string) ([]gitsource.Unverified, error) {
	return w.git.Unverified(ctx, trusted, to, w.keys)
}

// sign replaces the branch's commit by the same with a signature.
func (w *signedWorld) sign(key ssh.Signer) string {
	w.t.Helper()
	commit := w.run("cat-file", "commit", "HEAD") + "\n"
	sig, err := sshsig.Sign(strings.NewReader(commit), key, sshsig.HashSHA512, "git")
	if err != nil {
		w.t.Fatal(err)
	}
	head, message, _ := strings.Cut(commit, "\n\n")
	armored := strings.ReplaceAll(strings.TrimSpace(string(sshsig.Armor(sig))), "\n", "\n ")
	cmd := exec.CommandContext(w.t.Context(), "git", "hash-object", "-t", "commit", "-w", "--stdin")
	cmd.Dir, cmd.Stdin = w.dir, strings.NewReader(head+"\ngpgsig "+armored+"\n\n"+message)
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	w.run("reset", "-q", "--soft", strings.TrimSpace(string(out)))
	return w.named(strings.TrimSpace(string(out)))
}

func (w *signedWorld) commitSigned(key ssh.Signer, message string, fs files) string {
	w.t.Helper()
	w.commit(message, fs)
	return w.sign(key)
}

// refused syncs and wants the source to stay where it is, for the reason.
func (w *signedWorld) refused(stays string, reasons ...string) {
	w.t.Helper()
	_, err := w.r.Sync(w.t.Context())
	if !errors.Is(err, reconciler.ErrUnsigned) {
		w.t.Fatalf("Sync = %v, want ErrUnsigned", err)
	}
	recorded := w.store.data.failures["configs"]
	for _, r := range append(reasons, "signing keys") {
		if !strings.Contains(recorded, r) {
			w.t.Errorf("the source says %q, want %q in it", recorded, r)
		}
	}
	if got := w.store.data.heads["configs"]; got != stays {
		w.t.Errorf("synced to %s, want %s", w.names[got], w.names[stays])
	}
}

func (w *signedWorld) aggregate(commit string) string {
	s := w.store.data.statuses[[2]string{commit, rollout.AggregateContext}]
	return strings.TrimSpace(string(s.State) + " " + s.Description)
}

func (w *signedWorld) wantAggregate(commit, want string) {
	w.t.Helper()
	if got := w.aggregate(commit); got != want {
		w.t.Errorf("%s is told %q, want %q", w.names[commit], got, want)
	}
}

func short(sha string) string { return sha[:12] }

func TestUnsignedCommitsAreNotSynced(t *testing.T) {
	t.Parallel()
	w := newSignedWorld(t, "")
	first := w.commitSigned(w.known, "first", files{"profiles/a.yaml": doc("a", "n: 1")})
	w.sync()
	unsigned := w.commit("unsigned", files{"profiles/a.yaml": doc("a", "n: 2")})
	w.refused(first, short(unsigned), "is not signed", "stays at "+short(first))
	w.wantAggregate(unsigned, "failure commit "+short(unsigned)+" is not signed")
	if v := w.store.data.versions["a"]; len(v) != 1 {
		t.Errorf("versions %v", v)
	}
	// The next polls say nothing again.
	commits := w.store.commits
	w.refused(first)
	w.refused(first)
	if w.store.commits != commits {
		t.Errorf("%d transactions for what was said before", w.store.commits-commits)
	}
	// Signed on top of an unsigned one is not enough: both hear of it.
	head := w.commitSigned(w.known, "signed", files{"profiles/a.yaml": doc("a", "n: 3")})
	w.refused(first, short(unsigned)+" is not signed")
	w.wantAggregate(head, "failure not synced: commit "+short(unsigned)+" is not signed")
	// Rewritten with a signature it goes on; what was taken off the branch stays refused.
	w.run("reset", "-q", "--soft", first)
	w.run("commit", "-q", "-m", "again")
	signed := w.sign(w.known)
	w.named(signed)
	if res := w.sync(); res.Head != signed || res.Versions != 1 {
		t.Errorf("Sync = %+v", res)
	}
	if reason := w.store.data.failures["configs"]; reason != "" {
		t.Errorf("the source still says %q", reason)
	}
	w.wantAggregate(unsigned, "failure commit "+short(unsigned)+" is not signed")
}

func TestKeysThatAreAddedCount(t *testing.T) {
	t.Parallel()
	w := newSignedWorld(t, "")
	first := w.commitSigned(w.known, "first", files{"profiles/a.yaml": doc("a", "n: 1")})
	w.sync()
	// A branch that somebody else signed, merged by one whose key is known.
	w.run("switch", "-q", "-c", "feature")
	inside := w.commitSigned(w.other, "feature", files{"profiles/b.yaml": doc("b", "n: 1")})
	w.run("switch", "-q", "main")
	w.run("merge", "-q", "--no-ff", "-m", "merge", "feature")
	merge := w.sign(w.known)
	w.refused(first, "commit "+short(inside)+" is not signed by a known key")
	w.wantAggregate(inside, "failure commit "+short(inside)+" is not signed by a known key")
	w.wantAggregate(merge, "failure not synced: commit "+short(inside)+" is not signed by a known key")
	w.allow(t, w.known, w.other)
	if res := w.sync(); res.Head != merge || res.Versions != 1 {
		t.Errorf("Sync = %+v", res)
	}
	w.wantAggregate(inside, "success signed by a known key")
	w.wantAggregate(merge, "success signed by a known key")
	if reason := w.store.data.failures["configs"]; reason != "" {
		t.Errorf("the source still says %q", reason)
	}
	// A key that is taken away counts no more for what comes.
	w.allow(t, w.known)
	last := w.commitSigned(w.other, "last", files{"profiles/b.yaml": doc("b", "n: 2")})
	w.refused(merge, short(last))
}

func TestWhereSignaturesBegin(t *testing.T) {
	t.Parallel()
	build := func(t *testing.T) (w *signedWorld, unsigned, head string) {
		w = newSignedWorld(t, "")
		unsigned = w.commit("unsigned", files{"profiles/a.yaml": doc("a", "n: 1")})
		return w, unsigned, w.commitSigned(w.known, "head", files{"profiles/a.yaml": doc("a", "n: 2")})
	}
	from := func(w *signedWorld, sha string) {
		w.r = w.reconciler(func(o *reconciler.Options) { o.Signatures, o.SignedFrom = w, sha })
	}
	t.Run("the head alone", func(t *testing.T) {
		t.Parallel()
		w, _, head := build(t)
		if res := w.sync(); res.Head != head {
			t.Errorf("Sync = %+v", res)
		}
	})
	t.Run("an unsigned head", func(t *testing.T) {
		t.Parallel()
		w, _, _ := build(t)
		bad := w.commit("unsigned head", files{"profiles/a.yaml": doc("a", "n: 3")})
		w.refused("", short(bad), "stays at no commit")
	})
	t.Run("after a commit", func(t *testing.T) {
		t.Parallel()
		w, unsigned, head := build(t)
		from(w, unsigned)
		if res := w.sync(); res.Head != head {
			t.Errorf("Sync = %+v", res)
		}
	})
	t.Run("before an unsigned one", func(t *testing.T) {
		t.Parallel()
		w, unsigned, _ := build(t)
		from(w, unsigned)
		bad := w.commit("unsigned", nil)
		w.commitSigned(w.known, "head", files{"profiles/a.yaml": doc("a", "n: 3")})
		w.refused("", short(bad))
	})
	t.Run("a commit that is not there", func(t *testing.T) {
		t.Parallel()
		w, _, _ := build(t)
		from(w, strings.Repeat("ab", 20))
		_, err := w.r.Sync(t.Context())
		if !errors.Is(err, gitsource.ErrNotFetched) || !strings.Contains(w.store.data.failures["configs"], "set signed_from") {
			t.Errorf("Sync = %v", err)
		}
		if len(w.store.data.profiles) > 0 {
			t.Errorf("profiles %v", sortedKeys(w.store.data.profiles))
		}
	})
}
