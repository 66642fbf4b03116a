package gitsource

import (
	"bytes"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// gitNamespace is what SSH signatures of Git are made for.
const gitNamespace = "git"

// allowedSigner is one line of an allowed signers file.
type allowedSigner struct {
	principals []string // patterns of addresses, in lower case; with ! in front they exclude
	key        ssh.PublicKey
	namespaces []string // patterns; none: any
	after      time.Time
	before     time.Time // zero: no end
}

// parseAllowedSigners reads ssh-keygen's format: principals, options, key. Errors name the line.
func parseAllowedSigners(text []byte) ([]allowedSigner, error) {
	var out []allowedSigner
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		s, err := parseAllowedSigner(string(line))
		if err != nil {
			return nil, fmt.Errorf("%w: allowed signers, line %d: %w", ErrKeyring, number, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func parseAllowedSigner(line string) (s allowedSigner, err error) {
	var rest string
	var ok bool
	if strings.HasPrefix(line, `"`) {
		line, rest, ok = strings.Cut(line[1:], `"`)
	} else {
		i := strings.IndexAny(line, " \t")
		ok = i > 0
		if ok {
			line, rest = line[:i], line[i:]
		}
	}
	if !ok {
		return s, fmt.Errorf("no key behind the principals")
	}
	if s.principals, err = patterns(strings.ToLower(line)); err != nil {
		return s, err
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimSpace(rest)))
	if err != nil {
		return s, fmt.Errorf("no SSH public key behind the principals and options")
	}
	s.key = key
	if err := checkSSH(key); err != nil {
		return s, err
	}
	for _, o := range options {
		if err := s.option(o); err != nil {
			return s, err
		}
	}
	return s, nil
}

func checkSSH(key ssh.PublicKey) error {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return nil
	case ssh.KeyAlgoRSA:
		if k, ok := key.(ssh.CryptoPublicKey); ok {
			if r, ok := k.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() >= 2048 {
				return nil
			}
		}
		return fmt.Errorf("an RSA key of less than 2048 bits is too weak")
	}
	return fmt.Errorf("a key of type %s is not supported", printable(key.Type(), 60))
}

func (s *allowedSigner) option(text string) (err error) {
	name, value, _ := strings.Cut(text, "=")
	value = strings.Trim(value, `"`)
	switch strings.ToLower(name) {
	case "namespaces":
		s.namespaces, err = patterns(value)
	case "valid-after":
		s.after, err = signerTime(value)
	case "valid-before":
		s.before, err = signerTime(value)
	case "cert-authority":
		return fmt.Errorf("cert-authority is not supported, list the keys themselves")
	default:
		return fmt.Errorf("option %q is not known", printable(name, 40))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.ToLower(name), err)
	}
	return nil
}

// signerTime reads YYYYMMDD or YYYYMMDDHHMM[SS], in the machine's time zone or, with a Z, in UTC, as ssh-keygen does.
func signerTime(text string) (time.Time, error) {
	digits, zone := text, time.Local
	if z, ok := strings.CutSuffix(text, "Z"); ok {
		digits, zone = z, time.UTC
	}
	layout := map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}[len(digits)]
	t, err := time.ParseInLocation(layout, digits, zone)
	if layout == "" || err != nil {
		return time.Time{}, fmt.Errorf("%q is no time such as 20260131 or 202601312359Z", printable(text, 30))
	}
	return t, nil
}

// patterns splits a list of patterns with * and ?, and checks them.
func patterns(list string) ([]string, error) {
	out := strings.Split(list, ",")
	for _, p := range out {
		if strings.Trim(p, "!") == "" || strings.ContainsAny(p, `[]\`) {
			return nil, fmt.Errorf("%q is not an address or pattern", printable(p, 60))
		}
	}
	return out, nil
}

// matches reports whether a text matches one of the patterns and none of those that exclude.
func matches(list []string, text string) bool {
	found := false
	for _, p := range list {
		p, excludes := strings.CutPrefix(p, "!")
		// A slash is nothing special here.
		ok, err := path.Match(strings.ReplaceAll(p, "/", "\x01"), strings.ReplaceAll(text, "/", "\x01"))
		switch {
		case err != nil || !ok:
		case excludes:
			return false
		default:
			found = true
		}
	}
	return found
}

// verifySSH says why the commit does not count as signed by one of the keys.
func verifySSH(signers []allowedSigner, c signed) (why string) {
	block, rest := pem.Decode(c.signature)
	if block == nil || block.Type != sshsig.PEMType || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return unreadable
	}
	sig, err := sshsig.ParseSignature(block.Bytes)
	if err != nil {
		return unreadable
	}
	wire := sig.PublicKey.Marshal()
	known := slices.DeleteFunc(slices.Clone(signers), func(s allowedSigner) bool { return !bytes.Equal(s.key.Marshal(), wire) })
	switch {
	case len(known) == 0:
		return "is not signed by a known key"
	case sig.Signature.Format == ssh.KeyAlgoRSA:
		return "has a signature of SHA-1 or worse"
	case sig.Namespace != gitNamespace:
		return "has a signature of another kind than commits have"
	case sshsig.Verify(bytes.NewReader(c.payload), sig, known[0].key, sig.HashAlgorithm, gitNamespace) != nil:
		return "has a signature that does not fit its content"
	}
	why = "is signed by a key that is not its committer's, " + printable(c.email, 60)
	for _, s := range known {
		switch {
		case !matches(s.principals, strings.ToLower(c.email)):
		case len(s.namespaces) > 0 && !matches(s.namespaces, gitNamespace):
			why = "is signed by a key that is not for commits"
		case c.when.Before(s.after), !s.before.IsZero() && !c.when.Before(s.before):
			why = "is signed by a key that was not valid at its time"
		default:
			return ""
		}
	}
	return why
}
