package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluicehq/sluice/api/compat"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// clientConfigs is what one reader gets by any of the protocols. An instance gets what it is assigned,
// and so takes part in canaries; of all else, and all others, the stable version is given, whatever
// is under way. Each look at the store is bounded. It serves one request.
type clientConfigs struct {
	api     *API
	by      caller
	traceID string

	mine  []fleet.Assignment // of the instance, as they were read last
	given uint64             // what the view had of its place then; 0 before

	told   map[string]int64 // the last index of each profile
	listed []string         // the names of all profiles, as they were read last
}

// Config is what the reader should run of a profile.
func (r *clientConfigs) Config(ctx context.Context, name string) (compat.Config, error) {
	return look(ctx, r.api.opts.AnswerWithin, func(ctx context.Context) (compat.Config, error) {
		switch mine, ok, err := r.assigned(ctx, name); {
		case err != nil:
			return compat.Config{}, err
		case ok:
			return r.delivered(ctx, mine)
		}
		return r.stable(ctx, name)
	})
}

// assigned is the instance's own assignment of a profile.
func (r *clientConfigs) assigned(ctx context.Context, name string) (a fleet.Assignment, ok bool, err error) {
	if r.by.instance == nil {
		return a, false, nil
	}
	r.mine, err = r.api.opts.Store.AssignmentsOf(ctx, r.by.instance.ID)
	a, ok = r.kept(name)
	return a, ok, err
}

// kept is what was read last of it.
func (r *clientConfigs) kept(name string) (a fleet.Assignment, ok bool) {
	i := slices.IndexFunc(r.mine, func(one fleet.Assignment) bool { return one.Profile == name })
	if i < 0 {
		return a, false
	}
	return r.mine[i], true
}

// seen is assigned, without a look at the store as long as nothing was assigned where the instance is.
func (r *clientConfigs) seen(ctx context.Context, name string, v *view) (a fleet.Assignment, ok bool, err error) {
	if r.by.instance == nil || v == nil {
		return r.assigned(ctx, name)
	}
	given := v.given[serving{r.by.instance.Service, r.by.instance.Environment}]
	if given != 0 && given == r.given {
		a, ok = r.kept(name)
		return a, ok, nil
	}
	a, ok, err = r.assigned(ctx, name)
	if r.given = given; err != nil {
		r.given = 0
	}
	return a, ok, err
}

func (r *clientConfigs) delivered(ctx context.Context, v fleet.Assignment) (compat.Config, error) {
	data, err := r.data(ctx, v)
	if err != nil {
		return compat.Config{}, err
	}
	if data, err = r.opened(ctx, v, data); err != nil {
		return compat.Config{}, err
	}
	return compat.Config{
		Profile: v.Profile, Service: r.by.instance.Service, Environment: r.by.instance.Environment,
		Version: v.Version, Hash: v.Hash, Assigned: true, Index: v.Generation, Data: data,
	}, nil
}

// data is a version's, as it is stored.
func (r *clientConfigs) data(ctx context.Context, of fleet.Assignment) (profile.Data, error) {
	text, err := r.api.dataOf(ctx, of)
	if err != nil {
		return nil, err
	}
	return profile.DecodeData(text)
}

// opened is the data with its secrets, which the audit log tells of first.
func (r *clientConfigs) opened(ctx context.Context, v fleet.Assignment, data profile.Data) (profile.Data, error) {
	found := profile.Secrets(data)
	if r.api.opts.Secrets == nil || len(found) == 0 {
		return data, nil
	}
	out, err := r.api.opts.Secrets.Open(ctx, v.Profile, data)
	if err != nil {
		return nil, r.api.notOpened(ctx, v, err)
	}
	return out, r.api.opts.Store.RecordOpening(ctx, store.Opening{
		InstanceID: v.InstanceID, Profile: v.Profile, Version: v.Version, Hash: v.Hash, Generation: v.Generation,
		Secrets: convert(found, told), TraceID: r.traceID,
	})
}

// stable is what whoever is assigned nothing gets of a profile.
func (r *clientConfigs) stable(ctx context.Context, name string) (compat.Config, error) {
	s, err := r.standingOf(ctx, name)
	if err != nil {
		return compat.Config{}, err
	}
	data, err := r.data(ctx, fleet.Assignment{Profile: name, Version: s.Version, Hash: s.Hash})
	if err != nil {
		return compat.Config{}, err
	}
	return compat.Config{
		Profile: name, Service: s.Service, Environment: s.Environment, Version: s.Version, Hash: s.Hash, Index: stableIndex(s),
		Data: unopened(data),
	}, nil
}

func (r *clientConfigs) standingOf(ctx context.Context, name string) (store.Standing, error) {
	s, err := r.api.opts.Store.StandingOf(ctx, name)
	if errors.Is(err, store.ErrNotFound) || err == nil && !r.by.reads(s) {
		return s, compat.ErrNotFound
	}
	return s, err
}

