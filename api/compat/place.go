package compat

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/profile"
)

// firstOf gives the first of some names that is a profile of the reader's, or ErrNotFound.
func firstOf(ctx context.Context, from Configs, names ...string) (string, error) {
	for _, name := range names {
		_, err := from.Index(ctx, name)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return name, err
		}
	}
	return "", ErrNotFound
}

// ofService gives the one profile that a service has in some environments, all of them when none is
// named. Of several none is guessed: a client that forgot to say its environment must not run with
// the configuration of another.
func ofService(ctx context.Context, from Configs, service string, in ...profile.Environment) (string, error) {
	if len(in) == 0 {
		in = profile.Environments()
	}
	var names []string
	for _, environment := range in {
		some, err := from.Of(ctx, service, environment)
		if err != nil {
			return "", err
		}
		names = append(names, some...)
	}
	slices.Sort(names)
	switch len(names) {
	case 0:
		return "", ErrNotFound
	case 1:
		return names[0], nil
	}
	return "", &Refusal{
		Status: http.StatusNotFound, Code: "NOT_FOUND",
		Message: "the service has more than one profile that this token may read: ask for one of " + strings.Join(names, ", "),
	}
}
