package main

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/reconciler"
)

// preview tells what a pull request with some files would be told. Without any
// source they are looked at by themselves.
func (s *sourceSet) preview(ctx context.Context, source string, files map[string][]byte, partial bool) (reconciler.Preview, error) {
	if r, ok := s.reconcilers[source]; ok {
		return r.Preview(ctx, files, partial)
	}
	switch {
	case source != "":
		return reconciler.Preview{}, fmt.Errorf("source %s: %w", source, reconciler.ErrUnknownSource)
	case len(s.reconcilers) == 0:
		return reconciler.PreviewFiles(ctx, s.alone, files)
	case len(s.reconcilers) > 1:
		return reconciler.Preview{}, reconciler.ErrWhichSource
	}
	for _, r := range s.reconcilers {
		return r.Preview(ctx, files, partial)
	}
	return reconciler.Preview{}, reconciler.ErrUnknownSource
}
