package gitsource_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/sluicehq/sluice/gitsource"
)

type key struct {
	signer ssh.Signer
	pem    []byte
}

func newKey(t *testing.T) key {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		t.Fatal(err)
	}
	return key{signer, pem.EncodeToMemory(block)}
}

// sshServer lets one key run git-upload-pack on one repository.
type sshServer struct {
	addr string
	host key
}

func (r *repo) serveSSH(user key) sshServer {
	r.t.Helper()
	host := newKey(r.t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(k.Marshal(), user.signer.PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(host.signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.serveConn(conn, config)
		}
	}()
	r.t.Cleanup(func() {
		l.Close()
		<-done
	})
	return sshServer{l.Addr().String(), host}
}

func (r *repo) serveConn(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		ch, reqs, err := c.Accept()
		if err != nil {
			return
		}
		for req := range reqs {
			if err := req.Reply(req.Type == "exec", nil); err != nil {
				return
			}
			if req.Type != "exec" {
				continue
			}
			var payload struct{ Command string }
			status := uint32(0)
			if ssh.Unmarshal(req.Payload, &payload) == nil && payload.Command == "git-upload-pack '"+r.dir+"'" {
				cmd := exec.Command("git", "upload-pack", r.dir)
				cmd.Env, cmd.Stdin, cmd.Stdout = gitEnv(r.dir), ch, ch
				if err := cmd.Run(); err != nil {
					status = 1
				}
			} else {
				fmt.Fprintln(ch.Stderr(), "no such repository")
			}
			if _, err := ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status})); err != nil {
				return
			}
			ch.Close()
		}
	}
}

func (s sshServer) options(r *repo, user key) gitsource.Options {
	o := r.options()
	o.AllowFile, o.AllowLoopback = false, true
	o.Limits.FetchTimeout = 20 * time.Second
	o.URL = "ssh://git@" + s.addr + r.dir
	o.Auth = gitsource.Auth{SSHKey: user.pem, KnownHosts: []byte(knownhosts.Line([]string{s.addr}, s.host.signer.PublicKey()) + "\n")}
	return o
}

func TestSSHFollowsABranch(t *testing.T) {
	t.Parallel()
	r, user := newRepo(t), newKey(t)
	first := r.commit("first", map[string]string{"a.yaml": "one"})
	m := open(t, r.serveSSH(user).options(r, user))
	if head, err := m.Head(t.Context()); err != nil || head != first {
		t.Fatalf("Head = %s, %v", head, err)
	}
	fetch(t, m)
	second := r.commit("second", map[string]string{"a.yaml": "two"})
	if got := fetch(t, m); got != second || read(t, m, second, "a.yaml") != "two" {
		t.Fatalf("Fetch = %s", got)
	}
	if got := fetch(t, m); got != second {
		t.Fatalf("Fetch of nothing new = %s", got)
	}
}

func TestSSHRefusals(t *testing.T) {
	t.Parallel()
	r, user := newRepo(t), newKey(t)
	r.commit("first", map[string]string{"a.yaml": "one"})
	s := r.serveSSH(user)
	other := newKey(t)
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("CANARY"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*gitsource.Options)
		want   error
	}{
		"another user's key": {func(o *gitsource.Options) { o.Auth.SSHKey = other.pem }, gitsource.ErrAuth},
		"no key":             {func(o *gitsource.Options) { o.Auth.SSHKey = nil }, gitsource.ErrAuth},
		"a key that is none": {func(o *gitsource.Options) { o.Auth.SSHKey, o.Auth.SSHKeyFile = nil, keyFile }, gitsource.ErrAuth},
		"a plain key with a passphrase": {func(o *gitsource.Options) {
			o.Auth.SSHKey, o.Auth.SSHPassphrase = []byte("x"), "CANARY"
		}, gitsource.ErrAuth},
		"no known hosts": {func(o *gitsource.Options) { o.Auth.KnownHosts = nil }, gitsource.ErrHostKey},
		"an unknown host": {func(o *gitsource.Options) {
			o.Auth.KnownHosts = []byte(knownhosts.Line([]string{"example.com"}, s.host.signer.PublicKey()))
		}, gitsource.ErrHostKey},
		"a changed host key": {func(o *gitsource.Options) {
			o.Auth.KnownHosts = []byte(knownhosts.Line([]string{s.addr}, other.signer.PublicKey()))
		}, gitsource.ErrHostKey},
		"known hosts that are none": {func(o *gitsource.Options) { o.Auth.KnownHosts = []byte("x y z\n") }, gitsource.ErrHostKey},
		"no file of known hosts":    {func(o *gitsource.Options) { o.Auth.KnownHostsFile = "/nonexistent" }, gitsource.ErrHostKey},
		"another repository":        {func(o *gitsource.Options) { o.URL += "x'; touch /tmp/x; '" }, gitsource.ErrURL},
		"no such repository":        {func(o *gitsource.Options) { o.URL += "x" }, gitsource.ErrRepositoryNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := s.options(r, user)
			c.change(&o)
			m, err := gitsource.Open(t.Context(), o)
			if err == nil {
				_, err = m.Head(t.Context())
			}
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("error = %v, want %v", err, c.want)
			}
		})
	}
}

func TestSSHServerThatIsNone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		if conn, err := l.Accept(); err == nil {
			fmt.Fprint(conn, "HTTP/1.1 400 no\r\n\r\n")
			conn.Close()
		}
	}()
	user := newKey(t)
	o := gitsource.Options{ID: "s", URL: "ssh://git@" + l.Addr().String() + "/x", Branch: "main", Dir: t.TempDir(), AllowLoopback: true}
	o.Auth = gitsource.Auth{SSHKey: user.pem, KnownHosts: []byte("# none\n")}
	if _, err := open(t, o).Head(t.Context()); !errors.Is(err, gitsource.ErrRemote) {
		t.Errorf("Head = %v, want ErrRemote", err)
	}
}

func TestSSHServerThatHangs(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	user := newKey(t)
	o := gitsource.Options{ID: "s", URL: "ssh://git@" + l.Addr().String() + "/x", Branch: "main", Dir: t.TempDir(), AllowLoopback: true}
	o.Auth = gitsource.Auth{SSHKey: user.pem, KnownHosts: []byte("# none\n")}
	o.Limits.HeadTimeout = 100 * time.Millisecond
	start := time.Now()
	if _, err := open(t, o).Head(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("Head = %v after %v, want DeadlineExceeded", err, time.Since(start))
	}
}
