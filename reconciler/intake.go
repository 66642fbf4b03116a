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
func (o *observer) takeIn(files *commitFiles, concerns []concern) ([]sighting, error) {
	seen := make([]*sighting, len(concerns)) // and not stored
	words, err := o.wordsOf(files, concerns, seen)
	if err != nil {
		return nil, rethrown(err)
	}
	group, ctx := errgroup.WithContext(files.ctx)
	ready := make(chan int, o.intake.size) // who reads waits for who stores: what is read takes memory
	group.Go(caught(func() error { return o.intake.storeFrom(ctx, ready, seen) }))
	group.Go(func() error {
		defer close(ready)
		return sideBySide(ctx, max(1, allCores()-1), len(seen), func(i int) error { // the storing has one for itself
			if seen[i] == nil {
				seen[i] = &sighting{concern: concerns[i]}
				if err := o.seeOne(files, seen[i]); err != nil {
					return err
				}
			}
			if s := seen[i]; s.sound() && words.alone(s.Profile.Name) && o.intake.isFree(*s) {
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
	var rest []sighting
	for _, s := range seen {
		if s != nil {
			rest = append(rest, *s)
		}
	}
	return rest, nil
}

// wordsOf reads the words of each file. Of one that may bear a name which does not stand
// in it they are not all, so that it is seen at once.
func (o *observer) wordsOf(files *commitFiles, concerns []concern, seen []*sighting) (*mentions, error) {
	words := newMentions(len(concerns))
	return words, sideBySide(files.ctx, allCores(), len(concerns), func(i int) error {
		c := concerns[i]
		src, err := o.source(files, c.Path, c.refused)
		if err != nil && !errors.Is(err, profile.ErrRefused) {
			return unread(files, c.Path, err)
		}
		words.read(src)
		if !escapes(src) {
			return nil
		}
		seen[i] = &sighting{concern: c}
		err = o.seeOne(files, seen[i])
		words.bear(seen[i].Profile.Name)
		return err
	})
}

// storeFrom stores the sightings that are ready, part by part, as long as more than a part
// is there: what is left may be all there is, and is one transaction then.
func (in *intake) storeFrom(ctx context.Context, ready <-chan int, seen []*sighting) error {
	var waiting []int
	for i := range ready {
		if waiting = append(waiting, i); len(waiting) <= in.size {
			continue
		}
		some := make([]sighting, 0, in.size)
		for _, i := range waiting[:in.size] {
			some = append(some, *seen[i])
			seen[i] = nil
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
