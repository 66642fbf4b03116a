package gitsource

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// ErrKeyring says that a file of signing keys is not valid; the message names the key or the line.
var ErrKeyring = errors.New("signing keys are not valid")

// maxKeyFile bounds a file of signing keys.
const maxKeyFile = 4 << 20

// Keyring holds the keys whose signatures count, each with the committers that it may sign for: the addresses of
// a GPG key's user ids, the principals of an SSH key. It is safe for concurrent use.
type Keyring struct {
	gpg openpgp.EntityList
	ssh []allowedSigner
}

// ParseKeyring reads armored GPG public keys, and SSH keys in the format of ssh-keygen's allowed signers; either may
// be empty, not both. Errors wrap ErrKeyring.
func ParseKeyring(gpg, allowedSigners []byte) (_ *Keyring, err error) {
	defer contain(&err)
	k := &Keyring{}
	if len(gpg) > maxKeyFile || len(allowedSigners) > maxKeyFile {
		return nil, fmt.Errorf("%w: a file of more than %d bytes", ErrKeyring, maxKeyFile)
	}
	if k.gpg, err = parseGPG(gpg); err != nil {
		return nil, err
	}
	if k.ssh, err = parseAllowedSigners(allowedSigners); err != nil {
		return nil, err
	}
	if len(k.gpg)+len(k.ssh) == 0 {
		return nil, fmt.Errorf("%w: there is no key", ErrKeyring)
	}
	return k, nil
}

const (
	beginKey = "-----BEGIN PGP "
	endKey   = "-----END PGP PUBLIC KEY BLOCK-----"
)

// parseGPG reads every armored block of a file: a library reads only the first.
func parseGPG(text []byte) (all openpgp.EntityList, err error) {
	for {
		start := bytes.Index(text, []byte(beginKey))
		if start < 0 {
			break
		}
		end := bytes.Index(text[start:], []byte(endKey))
		if end < 0 {
			return nil, fmt.Errorf("%w: a block that is no armored public key", ErrKeyring)
		}
		end += start + len(endKey)
		keys, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(text[start:end]))
		if err != nil {
			return nil, fmt.Errorf("%w: a block of GPG keys does not read: %s", ErrKeyring, printable(err.Error(), 100))
		}
		for _, key := range keys {
			if err := checkGPG(key); err != nil {
				return nil, err
			}
		}
		all, text = append(all, keys...), text[end:]
	}
	if len(all) == 0 && len(bytes.TrimSpace(text)) > 0 {
		return nil, fmt.Errorf("%w: no armored GPG public key in the file, export it with gpg --armor --export", ErrKeyring)
	}
	return all, nil
}

func checkGPG(e *openpgp.Entity) error {
	if e.PrivateKey != nil {
		return fmt.Errorf("%w: GPG key %X is a private key, give its public one", ErrKeyring, e.PrimaryKey.Fingerprint)
	}
	keys := []*packet.PublicKey{e.PrimaryKey}
	for _, sub := range e.Subkeys {
		keys = append(keys, sub.PublicKey)
	}
	for _, k := range keys {
		bits, err := k.BitLength()
		weak := k.PubKeyAlgo == packet.PubKeyAlgoDSA || err == nil && k.PubKeyAlgo == packet.PubKeyAlgoRSA && bits < 2048
		if weak {
			return fmt.Errorf("%w: GPG key %X is too weak, use RSA of 2048 bits or more, or Ed25519", ErrKeyring, k.Fingerprint)
		}
	}
	if len(emails(e, time.Now())) == 0 {
		return fmt.Errorf("%w: GPG key %X has no user id with an address that is in force", ErrKeyring, e.PrimaryKey.Fingerprint)
	}
	return nil
}

// emails are the addresses of a key's user ids that are in force.
func emails(e *openpgp.Entity, now time.Time) []string {
	var out []string
	for _, id := range e.Identities {
		if id.SelfSignature == nil || id.Revoked(now) || id.SelfSignature.SigExpired(now) || id.UserId == nil {
			continue
		}
		switch {
		case id.UserId.Email != "":
			out = append(out, id.UserId.Email)
		case strings.Contains(id.UserId.Id, "@") && !strings.ContainsAny(id.UserId.Id, " <>()"):
			out = append(out, id.UserId.Id)
		}
	}
	return out
}

// verify says why the commit does not count as signed, "" when it does.
func (k *Keyring) verify(raw []byte) (why string) {
	defer func() {
		if recover() != nil {
			why = "has a signature that does not read"
		}
	}()
	c, why := parseSigned(raw)
	switch {
	case why != "":
		return why
	case bytes.HasPrefix(c.signature, []byte("-----BEGIN SSH SIGNATURE-----")):
		return verifySSH(k.ssh, c)
	case bytes.HasPrefix(c.signature, []byte("-----BEGIN PGP SIGNATURE-----")):
		return verifyGPG(k.gpg, c, time.Now())
	}
	return "is signed in a way that is not supported, use GPG or SSH"
}

// strongHashes are the digests that a GPG signature may be of.
var strongHashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512}

const unreadable = "has a signature that does not read"

func verifyGPG(keys openpgp.EntityList, c signed, now time.Time) (why string) {
	block, err := armor.Decode(bytes.NewReader(c.signature))
	if err != nil || block.Type != openpgp.SignatureType {
		return unreadable
	}
	body, err := io.ReadAll(io.LimitReader(block.Body, maxSignature))
	if err != nil {
		return unreadable
	}
	if why := onlySignature(body); why != "" {
		return why
	}
	sig, key, err := openpgp.VerifyDetachedSignatureAndHash(keys, bytes.NewReader(c.payload), bytes.NewReader(body), strongHashes,
		&packet.Config{Time: func() time.Time { return now }})
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return "is not signed by a known key"
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return "is signed by a key that has expired"
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return "is signed by a key that was revoked"
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return "has a signature that has expired"
	case err != nil:
		return "has a signature that does not fit its content"
	case sig.SigType != packet.SigTypeBinary:
		return "has a signature of another kind than commits have"
	}
	return signsFor(emails(key, now), c.email)
}

// onlySignature checks that a signature is one packet, of a digest that is still safe.
func onlySignature(body []byte) (why string) {
	packets := packet.NewOpaqueReader(bytes.NewReader(body))
	first, err := packets.Next()
	if err != nil || first.Tag != 2 {
		return unreadable
	}
	if _, err := packets.Next(); err == nil {
		return "has a second signature"
	} else if !errors.Is(err, io.EOF) {
		return unreadable
	}
	p, err := first.Parse()
	sig, ok := p.(*packet.Signature)
	if err != nil || !ok {
		return unreadable
	}
	if sig.Hash == crypto.SHA1 || sig.Hash == crypto.MD5 || sig.Hash == crypto.RIPEMD160 {
		return "has a signature of SHA-1 or worse"
	}
	return ""
}

// signsFor compares a committer with the addresses of the key that signed.
func signsFor(addresses []string, committer string) (why string) {
	for _, a := range addresses {
		if strings.EqualFold(a, committer) {
			return ""
		}
	}
	return "is signed by a key that is not its committer's, " + printable(committer, 60)
}
