package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// The audit events of what is written by API.
const (
	FactConfigCreated   = "config.created"
	FactConfigChanged   = "config.changed"
	FactConfigRevived   = "config.revived"
	FactConfigRetired   = "config.retired"
	FactConfigRemoved   = "config.removed"
	FactVersionUploaded = "version.uploaded"
	FactVersionChanged  = "version.changed"
	FactVersionRemoved  = "version.removed"
)

// By says who writes, in which trace.
type By struct{ Actor, TraceID string }

func (by By) config(kind, name string, details map[string]any) rollout.Fact {
	return rollout.Fact{Type: kind, EntityType: "profile", EntityID: name, Actor: by.Actor, TraceID: by.TraceID, Details: details}
}

// version is a fact about one version, which is found under its profile.
func (by By) version(kind, name, number string, details map[string]any) rollout.Fact {
	if details == nil {
		details = map[string]any{}
	}
	details["version"] = number
	return by.config(kind, name, details)
}

// Kept is a profile as a writing transaction found it.
type Kept struct {
	Record profile.Record
	Hold   *rollout.Hold // in force, nil without one
}

// kept locks a profile and reads it; ErrNotFound when there is none.
func (tx *Tx) kept(ctx context.Context, name string) (k Kept, err error) {
	if err := tx.lockProfile(ctx, name); err != nil {
		return k, err
	}
	k.Record, err = scanProfile(tx.tx.QueryRowContext(ctx, `SELECT `+profileColumns+` FROM config_profiles WHERE name = $1`, name))
	if err := notFound(err, ErrNotFound, "profile", name); err != nil {
		return k, err
	}
	hold, held, err := tx.ActiveHold(ctx, name)
	if held {
		k.Hold = &hold
	}
	return k, err
}

