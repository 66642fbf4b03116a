package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// Config is one version of a profile's configuration, as assigned to this instance.
type Config struct {
	Profile    string
	Version    string // semantic; a rollback lowers it
	Generation int64  // only rises, with a rollback too
	Hash       string // SHA-256, hex, of the version; that of Data too, unless DeliveredHash is
	// DeliveredHash is the SHA-256, hex, of Data that holds opened secrets; "" for other data.
	DeliveredHash string
	// ActiveGroup is the group, "blue" or "green", that the requests of a BlueGreen profile go to; "" before the first switch. A
	// switch alone is a Config of its own, with the data as it was.
	ActiveGroup  string
	DeploymentID string // "" when the configuration came with the registration
	// TraceParent is the W3C trace context of the change, "" without one. A callback gets that of its own call, which
	// Context takes: what the callback does then shows below it.
	TraceParent string
	// Data is canonical JSON: sorted keys, no white space. It may hold opened secrets.
	Data json.RawMessage
	// Cached says that this is the last known good configuration, read from disk because the server
	// was away.
	Cached bool
	// Snapshot is when the bootstrap snapshot was written that this is, because the server was away and no last known
	// good configuration was on disk; zero for every other. Its Generation is 0.
	Snapshot time.Time
}

// Decode reads the data into v and refuses fields that v does not have.
func (c Config) Decode(v any) error {
	dec := json.NewDecoder(bytes.NewReader(c.Data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("configuration %s %s: %w", c.Profile, c.Version, err)
	}
	return nil
}

// Secret says that Data holds opened secrets: keep it where only its user can read.
func (c Config) Secret() bool { return c.DeliveredHash != "" }

// ErrHash is wrapped by the refusal of data that is not what its hash says.
var ErrHash = errors.New("data does not match its hash")

// verify returns the canonical data of an assignment. Servers in between may have escaped the JSON
// differently, so what does not match at once is written canonically and looked at again.
func verify(data []byte, hash string) (json.RawMessage, error) {
	if sum(data) == hash {
		return bytes.Clone(data), nil
	}
	again, err := recode(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHash, err)
	}
	if got := sum(again); got != hash {
		return nil, fmt.Errorf("%w: got %s, want %s", ErrHash, shortHash(got), shortHash(hash))
	}
	return again, nil
}

func recode(data []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows the first value")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

func shortHash(h string) string { return h[:min(len(h), 12)] }

func configOf(a wire.Assignment, data json.RawMessage) Config {
	return Config{Profile: a.ConfigName, Version: a.Version, Generation: a.Generation, Hash: a.Hash,
		ActiveGroup: a.ActiveGroup, DeploymentID: a.DeploymentID, TraceParent: a.TraceParent, Data: data}
}

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,240}$`)

// validName says that a profile's name may name a file of the state directory.
func validName(name string) bool { return namePattern.MatchString(name) && name != "." && name != ".." }
