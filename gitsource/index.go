package gitsource

import (
	"context"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
)

// resolveCache bounds the delta bases that are kept while a pack is indexed.
const resolveCache = 24 * cache.MiByte

// resolver finds the hashes of a pack's deltas: it goes from each whole object down to the deltas that lean on it,
// so that each object is made once, mostly from a base that was made just before.
type resolver struct {
	*packScan
	reader   *packReader
	children []int32                   // by entry: first delta that names it by offset, or -1
	next     []int32                   // by entry: next delta with the same base, or -1
	waiting  map[plumbing.Hash][]int32 // deltas that name their base by hash
	byHash   map[plumbing.Hash]int64   // offsets, only of bases that some delta names by hash
	left     int
	spent    int64
}

// resolve hashes every delta of the pack. It fails on a delta without base (a thin pack or a cycle), on chains longer
// than Git makes them, and when resolving makes far more bytes than the pack declared.
func (s *packScan) resolve(ctx context.Context, file io.ReaderAt, size int64) error {
	r := &resolver{packScan: s, waiting: map[plumbing.Hash][]int32{}, byHash: map[plumbing.Hash]int64{}}
	r.reader = &packReader{
		file: file, size: size, max: s.limits.MaxObjectBytes, spend: r.spend,
		base: func(h plumbing.Hash) (int64, bool) { o, ok := r.byHash[h]; return o, ok },
	}
	r.reader.cache = cache.NewBufferLRU(resolveCache)
	r.reader.files = r.reader.cache // each base is wanted soon, whatever it is
	r.plan()
	for i := range s.entries {
		if s.entries[i].base < 0 && s.entries[i].ref < 0 {
			if err := r.descend(ctx, int32(i)); err != nil {
				return err
			}
		}
	}
	if r.left > 0 {
		return fmt.Errorf("%w: %d deltas without a base in the pack", ErrMalformed, r.left)
	}
	return nil
}

func (r *resolver) plan() {
	r.children = make([]int32, len(r.entries))
	r.next = make([]int32, len(r.entries))
	for i := range r.entries {
		r.children[i], r.next[i] = -1, -1
		switch e := &r.entries[i]; {
		case e.base >= 0:
			r.next[i], r.children[e.base] = r.children[e.base], int32(i)
			r.left++
		case e.ref >= 0:
			base := r.refs[e.ref]
			r.waiting[base] = append(r.waiting[base], int32(i))
			r.left++
		}
	}
}

// descend hashes everything that leans on entry i, which is known.
func (r *resolver) descend(ctx context.Context, i int32) error {
	stack := []int32{i}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for c := r.children[i]; c >= 0; c = r.next[c] {
			if err := r.delta(ctx, c, i); err != nil {
				return err
			}
			stack = append(stack, c)
		}
		for _, c := range r.waiting[r.entries[i].hash] {
			r.byHash[r.entries[i].hash] = r.entries[i].offset
			if r.entries[c].known {
				continue
			}
			if err := r.delta(ctx, c, i); err != nil {
				return err
			}
			stack = append(stack, c)
		}
	}
	return nil
}

func (r *resolver) delta(ctx context.Context, i, base int32) error {
	e, b := &r.entries[i], &r.entries[base]
	e.depth, e.delta = b.depth+1, e.delta+b.delta
	if e.depth > maxDeltaDepth {
		return fmt.Errorf("%w: a chain of more than %d deltas", ErrMalformed, maxDeltaDepth)
	}
	typ, content, err := r.reader.object(ctx, e.offset)
	if err != nil {
		return err
	}
	e.typ, e.hash, e.known = typ, plumbing.ComputeHash(typ, content), true
	r.left--
	return nil
}

// spend counts the bytes made while resolving. The deltas' results were counted before; making them again and again,
// because their bases fall out of the cache, is what a hostile pack would want.
func (r *resolver) spend(ctx context.Context, n int64) error {
	if r.spent += n; r.spent > 4*r.limits.MaxInflatedBytes || r.spent > 16*r.inflated+(1<<30) {
		return fmt.Errorf("%w: the deltas of the pack take too much work", ErrLimit)
	}
	return ctx.Err()
}
