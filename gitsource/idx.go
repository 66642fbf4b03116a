package gitsource

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// writeIndex writes a pack's index in Git's format and returns it. go-git's own index writer leaves out the second of
// two equal objects; Git then refuses the pack, because its head counts both.
func writeIndex(entries []idxfile.Entry, pack plumbing.Hash, path string) (*idxfile.MemoryIndex, error) {
	slices.SortFunc(entries, func(a, b idxfile.Entry) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	idx := idxfile.NewMemoryIndex()
	idx.Version, idx.PackfileChecksum = idxfile.VersionSupported, pack
	at := 0
	for first := range 256 {
		start := at
		for at < len(entries) && int(entries[at].Hash[0]) == first {
			at++
		}
		idx.Fanout[first] = uint32(at)
		idx.FanoutMapping[first] = -1 // no object starts with this byte
		if start < at {
			idx.FanoutMapping[first] = len(idx.Names)
			addBucket(idx, entries[start:at])
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = idxfile.NewEncoder(f).Encode(idx)
	return idx, errors.Join(err, f.Close())
}

// addBucket adds the objects that share their first byte.
func addBucket(idx *idxfile.MemoryIndex, entries []idxfile.Entry) {
	names := make([]byte, 0, 20*len(entries))
	crcs := make([]byte, 0, 4*len(entries))
	offsets := make([]byte, 0, 4*len(entries))
	for _, e := range entries {
		names = append(names, e.Hash[:]...)
		crcs = binary.BigEndian.AppendUint32(crcs, e.CRC32)
		short := uint32(e.Offset)
		if e.Offset > math.MaxInt32 {
			short = 1<<31 | uint32(len(idx.Offset64)/8)
			idx.Offset64 = binary.BigEndian.AppendUint64(idx.Offset64, e.Offset)
		}
		offsets = binary.BigEndian.AppendUint32(offsets, short)
	}
	idx.Names, idx.CRC32, idx.Offset32 = append(idx.Names, names), append(idx.CRC32, crcs), append(idx.Offset32, offsets)
}

// indexEntries lists what is known of a received pack's objects.
func (s *packScan) indexEntries() []idxfile.Entry {
	out := make([]idxfile.Entry, len(s.entries))
	for i, e := range s.entries {
		out[i] = idxfile.Entry{Hash: e.hash, CRC32: e.crc, Offset: uint64(e.offset)}
	}
	return out
}

// joinedEntries lists the objects of several packs whose bodies lie one after the other.
func joinedEntries(packs []*pack) (out []idxfile.Entry, err error) {
	shift := uint64(0)
	for _, p := range packs {
		it, err := p.idx.Entries()
		if err != nil {
			return nil, err
		}
		for {
			e, err := it.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			out = append(out, idxfile.Entry{Hash: e.Hash, CRC32: e.CRC32, Offset: e.Offset + shift})
		}
		shift += uint64(p.bodyLen())
	}
	return out, nil
}
