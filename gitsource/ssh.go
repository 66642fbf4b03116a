package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
)

// connectSSH dials by itself instead of through go-git's client, which reads the user's ssh configuration, may ask an
// agent, and offers no place to judge the address that is dialled.
func (m *Mirror) connectSSH(ctx context.Context) (*connection, error) {
	config, err := m.sshConfig()
	if err != nil {
		return nil, err
	}
	c := &connection{watch: new(watch), redact: func(s string) string { return s }}
	conn, err := m.policy.dialer().DialContext(ctx, "tcp", m.sshAddress())
	if err != nil {
		return nil, m.remoteError(ctx, c, err)
	}
	s := &sshSession{conn: conn, watch: c.watch}
	s.stop = context.AfterFunc(ctx, s.abort)
	if err := s.start(m.sshAddress(), m.remote.path, config); err != nil {
		s.stop()
		return nil, m.remoteError(ctx, c, errors.Join(err, conn.Close()))
	}
	c.UploadPackSession = s
	return c, nil
}

func (m *Mirror) sshAddress() string {
	port := m.remote.port
	if port == 0 {
		port = 22
	}
	return net.JoinHostPort(m.remote.host, strconv.Itoa(port))
}

// sshConfig reads the key and the known hosts anew for each connection, so that rotated ones need no restart.
func (m *Mirror) sshConfig() (*ssh.ClientConfig, error) {
	pem, err := m.auth.sshKey()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAuth, err)
	}
	var signer ssh.Signer
	if m.auth.SSHPassphrase != "" {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(pem, []byte(m.auth.SSHPassphrase))
	} else {
		signer, err = ssh.ParsePrivateKey(pem)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the ssh key does not parse", ErrAuth)
	}
	file, err := m.knownHostsFile()
	if err != nil {
		return nil, err
	}
	hosts, err := gitssh.NewKnownHostsDb(file)
	if err != nil {
		return nil, fmt.Errorf("%w: the known hosts do not parse", ErrHostKey)
	}
	check := hosts.HostKeyCallback()
	return &ssh.ClientConfig{
		User: m.remote.user,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: func(host string, addr net.Addr, key ssh.PublicKey) error {
			if err := check(host, addr, key); err != nil {
				return fmt.Errorf("%w: %s is not in the known hosts for %s", ErrHostKey, ssh.FingerprintSHA256(key), m.remote.host)
			}
			return nil
		},
		HostKeyAlgorithms: hosts.HostKeyAlgorithms(m.sshAddress()),
		Timeout:           10 * time.Second,
	}, nil
}

// knownHostsFile returns the configured file, or writes the configured content into the mirror's folder.
func (m *Mirror) knownHostsFile() (string, error) {
	if m.auth.KnownHostsFile != "" {
		return m.auth.KnownHostsFile, nil
	}
	if len(m.auth.KnownHosts) == 0 {
		return "", fmt.Errorf("%w: no known hosts are configured", ErrHostKey)
	}
	file := filepath.Join(m.dir, "known_hosts")
	if err := os.WriteFile(file, m.auth.KnownHosts, 0o600); err != nil {
		return "", fmt.Errorf("write known hosts: %w", err)
	}
	return file, nil
}

// sshSession speaks upload-pack over one ssh connection.
type sshSession struct {
	conn    net.Conn
	client  *ssh.Client
	session *ssh.Session
	in      io.WriteCloser
	out     io.Reader
	refs    *packp.AdvRefs
	watch   *watch
	stop    func() bool
}

// abort cuts the connection under whatever waits on it; the waiting call reports why.
func (s *sshSession) abort() {
	if err := s.conn.Close(); err != nil {
		return // it is closed already
	}
}

func (s *sshSession) start(addr, repository string, config *ssh.ClientConfig) error {
	if err := s.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	conn, channels, requests, err := ssh.NewClientConn(s.conn, addr, config)
	if err != nil {
		if errors.Is(err, ErrHostKey) {
			return s.watch.note(errHostKeyOf(err))
		}
		if strings.Contains(err.Error(), "unable to authenticate") {
			return s.watch.note(fmt.Errorf("%w: the server did not accept the ssh key", ErrAuth))
		}
		return err
	}
	if err := s.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	s.client = ssh.NewClient(conn, channels, requests)
	if s.session, err = s.client.NewSession(); err != nil {
		return err
	}
	if s.in, err = s.session.StdinPipe(); err != nil {
		return err
	}
	if s.out, err = s.session.StdoutPipe(); err != nil {
		return err
	}
	return s.session.Start(transport.UploadPackServiceName + " " + quoteForShell(repository))
}

// errHostKeyOf finds our own error inside what the ssh library made of it.
func errHostKeyOf(err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.HasPrefix(e.Error(), ErrHostKey.Error()) {
			return e
		}
	}
	return ErrHostKey
}

// quoteForShell quotes as Git does: the far side's login shell sees one argument.
func quoteForShell(s string) string {
	return "'" + strings.NewReplacer(`'`, `'\''`, `!`, `'\!'`).Replace(s) + "'"
}

// AdvertisedReferences returns the refs of the remote.
func (s *sshSession) AdvertisedReferences() (*packp.AdvRefs, error) {
	return s.AdvertisedReferencesContext(context.Background())
}

// AdvertisedReferencesContext returns the refs of the remote. The context was bound when the connection was made.
func (s *sshSession) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	if s.refs != nil {
		return s.refs, nil
	}
	refs := packp.NewAdvRefs()
	capped := &cappedBody{ReadCloser: io.NopCloser(s.out), left: maxAdvertisedBytes, watch: s.watch}
	if err := refs.Decode(capped); err != nil {
		switch {
		case errors.Is(err, packp.ErrEmptyAdvRefs):
			return nil, transport.ErrEmptyRemoteRepository
		case errors.Is(err, packp.ErrEmptyInput):
			return nil, transport.ErrRepositoryNotFound
		}
		return nil, err
	}
	if refs.IsEmpty() {
		return nil, transport.ErrEmptyRemoteRepository
	}
	transport.FilterUnsupportedCapabilities(refs.Capabilities)
	s.refs = refs
	return refs, nil
}

// UploadPack sends the request and returns the answer, whose reader must be closed.
func (s *sshSession) UploadPack(_ context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if err := req.UploadRequest.Encode(s.in); err != nil {
		return nil, err
	}
	// No flush after the haves: one "done" at once lets the server answer with exactly one ACK or NAK.
	if err := req.UploadHaves.Encode(s.in, false); err != nil {
		return nil, err
	}
	if err := pktline.NewEncoder(s.in).EncodeString("done\n"); err != nil {
		return nil, err
	}
	if err := s.in.Close(); err != nil {
		return nil, err
	}
	resp := packp.NewUploadPackResponse(req)
	if err := resp.Decode(io.NopCloser(s.out)); err != nil {
		return nil, err
	}
	return resp, nil
}

// Close ends the conversation.
func (s *sshSession) Close() error {
	s.stop()
	err := s.client.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
