package gitsource

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// Git itself never makes a chain of deltas longer than 4,095, and by default none longer than 50.
const maxDeltaDepth = 4095

// packReader reads objects of one pack by their offset. It is safe for concurrent use: it reads by pread.
type packReader struct {
	file  io.ReaderAt
	size  int64
	key   int64                              // added to offsets as cache key
	base  func(plumbing.Hash) (int64, bool)  // where a delta's base lies that is named by hash
	cache *cache.BufferLRU                   // inflated objects; the last byte is the object's type
	files *cache.BufferLRU                   // the same of files
	max   int64                              // largest object
	spend func(context.Context, int64) error // told how many bytes were made; nil: nobody counts
}

// object returns an object's type and content, which the caller must not change.
func (p *packReader) object(ctx context.Context, offset int64) (plumbing.ObjectType, []byte, error) {
	var chain []int64
	var typ plumbing.ObjectType
	var content []byte
	for content == nil {
		if len(chain) > maxDeltaDepth {
			return 0, nil, fmt.Errorf("%w: a chain of more than %d deltas", ErrMalformed, maxDeltaDepth)
		}
		if b, ok := p.kept(offset); ok {
			typ, content = plumbing.ObjectType(b[len(b)-1]), b[:len(b)-1:len(b)-1]
			break
		}
		o, err := p.head(offset)
		if err != nil {
			return 0, nil, err
		}
		switch o.typ {
		case plumbing.OFSDeltaObject:
			chain = append(chain, offset)
			offset = o.base
		case plumbing.REFDeltaObject:
			chain = append(chain, offset)
			base, ok := p.base(o.ref)
			if !ok {
				return 0, nil, fmt.Errorf("%w: a delta's base is missing", ErrMalformed)
			}
			offset = base
		default:
			typ = o.typ
			if content, err = o.inflate(p.file, p.size); err != nil {
				return 0, nil, err
			}
			if err := p.keep(ctx, offset, typ, content); err != nil {
				return 0, nil, err
			}
		}
	}
	for _, offset := range slices.Backward(chain) {
		var err error
		if content, err = p.patch(content, offset); err != nil {
			return 0, nil, err
		}
		if err := p.keep(ctx, offset, typ, content); err != nil {
			return 0, nil, err
		}
	}
	return typ, slices.Clip(content), nil
}

func (p *packReader) patch(base []byte, offset int64) ([]byte, error) {
	o, err := p.head(offset)
	if err != nil {
		return nil, err
	}
	delta, err := o.inflate(p.file, p.size)
	if err != nil {
		return nil, err
	}
	if _, size := deltaSizes(delta); size > p.max {
		return nil, fmt.Errorf("%w: an object of %d bytes, at most %d are allowed", ErrLimit, size, p.max)
	}
	out, err := packfile.PatchDelta(base, delta)
	if err != nil {
		return nil, fmt.Errorf("%w: a delta does not apply", ErrMalformed)
	}
	if out == nil {
		out = []byte{}
	}
	return out, nil
}

func (p *packReader) kept(offset int64) ([]byte, bool) {
	if b, ok := p.files.Get(p.key + offset); ok || p.files == p.cache {
		return b, ok
	}
	return p.cache.Get(p.key + offset)
}

func (p *packReader) keep(ctx context.Context, offset int64, typ plumbing.ObjectType, content []byte) error {
	in := p.cache
	if typ == plumbing.BlobObject {
		in = p.files
	}
	in.Put(p.key+offset, append(content, byte(typ)))
	if p.spend == nil {
		return nil
	}
	return p.spend(ctx, int64(len(content)))
}

// head reads the head of the object at offset.
func (p *packReader) head(offset int64) (packedObject, error) {
	var b [maxObjectHead]byte
	n, err := p.file.ReadAt(b[:max(0, min(maxObjectHead, p.size-offset))], max(0, offset))
	if err != nil && err != io.EOF {
		return packedObject{}, fmt.Errorf("%w: no object at its place in the pack", ErrMalformed)
	}
	o, ok := parseObjectHead(b[:n], offset)
	if !ok {
		return packedObject{}, fmt.Errorf("%w: no object at its place in the pack", ErrMalformed)
	}
	if o.length < 0 || o.length > p.max {
		return packedObject{}, fmt.Errorf("%w: an object of %d bytes, at most %d are allowed", ErrLimit, o.length, p.max)
	}
	return o, nil
}

// deltaSizes reads a delta's head: the size of its base and of its result. A size that does not parse is -1.
func deltaSizes(delta []byte) (base, result int64) {
	base, rest := varint(delta)
	result, _ = varint(rest)
	return base, result
}

func varint(b []byte) (v int64, rest []byte) {
	for i, c := range b {
		if i == 8 {
			break
		}
		v |= int64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			return v, b[i+1:]
		}
	}
	return -1, nil
}
