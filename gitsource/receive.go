package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// packEntry is what is known of one object of a pack that is being received.
type packEntry struct {
	offset int64
	delta  int64 // inflated bytes of the deltas between this object and its whole base
	hash   plumbing.Hash
	crc    uint32
	ref    int32 // index of the base's hash in packScan.refs, or -1
	base   int32 // index of the base, or -1
	depth  int16
	typ    plumbing.ObjectType
	known  bool // hash is known
}

// packScan is the result of reading a pack once from front to end.
type packScan struct {
	limits   Limits
	entries  []packEntry
	refs     []plumbing.Hash
	checksum plumbing.Hash
	inflated int64
}

// scanPack reads a pack as it arrives and stops at the first byte that goes over a limit. It holds no object's
// content. Everything that passes through r is checked, so a copy of it may be used afterwards.
func scanPack(ctx context.Context, r io.Reader, limits Limits) (*packScan, error) {
	s := &packScan{limits: limits}
	sc := packfile.NewScanner(r)
	_, count, err := sc.Header()
	if err != nil {
		return nil, s.malformed(err)
	}
	if int64(count) > int64(limits.MaxObjects) {
		return nil, fmt.Errorf("%w: a pack of %d objects, at most %d are allowed", ErrLimit, count, limits.MaxObjects)
	}
	for i := range count {
		if i%512 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := s.object(sc); err != nil {
			return nil, err
		}
	}
	if s.checksum, err = sc.Checksum(); err != nil {
		return nil, s.malformed(err)
	}
	return s, nil
}

// malformed keeps an error of the stream below (a limit, a lost connection) and names everything else.
func (s *packScan) malformed(err error) error {
	if below, ok := errors.AsType[*streamError](err); ok {
		return below
	}
	return fmt.Errorf("%w: the pack is broken or cut short", ErrMalformed)
}

func (s *packScan) object(sc *packfile.Scanner) error {
	h, err := sc.NextObjectHeader()
	if err != nil {
		return s.malformed(err)
	}
	if err := s.account(h.Length); err != nil {
		return err
	}
	e := packEntry{offset: h.Offset, typ: h.Type, base: -1, ref: -1}
	switch h.Type {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
		hasher := plumbing.NewHasher(h.Type, h.Length)
		n, crc, err := sc.NextObject(hasher)
		if err != nil || n != h.Length {
			return s.malformed(err)
		}
		e.crc, e.hash, e.known = crc, hasher.Sum(), true
	case plumbing.OFSDeltaObject, plumbing.REFDeltaObject:
		if err := s.deltaObject(sc, h, &e); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: an object of unknown type", ErrMalformed)
	}
	s.entries = append(s.entries, e)
	return nil
}

func (s *packScan) deltaObject(sc *packfile.Scanner, h *packfile.ObjectHeader, e *packEntry) error {
	if h.Type == plumbing.REFDeltaObject {
		e.ref = int32(len(s.refs))
		s.refs = append(s.refs, h.Reference)
	} else if e.base = s.at(h.OffsetReference); e.base < 0 {
		return fmt.Errorf("%w: a delta's base is missing", ErrMalformed)
	}
	var head headWriter
	n, crc, err := sc.NextObject(&head)
	if err != nil || n != h.Length {
		return s.malformed(err)
	}
	e.crc, e.delta = crc, h.Length
	base, result := deltaSizes(head.b[:head.n])
	if base < 0 || result < 0 {
		return fmt.Errorf("%w: a delta's sizes do not parse", ErrMalformed)
	}
	return s.account(result)
}

// account counts one object's declared size against the limits.
func (s *packScan) account(size int64) error {
	if size < 0 {
		return fmt.Errorf("%w: an object of negative size", ErrMalformed)
	}
	if size > s.limits.MaxObjectBytes {
		return fmt.Errorf("%w: an object of %d bytes, at most %d are allowed", ErrLimit, size, s.limits.MaxObjectBytes)
	}
	if s.inflated += size; s.inflated > s.limits.MaxInflatedBytes {
		return fmt.Errorf("%w: a pack of more than %d bytes inflated", ErrLimit, s.limits.MaxInflatedBytes)
	}
	return nil
}

// at returns the index of the entry that starts at offset, or -1. Entries are in the order of their offsets.
func (s *packScan) at(offset int64) int32 {
	lo, hi := 0, len(s.entries)
	for lo < hi {
		mid := (lo + hi) / 2
		if s.entries[mid].offset < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(s.entries) && s.entries[lo].offset == offset {
		return int32(lo)
	}
	return -1
}

// headWriter keeps the first bytes of a delta, where its sizes are.
type headWriter struct {
	b [20]byte
	n int
}

// Write keeps what still fits and drops the rest.
func (w *headWriter) Write(p []byte) (int, error) {
	w.n += copy(w.b[w.n:], p)
	return len(p), nil
}

// streamError marks an error of the stream that carries a pack, to tell it from an error in the pack.
type streamError struct{ err error }

// Error is the stream's error.
func (e *streamError) Error() string { return e.err.Error() }

// Unwrap returns the stream's error.
func (e *streamError) Unwrap() error { return e.err }

// cappedStream ends a stream that is longer than allowed, and marks every error but the end.
type cappedStream struct {
	r       io.Reader
	n, max  int64
	explain func(error) error
	end     error // the stream is not asked again once it has ended: it may wait for more than the pack
}

// Read reads on while the cap allows it.
func (c *cappedStream) Read(p []byte) (int, error) {
	if c.end != nil {
		return 0, c.end
	}
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n > c.max {
		c.end = &streamError{fmt.Errorf("%w: a pack of more than %d bytes", ErrLimit, c.max)}
		return 0, c.end
	}
	if err != nil && err != io.EOF {
		err = &streamError{c.explain(err)}
	}
	c.end = err
	return n, err
}