// reads says whether a reader may have the stable version of a profile: an instance
// those of its own service in its own environment, whoever else what its scope has.
func (c caller) reads(s store.Standing) bool {
	if c.instance != nil {
		return s.Service == c.instance.Service && s.Environment == c.instance.Environment
	}
	return c.sees(string(s.Environment), s.Profile)
}

// indexEpoch keeps indexes small: they count the microseconds since.
var indexEpoch = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

// stableIndex rises whenever the stable version becomes another.
func stableIndex(s store.Standing) int64 { return max(1, s.ChangedAt.Sub(indexEpoch).Microseconds()) }

// Index is that of Config. Thousands may wait, and ask for it at every change: the first look of a
// request is at the store, and later ones at the view that all share, unless that is of before.
func (r *clientConfigs) Index(ctx context.Context, name string) (int64, error) {
	return look(ctx, r.api.opts.AnswerWithin, func(ctx context.Context) (int64, error) {
		known, later := r.told[name]
		v := r.api.hints.view()
		if !later {
			v = nil
		}
		index, err := r.index(ctx, name, v)
		if v != nil && index < known && (err == nil || errors.Is(err, compat.ErrNotFound)) {
			index, err = r.index(ctx, name, nil)
		}
		if r.told == nil {
			r.told = map[string]int64{}
		}
		r.told[name] = index
		return index, err
	})
}

// index is by the view, or where there is none by the store; 0 with any error.
func (r *clientConfigs) index(ctx context.Context, name string, v *view) (int64, error) {
	mine, ok, err := r.seen(ctx, name, v)
	if err != nil {
		return 0, err
	}
	if ok {
		return mine.Generation, nil
	}
	if v == nil {
		s, err := r.standingOf(ctx, name)
		if err != nil {
			return 0, err
		}
		return stableIndex(s), nil
	}
	if s, ok := v.stable[name]; ok && r.by.reads(s) {
		return stableIndex(s), nil
	}
	return 0, compat.ErrNotFound
}

// Profiles are the names of all that the reader may see. Whoever waits looks at the view, as for indexes.
func (r *clientConfigs) Profiles(ctx context.Context) (names []string, err error) {
	v := r.api.hints.view()
	if v == nil || r.listed == nil || r.by.instance != nil || slices.ContainsFunc(r.listed, func(name string) bool { return !v.has(name) }) {
		names, err = r.names(ctx, "", "")
	} else {
		names = v.names(r.by)
	}
	if err == nil {
		r.listed = names
	}
	return slices.Clone(names), err
}

// Of are those of a service in an environment.
func (r *clientConfigs) Of(ctx context.Context, service string, environment profile.Environment) ([]string, error) {
	return r.names(ctx, service, environment)
}

func (r *clientConfigs) names(ctx context.Context, service string, environment profile.Environment) ([]string, error) {
	return look(ctx, r.api.opts.AnswerWithin, func(ctx context.Context) ([]string, error) {
		all, err := r.api.opts.Store.StandingsWithin(ctx, r.by.scope, service, environment)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(s store.Standing) bool { return !r.by.reads(s) })
		names := convert(all, func(s store.Standing) string { return s.Profile })
		i := r.by.instance
		if i == nil || service != "" && service != i.Service || environment != "" && environment != i.Environment {
			return names, nil
		}
		// What an instance is assigned may have no stable version yet.
		mine, err := r.api.opts.Store.AssignmentsOf(ctx, i.ID)
		if err != nil {
			return nil, err
		}
		for _, one := range mine {
			names = append(names, one.Profile)
		}
		slices.Sort(names)
		return slices.Compact(names), nil
	})
}

// Changes wakes the reader when anything may have changed.
func (r *clientConfigs) Changes(ctx context.Context) <-chan struct{} {
	return r.api.hints.subscribe(ctx)
}

// unopened is data for who is no instance: references to secrets stay as they stand, and whatever
// else is secret is masked, as wherever people can see it.
func unopened(data profile.Data) profile.Data {
	masked := map[string]any(profile.Mask(data))
	keepReferences(masked, map[string]any(data))
	return masked
}

func keepReferences(masked, data any) any {
	switch original := data.(type) {
	case profile.Data:
		return keepReferences(masked, map[string]any(original))
	case map[string]any:
		if _, isReference := original[profile.SecretKey].(string); isReference && masked == profile.Masked {
			return original
		}
		if m, ok := masked.(map[string]any); ok {
			for key := range original {
				m[key] = keepReferences(m[key], original[key])
			}
		}
	case []any:
		if list, ok := masked.([]any); ok {
			for i := range original {
				list[i] = keepReferences(list[i], original[i])
			}
		}
	}
	return masked
}
