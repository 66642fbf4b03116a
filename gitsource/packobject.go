package gitsource

import (
	"bufio"
	"compress/zlib"
	"fmt"
	"io"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxObjectHead is the longest head of an object in a pack that is of use: its type and size, then the hash or the
// distance of a delta's base.
const maxObjectHead = 10 + 20

// packedObject is the head of an object in a pack.
type packedObject struct {
	typ    plumbing.ObjectType
	length int64         // inflated
	base   int64         // of a delta that names its base by distance: where that lies
	ref    plumbing.Hash // of one that names it by hash
	data   int64         // where the deflated bytes begin
}

// parseObjectHead reads the head of the object at offset.
func parseObjectHead(b []byte, offset int64) (o packedObject, ok bool) {
	if len(b) == 0 {
		return o, false
	}
	o.typ, o.length = plumbing.ObjectType(b[0]>>4&7), int64(b[0]&0x0f)
	n, shift := 1, 4
	for b[n-1]&0x80 != 0 {
		if n == len(b) || shift > 55 {
			return o, false
		}
		o.length |= int64(b[n]&0x7f) << shift
		n, shift = n+1, shift+7
	}
	rest, read := b[n:], 0
	switch o.typ {
	case plumbing.OFSDeltaObject:
		var distance int64
		if distance, read = baseDistance(rest); read == 0 || distance <= 0 || distance > offset {
			return o, false
		}
		o.base = offset - distance
	case plumbing.REFDeltaObject:
		if read = copy(o.ref[:], rest); read < len(o.ref) {
			return o, false
		}
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	default:
		return o, false
	}
	o.data = offset + int64(n+read)
	return o, true
}

// baseDistance reads how far before a delta its base lies; read is 0 where that does not parse.
func baseDistance(b []byte) (distance int64, read int) {
	for i, c := range b {
		if distance = distance<<7 | int64(c&0x7f); c&0x80 == 0 {
			return distance, i + 1
		}
		if distance++; i == 7 {
			break
		}
	}
	return 0, 0
}

// inflater is a reader of deflated bytes with its buffers, to be used again: they are larger than most objects.
type inflater struct {
	section io.SectionReader
	buffer  *bufio.Reader
	zlib    io.ReadCloser // nil before the first use
}

var inflaters = sync.Pool{New: func() any { return &inflater{buffer: bufio.NewReaderSize(nil, 1<<10)} }}

// inflate reads an object of a pack's first size bytes whose head was read.
func (o packedObject) inflate(file io.ReaderAt, size int64) ([]byte, error) {
	in := inflaters.Get().(*inflater)
	defer inflaters.Put(in)
	in.section = *io.NewSectionReader(file, o.data, size-o.data)
	in.buffer.Reset(&in.section)
	if err := in.reset(); err != nil {
		return nil, fmt.Errorf("%w: an object does not inflate", ErrMalformed)
	}
	// The declared length is a wish until the bytes are there: a small first guess, then grow. The byte more is for the type.
	out := make([]byte, 0, min(o.length, 64<<10)+1)
	for {
		n, err := in.zlib.Read(out[len(out):cap(out)])
		if out = out[:len(out)+n]; int64(len(out)) > o.length || err != nil && err != io.EOF {
			return nil, fmt.Errorf("%w: an object does not inflate", ErrMalformed)
		}
		if err == io.EOF {
			break
		}
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
	}
	if int64(len(out)) != o.length {
		return nil, fmt.Errorf("%w: an object does not inflate", ErrMalformed)
	}
	return out, nil
}

func (in *inflater) reset() (err error) {
	if in.zlib == nil {
		in.zlib, err = zlib.NewReader(in.buffer)
		return err
	}
	return in.zlib.(zlib.Resetter).Reset(in.buffer, nil)
}