// keptOrFree is kept for a name that may be free, and keeps a free one so: a row
// that is not there cannot be locked.
func (tx *Tx) keptOrFree(ctx context.Context, name string) (Kept, error) {
	k, err := tx.kept(ctx, name)
	if tx.s.engine.serial || !errors.Is(err, ErrNotFound) {
		return k, err
	}
	if _, err := tx.exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 2))`, name); err != nil {
		return k, fmt.Errorf("lock the name %s: %w", name, err)
	}
	return tx.kept(ctx, name)
}

// CreateProfile adds a profile that the API manages. Under a name that is there,
// revive decides what becomes of it: it gets what is there, and gives what is
// stored or why nothing is.
func (s *Store) CreateProfile(ctx context.Context, r profile.Record, by By, revive func(Kept) (profile.Record, error)) error {
	return s.InTx(ctx, func(tx *Tx) error {
		there, err := tx.keptOrFree(ctx, r.Name)
		fact := by.config(FactConfigCreated, r.Name, map[string]any{"environment": string(r.Environment), "service": r.Service})
		switch {
		case err == nil:
			if r, err = revive(there); err != nil {
				return err
			}
			fact.Type = FactConfigRevived
		case !errors.Is(err, ErrNotFound):
			return err
		}
		if err := tx.PutProfile(ctx, r); err != nil {
			return err
		}
		return tx.Record(ctx, fact)
	})
}

// ChangeProfile changes the definition of a profile as change says, which gets it
// as it is and may run again. What it leaves as it was is not written.
func (s *Store) ChangeProfile(ctx context.Context, name string, by By, change func(Kept) (profile.Record, error)) error {
	return s.InTx(ctx, func(tx *Tx) error {
		was, err := tx.kept(ctx, name)
		if err != nil {
			return err
		}
		is, err := change(was)
		if err != nil {
			return err
		}
		changed := changedFields(was.Record, is)
		if len(changed) == 0 {
			return nil
		}
		if err := tx.PutProfile(ctx, is); err != nil {
			return err
		}
		return tx.Record(ctx, by.config(FactConfigChanged, name, map[string]any{"fields": changed}))
	})
}

// changedFields names what of a definition differs.
func changedFields(a, b profile.Record) []string {
	var out []string
	for field, pair := range map[string][2]any{
		"description": {a.Description, b.Description}, "serviceType": {a.ServiceType, b.ServiceType},
		"targetLabels": {a.Targets.Labels, b.Targets.Labels}, "defaultStrategy": {a.Strategy, b.Strategy},
		"health": {a.Health, b.Health}, "windows": {a.Windows, b.Windows}, "settings": {a.Settings, b.Settings},
	} {
		if asText(pair[0]) != asText(pair[1]) {
			out = append(out, field)
		}
	}
	slices.Sort(out)
	return out
}

func asText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// RetireByAPI retires a profile that the API manages, or removes it when nothing
// was ever made of it; removed says which. may refuses. *InUseError while a
// deployment of it is active.
func (s *Store) RetireByAPI(ctx context.Context, name string, by By, may func(Kept) error) (removed bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		k, err := tx.kept(ctx, name)
		if err != nil {
			return err
		}
		if err := may(k); err != nil {
			return err
		}
		if d, err := tx.ActiveDeployment(ctx, name); err == nil {
			return &InUseError{What: "profile " + name, Why: fmt.Sprintf("has a deployment of %s that is %s: cancel %s first, or let it end", d.Version, d.State, d.ID)}
		} else if !errors.Is(err, rollout.ErrNotFound) {
			return err
		}
		if removed = k.Record.VersionCount == 0 && k.Record.DeploymentCount == 0; removed {
			if _, err := tx.exec(ctx, `DELETE FROM config_profiles WHERE name = $1`, name); err != nil {
				return fmt.Errorf("remove profile %s: %w", name, err)
			}
			return tx.Record(ctx, by.config(FactConfigRemoved, name, nil))
		}
		if k.Record.Retired {
			return nil
		}
		if err := tx.RetireProfile(ctx, name); err != nil {
			return err
		}
		return tx.Record(ctx, by.config(FactConfigRetired, name, nil))
	})
	return removed, err
}

// Upload adds the version that make says, which gets the profile and its newest
// version (nil before the first) and may run again. The version becomes the one
// that should run; nothing deploys it.
func (s *Store) Upload(ctx context.Context, name string, by By, make func(Kept, *profile.Version) (profile.Version, error)) (v profile.Version, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		k, err := tx.kept(ctx, name)
		if err != nil {
			return err
		}
		newest, err := newestVersion(ctx, tx.tx, name)
		if err != nil {
			return err
		}
		if v, err = make(k, newest); err != nil {
			return err
		}
		v.CreatedAt, v.ValidatedAt = tx.now(), tx.now()
		if err := tx.InsertVersion(ctx, v); err != nil {
			return err
		}
		if err := tx.desire(ctx, name, v.Number); err != nil {
			return err
		}
		return tx.Record(ctx, by.version(FactVersionUploaded, name, v.Number, map[string]any{"hash": v.Hash}))
	})
	if err != nil {
		return v, err
	}
	return s.Version(ctx, name, v.Number)
}

func (tx *Tx) desire(ctx context.Context, name, number string) error {
	_, err := tx.exec(ctx, `UPDATE config_profiles SET desired_version = $2, updated_at = $3 WHERE name = $1`, name, number, stamp(tx.now()))
	if err != nil {
		return fmt.Errorf("set the desired version of %s: %w", name, err)
	}
	return nil
}

// versionIn reads one version of a profile that the transaction has locked.
func (tx *Tx) versionIn(ctx context.Context, name, number string) (profile.Version, error) {
	v, err := scanVersionData(tx.tx.QueryRowContext(ctx,
		`SELECT `+versionColumns+`, config_data FROM config_versions WHERE config_name = $1 AND version = $2`, name, number))
	return v, notFound(err, ErrNotFound, "version "+number+" of", name)
}

// ChangeVersion changes what is said about a version, its tags and why it is
// deprecated, as change says. Everything else of a version never changes.
func (s *Store) ChangeVersion(ctx context.Context, name, number string, by By, change func(profile.Version) (profile.Version, error)) (v profile.Version, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockProfile(ctx, name); err != nil {
			return err
		}
		was, err := tx.versionIn(ctx, name, number)
		if err != nil {
			return err
		}
		if v, err = change(was); err != nil {
			return err
		}
		if slices.Equal(was.Tags, v.Tags) && was.Deprecated == v.Deprecated {
			return nil
		}
		if _, err := tx.exec(ctx, `UPDATE config_versions SET tags = $3, deprecation_reason = $4 WHERE config_name = $1 AND version = $2`,
			name, number, asJSON(v.Tags), v.Deprecated); err != nil {
			return fmt.Errorf("write version %s of %s: %w", number, name, err)
		}
		return tx.Record(ctx, by.version(FactVersionChanged, name, number, map[string]any{"tags": v.Tags, "deprecated": v.Deprecated}))
	})
	return v, err
}

// RemoveVersion removes a version and the deployments of it that ended; may
// refuses. *InUseError while anything refers to it: it runs or should run
// somewhere, is tagged stable, a hold names it, a deployment that is under way or
// can be taken back does, or a rollback would go to it.
func (s *Store) RemoveVersion(ctx context.Context, name, number string, by By, may func(Kept, profile.Version) error) error {
	return s.InTx(ctx, func(tx *Tx) error {
		k, err := tx.kept(ctx, name)
		if err != nil {
			return err
		}
		v, err := tx.versionIn(ctx, name, number)
		if err != nil {
			return err
		}
		if err := may(k, v); err != nil {
			return err
		}
		p, err := readPast(ctx, tx.tx, name)
		if err != nil {
			return err
		}
		newest := len(p.versions) > 0 && p.versions[0].number == number
		if why := p.needs(k, v); why != "" {
			return &InUseError{What: "version " + number + " of " + name, Why: why}
		}
		gone, err := tx.remove(ctx, name, doomed{deployments: p.of(number), versions: []string{number}})
		if err != nil {
			return err
		}
		if newest {
			next := ""
			if len(p.versions) > 1 {
				next = p.versions[1].number
			}
			if err := tx.desire(ctx, name, next); err != nil {
				return err
			}
		}
		return tx.Record(ctx, by.version(FactVersionRemoved, name, number, map[string]any{
			"hash": v.Hash, "deployments": gone["config_deployments"],
		}))
	})
}

// needs says why a version cannot go, "" when it can.
func (p past) needs(k Kept, v profile.Version) string {
	switch {
	case k.Record.CurrentVersion == v.Number:
		return "is deployed"
	case slices.Contains(v.Tags, stableTag):
		return "is tagged " + stableTag + ": take the tag away first"
	case k.Hold != nil && (k.Hold.PinnedVersion == v.Number || k.Hold.RefusedVersion == v.Number):
		return "is named by a hold: release that first"
	case p.wayBack(k.Record.CurrentVersion) == v.Number:
		return "is where a rollback would go"
	case p.usedVersions[v.Number]:
		return "runs somewhere, or a deployment that is under way or can be taken back names it"
	}
	return ""
}

// wayBack is where a rollback of the current version would go: to other content.
func (p past) wayBack(current string) string {
	content := ""
	if i := slices.IndexFunc(p.versions, func(v pastVersion) bool { return v.number == current }); i >= 0 {
		content = p.versions[i].hash
	}
	for _, d := range p.deployments {
		if d.completed && d.version != current && d.hash != content {
			return d.version
		}
	}
	return ""
}

// of lists the deployments of a version.
func (p past) of(number string) []string {
	var ids []string
	for _, d := range p.deployments {
		if d.version == number {
			ids = append(ids, d.id)
		}
	}
	return ids
}
