package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/sluicehq/sluice/api/wire"
)

// identity is what registration gave, and what was registered with which server.
type identity struct {
	Server           string               `json:"server"`
	Request          wire.RegisterRequest `json:"request"`
	ID               string               `json:"id"`
	Token            string               `json:"token"`
	HeartbeatSeconds int                  `json:"heartbeatSeconds"`
}

// fits says that the identity may go on being used for what would be registered now.
func (i identity) fits(server string, req wire.RegisterRequest) bool {
	return i.ID != "" && i.Token != "" && i.Server == server && reflect.DeepEqual(i.Request, req)
}

// record is what is remembered of one profile.
type record struct {
	// Instance and Seen keep the newest generation that the instance was told of, applied or not:
	// nothing older is taken. Another identity starts afresh.
	Instance string `json:"instance"`
	Seen     int64  `json:"seen"`
	SeenHash string `json:"seenHash"`

	// Good is the last known good configuration.
	Good *good `json:"good,omitempty"`
	// Before is the one before it, kept while it holds opened secrets: a way back to it must not need whoever keeps them.
	Before *good `json:"before,omitempty"`
}

// kept returns what was applied before of an assignment's content and holds its secrets; nil when nothing did.
func (r record) kept(a wire.Assignment) *good {
	for _, g := range []*good{r.Good, r.Before} {
		if g != nil && g.DeliveredHash != "" && g.Hash == a.Hash && g.Version == a.Version {
			return g
		}
	}
	return nil
}

// replace makes g the last known good configuration.
func (r *record) replace(g *good) {
	if old := r.Good; old != nil && old.Hash != g.Hash {
		r.Before = nil
		if old.DeliveredHash != "" {
			r.Before = old
		}
	}
	r.Good = g
}

// good is a configuration that was applied.
type good struct {
	Version      string          `json:"version"`
	Generation   int64           `json:"generation"`
	Hash         string          `json:"hash"`
	ActiveGroup  string          `json:"activeGroup,omitempty"`
	DeploymentID string          `json:"deploymentId,omitempty"`
	Acked        bool            `json:"acked"`
	Data         json.RawMessage `json:"data"`
	// DeliveredHash is that of Data where it holds opened secrets, "" where Hash is.
	DeliveredHash string `json:"deliveredHash,omitempty"`
}

// verified returns the data when it is what its hash says.
func (g good) verified() (json.RawMessage, error) {
	if g.DeliveredHash != "" {
		return verify(g.Data, g.DeliveredHash)
	}
	return verify(g.Data, g.Hash)
}

func (g good) config(profile string) Config {
	return Config{Profile: profile, Version: g.Version, Generation: g.Generation, Hash: g.Hash,
		ActiveGroup: g.ActiveGroup, DeploymentID: g.DeploymentID, Data: g.Data, DeliveredHash: g.DeliveredHash, Cached: true}
}

// state is the directory where a session remembers. With dir "" nothing is kept.
type state struct{ dir string }

// ErrStateInUse is returned when another process holds the state directory.
var ErrStateInUse = errors.New("state directory is in use by another process")

// openState makes the directory, readable by its owner only, and takes it for this process until
// the returned function is called.
func openState(dir string) (state, func(), error) {
	if dir == "" {
		return state{}, func() {}, nil
	}
	if err := os.MkdirAll(filepath.Join(dir, "profiles"), 0o700); err != nil {
		return state{}, nil, fmt.Errorf("state directory: %w", err)
	}
	release, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return state{}, nil, fmt.Errorf("state directory %s: %w", dir, err)
	}
	return state{dir: dir}, release, nil
}

func (s state) identity() (identity, error) {
	var id identity
	err := s.read("instance.json", &id)
	return id, err
}

func (s state) saveIdentity(id identity) error { return s.write("instance.json", id) }

func (s state) dropIdentity() error {
	if s.dir == "" {
		return nil
	}
	err := os.Remove(filepath.Join(s.dir, "instance.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// record returns what is remembered of a profile. Data that is not what its hash says is forgotten
// and reported; the rest is kept.
func (s state) record(profile string) (record, error) {
	var r record
	if err := s.read(recordFile(profile), &r); err != nil {
		return record{}, err
	}
	if r.Before != nil {
		if data, err := r.Before.verified(); err == nil {
			r.Before.Data = data
		} else {
			r.Before = nil // nothing that runs depends on it
		}
	}
	if r.Good == nil {
		return r, nil
	}
	data, err := r.Good.verified()
	if err != nil {
		r.Good = nil
		return r, fmt.Errorf("%s: %w", recordFile(profile), err)
	}
	r.Good.Data = data
	return r, nil
}

func (s state) saveRecord(profile string, r record) error { return s.write(recordFile(profile), r) }

// profiles lists the remembered profiles by name.
func (s state) profiles() []string {
	if s.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "profiles"))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && validName(name) {
			names = append(names, name)
		}
	}
	return names
}

func recordFile(profile string) string { return filepath.Join("profiles", profile+".json") }

func (s state) read(name string, v any) error {
	if s.dir == "" {
		return nil
	}
	raw, err := os.ReadFile(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// write replaces a file as a whole: after a crash at any point it holds the old or the new content.
func (s state) write(name string, v any) error {
	if s.dir == "" {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	path := filepath.Join(s.dir, name)
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(raw)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
