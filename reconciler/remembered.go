package reconciler

import (
	"context"
	"slices"

	"github.com/sluicehq/sluice/profile"
)

// remembered is where the files of the source's profiles lie, as this replica left it
// with its last pass. Whoever writes that but this replica moves the source's head, or
// retires a profile by an order of a person: what is taken from here is read anew
// for the profiles that the commits concern, and all of it when a file is gone.
type remembered struct {
	head  string
	files map[string]profile.Placed
}

// keep remembers what a pass has stored that went to a head.
func (m *remembered) keep(st state, parts []profile.Placed, p plan, head string) {
	for _, placed := range parts {
		st.Files[placed.Name] = placed
	}
	for _, r := range p.Profiles {
		st.Files[r.Name] = r.Placed()
	}
	for _, name := range p.Retired {
		placed := st.Files[name]
		placed.Retired = true
		st.Files[name] = placed
	}
	*m = remembered{head, st.Files}
}

// consider reads, checks and plans what the commits from one to another bring.
func (r *Reconciler) consider(ctx context.Context, from, to string, so *stored) (st state, d division, seen []observation, why string, err error) {
	before := r.placed
	r.placed = remembered{} // until it is stored
	if before.head == from && from != "" {
		st = newState(r.source, from, r.reach)
		st.Files = before.files
		if err := st.loadProblems(ctx, r.store); err != nil {
			return st, d, nil, "", err
		}
		d, seen, why, err = r.validate(ctx, &st, to, so)
		if err != nil || !slices.ContainsFunc(seen, uncertain) {
			return st, d, seen, why, err
		}
	}
	if st, err = loadSource(ctx, r.store, r.source, from, r.reach); err != nil {
		return st, d, nil, "", err
	}
	d, seen, why, err = r.validate(ctx, &st, to, so)
	return st, d, seen, why, err
}

// uncertain says that an observation must not rest on what is remembered.
func uncertain(obs observation) bool {
	return obs.Whole || slices.ContainsFunc(obs.Sightings, func(s sighting) bool { return s.Gone })
}
