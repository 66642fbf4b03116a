package reconciler

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/profile"
)

// Files are read, laid over their bases and checked side by side, which is most of
// the work of a first sync; a few are not worth the trouble.
const (
	fewFiles  = 32
	maxSeeing = 8 // at once
)

// seeAll fills in what the commit's tree has at each path. Its error is that of the
// first path that could not be read.
func (o *observer) seeAll(files *commitFiles, seen []sighting) error {
	workers := min(runtime.GOMAXPROCS(0), maxSeeing)
	if len(seen) < fewFiles || workers < 2 {
		for i := range seen {
			if err := o.seeOne(files, &seen[i]); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, len(seen))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(files.ctx)
	for range workers {
		group.Go(func() (err error) {
			defer func() { // the pass contains it, if it is told
				if v := recover(); v != nil {
					err = &panicked{v, debug.Stack()}
				}
			}()
			for i := int(next.Add(1)) - 1; i < len(seen) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if errs[i] = o.seeOne(files, &seen[i]); errs[i] != nil {
					return errs[i]
				}
			}
			return context.Cause(files.ctx)
		})
	}
	err := group.Wait()
	if p, ok := err.(*panicked); ok { //nolint:errorlint // it is not wrapped: it comes from above
		panic(p)
	}
	for _, first := range errs {
		if first != nil {
			return first
		}
	}
	return err
}

// panicked is a panic on its way to the goroutine of the pass.
type panicked struct {
	value any
	stack []byte
}

// Error says what panicked, and where.
func (p *panicked) Error() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }

func (o *observer) seeOne(files *commitFiles, s *sighting) error {
	if err := o.see(files, s); err != nil {
		return fmt.Errorf("read %s at %s: %w", s.Path, files.commit, err)
	}
	return nil
}

// loader is one that nobody else uses now. It goes back with give.
func (o *observer) loader() *profile.Loader {
	select {
	case l := <-o.loaders:
		return l
	default:
	}
	l := profile.NewLoader(o.root, o.limits)
	l.Keeper = o.keeper
	return l
}

func (o *observer) give(l *profile.Loader) {
	select {
	case o.loaders <- l:
	default:
	}
}
