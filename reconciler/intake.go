package reconciler

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/profile"
)

// intake takes newcomers of a first sync while other files are still read: those whose
// names no other file can bear, whatever it says.
type intake struct {
	size   int // of a part
	isFree func(s sighting) bool
	// store stores some of them; it is called by one goroutine.
	store func(ctx context.Context, some []sighting) error
}

// takeIn sees all files, and returns what is not stored by then.
func (o *observer) takeIn(files *commitFiles, seen []sighting) ([]sighting, error) {
	words, escaping, err := o.wordsOf(files, seen)
	if err != nil {
		return nil, rethrown(err)
	}
	taken := make([]bool, len(seen))
	group, ctx := errgroup.WithContext(files.ctx)
	ready := make(chan int, o.intake.size) // who reads waits for who stores: what is read takes memory
	group.Go(caught(func() error { return o.intake.storeFrom(ctx, ready, seen, taken) }))
	group.Go(func() error {
		defer close(ready)
		return sideBySide(ctx, max(1, allCores()-1), len(seen), func(i int) error { // the storing has one for itself
			s := &seen[i]
			if !escaping[i] {
				if err := o.seeOne(files, s); err != nil {
					return err
				}
			}
			if s.sound() && words.alone(i, s.Profile.Name) && o.intake.isFree(*s) {
				select {
				case ready <- i:
				case <-ctx.Done():
				}
			}
			return nil
		})
	})
	if err := group.Wait(); err != nil {
		return nil, rethrown(err)
	}
	rest := seen[:0]
	for i, s := range seen {
		if !taken[i] {
			rest = append(rest, s)
		}
	}
	clear(seen[len(rest):])
	return rest, nil
}

// wordsOf reads the words of each file. Of one that may bear a name which does not stand
// in it they are not all, so that it is seen at once.
func (o *observer) wordsOf(files *commitFiles, seen []sighting) (words *mentions, escaping []bool, err error) {
	words, escaping = newMentions(len(seen)), make([]bool, len(seen))
	return words, escaping, sideBySide(files.ctx, allCores(), len(seen), func(i int) error {
		s := &seen[i]
		src, err := o.source(files, s.Path, s.refused)
		if err != nil && !errors.Is(err, profile.ErrRefused) {
			return unread(files, s, err)
		}
		words.read(i, src)
		if escaping[i] = escapes(src); escaping[i] {
			err = o.seeOne(files, s)
			words.bear(i, s.Profile.Name)
			return err
		}
		return nil
	})
}

// storeFrom stores the sightings that are ready, part by part, as long as more than a part
// is there: what is left may be all there is, and is one transaction then.
func (in *intake) storeFrom(ctx context.Context, ready <-chan int, seen []sighting, taken []bool) error {
	var waiting []int
	for i := range ready {
		if waiting = append(waiting, i); len(waiting) <= in.size {
			continue
		}
		some := make([]sighting, 0, in.size)
		for _, i := range waiting[:in.size] {
			some = append(some, seen[i])
			seen[i], taken[i] = sighting{}, true
		}
		waiting = append(waiting[:0], waiting[in.size:]...)
		slices.SortFunc(some, func(a, b sighting) int { return strings.Compare(a.Path, b.Path) })
		if err := in.store(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// sound says that a file is a profile without problems.
func (s *sighting) sound() bool { return !s.Gone && len(s.Problems) == 0 }
