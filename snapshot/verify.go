package snapshot

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
)

const (
	// maxSignatures bounds the signatures that are looked at: one for each key of a rotation.
	maxSignatures = 8
	// MaxAhead is how far a snapshot's time may be ahead: the clocks of two machines differ.
	MaxAhead = 10 * time.Minute
	// DefaultMaxAge is the age up to which a snapshot is taken where nothing else is said.
	DefaultMaxAge = 7 * 24 * time.Hour
)

// Why a snapshot is refused. Every error of Verify and of For wraps one of them.
var (
	// ErrForm: the file is none, or only a part of one.
	ErrForm = errors.New("not a whole snapshot")
	// ErrKey: no trusted key has the id of the one that signed it.
	ErrKey = errors.New("signed by an unknown key")
	// ErrSignature: the file is not what the key signed.
	ErrSignature = errors.New("the signature is wrong")
	// ErrName: it is another profile's.
	ErrName = errors.New("another profile's snapshot")
	// ErrHash: the data is not what the hash says.
	ErrHash = errors.New("the data does not match its hash")
	// ErrOld: it was written too long ago.
	ErrOld = errors.New("too old")
	// ErrFuture: it was written later than now.
	ErrFuture = errors.New("written in the future")
	// ErrTarget: it is not for this instance.
	ErrTarget = errors.New("not for this instance")
	// ErrSecret: the data needs secrets, which only a daemon opens.
	ErrSecret = errors.New("needs secrets, which only a daemon can open")
)

// Rules say what is taken for a snapshot.
type Rules struct {
	Profile string // that the snapshot must be of
	Keys    []PublicKey
	Now     time.Time
	MaxAge  time.Duration // 0 for any
}

// Verify reads a file. The snapshot is what a trusted key signed for this profile, whole
// and of an age that is allowed; For says whether an instance may run it. Nothing of the
// content is looked at before its signature.
func Verify(file []byte, r Rules) (Snapshot, error) {
	s, err := verify(file, r)
	if err != nil {
		return Snapshot{}, fmt.Errorf("snapshot of %s: %w", r.Profile, err)
	}
	return s, nil
}

func verify(file []byte, r Rules) (s Snapshot, err error) {
	payload, id, err := open(file, r.Keys)
	if err != nil {
		return s, err
	}
	s, err = r.read(payload)
	s.KeyID = id
	return s, err
}

// read reads what was signed.
func (r Rules) read(payload []byte) (s Snapshot, err error) {
	if err := decode(payload, &s); err != nil {
		return s, fmt.Errorf("%w: what was signed cannot be read: %w", ErrForm, err)
	}
	if s.Profile != r.Profile {
		return s, fmt.Errorf("%w: it is of %q: somebody put the file under this name", ErrName, s.Profile)
	}
	if got := profile.Hash(s.Data); got != s.Hash {
		return s, fmt.Errorf("%w: got %.12s, want %.12s: the daemon that wrote it is broken", ErrHash, got, s.Hash)
	}
	return s, r.age(s.WrittenAt)
}

// open returns what was signed, and by which key.
func open(file []byte, trusted []PublicKey) (payload []byte, id string, err error) {
	if len(file) > MaxSize {
		return nil, "", fmt.Errorf("%w: more than %d MiB", ErrForm, MaxSize>>20)
	}
	var e envelope
	if err := decode(file, &e); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrForm, err)
	}
	if e.PayloadType != payloadType || len(e.Signatures) == 0 || len(e.Signatures) > maxSignatures {
		return nil, "", fmt.Errorf("%w: want the type %s and 1 to %d signatures", ErrForm, payloadType, maxSignatures)
	}
	var ids []string
	wrong := ""
	for _, sig := range e.Signatures {
		ids = append(ids, fmt.Sprintf("%.40q", sig.KeyID))
		for _, k := range trusted {
			if k.id != sig.KeyID {
				continue
			}
			if ed25519.Verify(k.key, signed(e.Payload), sig.Sig) {
				return e.Payload, k.id, nil
			}
			wrong = k.id
		}
	}
	if wrong != "" {
		return nil, "", fmt.Errorf("%w: it is not what key %s signed: the file was changed, or another key has the same id", ErrSignature, wrong)
	}
	return nil, "", fmt.Errorf("%w: %s; if that is a new key of the daemon's, trust it too", ErrKey, strings.Join(ids, ", "))
}

// age says whether the time is one to be taken.
func (r Rules) age(written time.Time) error {
	age := r.Now.Sub(written)
	switch {
	case age < -MaxAhead:
		return fmt.Errorf("%w: at %s, it is %s now: set the clock of this machine or of the daemon's right", ErrFuture, written.Format(time.RFC3339), r.Now.UTC().Format(time.RFC3339))
	case r.MaxAge > 0 && age > r.MaxAge:
		return fmt.Errorf("%w: written %s ago, at %s, and at most %s is allowed: a daemon that runs writes it anew, and a larger max age takes it as it is",
			ErrOld, age.Round(time.Second), written.Format(time.RFC3339), r.MaxAge)
	}
	return nil
}

// decode reads one JSON value with nothing after it.
func decode(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows after its end")
	}
	return nil
}

// For says whether an instance may run the snapshot: ErrTarget for another's, ErrSecret where
// the data stands for secrets. Those are opened for a delivery that a daemon answers for, and
// half a configuration is none.
func (s Snapshot) For(service string, environment profile.Environment, labels map[string]string) error {
	if s.Service != service || s.Environment != environment {
		return fmt.Errorf("snapshot of %s: %w: it is for %s in %s, this is %s in %s", s.Profile, ErrTarget, s.Service, s.Environment, service, environment)
	}
	if !(profile.Targets{Labels: s.Labels}).Matches(labels) {
		return fmt.Errorf("snapshot of %s: %w: it is for instances with the labels %v, this one has %v", s.Profile, ErrTarget, s.Labels, labels)
	}
	if secrets := profile.Secrets(s.Data); len(secrets) > 0 {
		return fmt.Errorf("snapshot of %s: %w: %s and %d more; keep such profiles' state directories, or let the program read its secrets itself", s.Profile, ErrSecret,
			secrets[0].Path, len(secrets)-1)
	}
	return nil
}
