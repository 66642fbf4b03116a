package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxProven is how many contents are remembered as good.
const maxProven = 20

// journal is what the agent remembers of its file, so that a kill at any point is made good.
type journal struct {
	// Loaded is the digest of the content that the program was last told to load, and took; empty
	// while that is not known.
	Loaded string `json:"loaded"`
	// Proven are the digests of contents that were loaded well, newest last.
	Proven []string `json:"proven,omitempty"`
	// Swap is there from before the file is replaced until the program took the new one or the
	// former one is back.
	Swap *swap `json:"swap,omitempty"`
}

// swap is what was in the file before.
type swap struct {
	Existed bool   `json:"existed"`
	Former  []byte `json:"former"`
}

// loaded closes a swap: the program took this content.
func (j journal) loaded(digest string) journal {
	proven := append(slices.DeleteFunc(slices.Clone(j.Proven), func(d string) bool { return d == digest }), digest)
	return journal{Loaded: digest, Proven: proven[max(0, len(proven)-maxProven):]}
}

// begun opens a swap. One that was never closed keeps its former content: what is in the file then
// is not known to be good.
func (j journal) begun(former []byte, existed bool) journal {
	next := journal{Proven: j.Proven, Swap: j.Swap}
	if next.Swap == nil {
		next.Swap = &swap{Existed: existed, Former: former}
	}
	return next
}

// unloaded closes a swap without knowing what the program runs.
func (j journal) unloaded() journal { return journal{Proven: j.Proven} }

func digest(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:])
}

func readJournal(path string) (journal, error) {
	var j journal
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &j)
	}
	if err != nil {
		return journal{}, fmt.Errorf("journal: %w", err)
	}
	return j, nil
}

// write replaces the journal as a whole. It holds configuration, so nobody else reads it.
func (j journal) write(path string) error {
	raw, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	_, err = tmp.Write(raw)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("journal: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return syncDir(filepath.Dir(path))
}
