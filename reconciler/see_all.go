package reconciler

import (
	"cmp"
	"context"
	"errors"
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

// seeAll says what the commit's tree has at each path, but for those that are stored by
// then. Its error is that of the first path that could not be read.
func (o *observer) seeAll(files *commitFiles, concerns []concern) ([]sighting, error) {
	if o.intake != nil && len(concerns) > o.intake.size {
		return o.takeIn(files, concerns)
	}
	seen := make([]sighting, len(concerns))
	return seen, rethrown(sideBySide(files.ctx, allCores(), len(seen), func(i int) error {
		seen[i].concern = concerns[i]
		return o.seeOne(files, &seen[i])
	}))
}

func allCores() int { return runtime.GOMAXPROCS(0) }

// sideBySide does something for each of n, on so many cores. Its error is that of the
// first that had one; a panic is one too, for who waits for it to rethrow.
func sideBySide(ctx context.Context, cores, n int, do func(i int) error) error {
	workers := min(cores, maxSeeing)
	if n < fewFiles {
		workers = 1
	}
	errs := make([]error, n)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(caught(func() error {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if errs[i] = do(i); errs[i] != nil {
					return errs[i]
				}
			}
			return context.Cause(ctx)
		}))
	}
	err := group.Wait()
	if _, ok := errors.AsType[*panicked](err); ok {
		return err
	}
	return cmp.Or(append(errs, err)...)
}

// panicked is a panic on its way to the goroutine of the pass, which contains it.
type panicked struct {
	value any
	stack []byte
}

// Error says what panicked.
func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// caught makes an error of a panic.
func caught(do func() error) func() error {
	return func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &panicked{v, debug.Stack()}
			}
		}()
		return do()
	}
}

// rethrown panics with what was caught, and returns any other error.
func rethrown(err error) error {
	if p, ok := errors.AsType[*panicked](err); ok {
		panic(p)
	}
	return err
}

func (o *observer) seeOne(files *commitFiles, s *sighting) error {
	if err := o.see(files, s); err != nil {
		return unread(files, s.Path, err)
	}
	return nil
}

func unread(files *commitFiles, path string, err error) error {
	return fmt.Errorf("read %s at %s: %w", path, files.commit, err)
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
