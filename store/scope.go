package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// like compares a column with a glob.
var like = text{sqlite: `%s GLOB $%d`, postgres: `%s LIKE $%d`}

// likeGlob is a glob as PostgreSQL writes it. SQLite's own LIKE knows no case, so
// there GLOB is asked, which takes it as it is.
var likeGlob = strings.NewReplacer("_", `\_`, "*", "%", "?", "_")

// within is the condition that a row is in the scope, by the columns of its
// environment and of its profile's name.
func (w *where) within(e *engine, s profile.Scope, environment, name string) string {
	terms := []string{}
	if len(s.Environments) > 0 {
		w.args = append(w.args, asJSON(s.Environments))
		terms = append(terms, e.in(environment, len(w.args)))
	}
	var names []string
	for _, glob := range s.Profiles {
		if e != sqliteEngine {
			glob = likeGlob.Replace(glob)
		}
		w.args = append(w.args, glob)
		names = append(names, fmt.Sprintf(e.pick(like), name, len(w.args)))
	}
	if len(names) > 0 {
		terms = append(terms, "("+strings.Join(names, " OR ")+")")
	}
	if len(terms) == 0 {
		return "1 = 1"
	}
	return strings.Join(terms, " AND ")
}

// The scope's condition on each kind of row.

func (w *where) profileWithin(e *engine, s profile.Scope) string {
	return w.within(e, s, "environment", "name")
}

func (w *where) deploymentWithin(e *engine, s profile.Scope) string {
	return w.within(e, s, "environment", "config_name")
}

// instanceWithin has an instance where the profile that it runs, or could run,
// is: one of its service and environment.
func (w *where) instanceWithin(e *engine, s profile.Scope) string {
	if len(s.Profiles) == 0 {
		return w.within(e, s, "environment", "")
	}
	return `EXISTS (SELECT 1 FROM config_profiles p WHERE p.service = service_name AND p.environment = service_instances.environment AND ` +
		w.within(e, s, "p.environment", "p.name") + `)`
}

// eventWithin has the events about what the scope has, and about freezes, which
// are about everything. An event about what is not there any more is nobody's.
func (w *where) eventWithin(e *engine, s profile.Scope) string {
	return `(entity_type = 'freeze'
		OR entity_type = 'profile' AND entity_id IN (SELECT name FROM config_profiles WHERE ` + w.profileWithin(e, s) + `)
		OR entity_type = 'deployment' AND entity_id IN (SELECT deployment_id FROM config_deployments WHERE ` + w.deploymentWithin(e, s) + `)
		OR entity_type = 'instance' AND entity_id IN (SELECT instance_id FROM service_instances WHERE ` + w.instanceWithin(e, s) + `))`
}

// narrow adds the condition unless the scope is everything.
func (w *where) narrow(e *engine, s profile.Scope, condition func(*where, *engine, profile.Scope) string) {
	if !s.Everything() {
		w.terms = append(w.terms, condition(w, e, s))
	}
}

// ScopeHasProfile says that there is a profile of the name, within the scope.
func (s *Store) ScopeHasProfile(ctx context.Context, scope profile.Scope, name string) (bool, error) {
	return s.has(ctx, scope, "config_profiles", "name", name, (*where).profileWithin)
}

// ScopeHasDeployment says that there is a deployment of the id, within the scope.
func (s *Store) ScopeHasDeployment(ctx context.Context, scope profile.Scope, id string) (bool, error) {
	return s.has(ctx, scope, "config_deployments", "deployment_id", id, (*where).deploymentWithin)
}

// ScopeHasInstance says that there is an instance of the id, within the scope.
func (s *Store) ScopeHasInstance(ctx context.Context, scope profile.Scope, id string) (bool, error) {
	return s.has(ctx, scope, "service_instances", "instance_id", id, (*where).instanceWithin)
}

// ScopeHasSource says that a source manages a profile within the scope.
func (s *Store) ScopeHasSource(ctx context.Context, scope profile.Scope, id string) (bool, error) {
	return s.has(ctx, scope, "config_profiles", "source_id", id, (*where).profileWithin)
}

// ScopeHasService says that there is a profile of a service's environment within
// the scope: an instance of it would be within too.
func (s *Store) ScopeHasService(ctx context.Context, scope profile.Scope, service string, environment profile.Environment) (bool, error) {
	if !scope.HasEnvironment(environment) || len(scope.Profiles) == 0 {
		return scope.HasEnvironment(environment), nil
	}
	scope.Environments = []profile.Environment{environment}
	return s.has(ctx, scope, "config_profiles", "service", service, (*where).profileWithin)
}

func (s *Store) has(ctx context.Context, scope profile.Scope, table, column, key string, condition func(*where, *engine, profile.Scope) string) (bool, error) {
	w := where{}
	w.add(column+" = ", key)
	w.terms = append(w.terms, condition(&w, s.engine, scope))
	n, err := count(ctx, s.read, `SELECT count(*) FROM (SELECT 1 FROM `+table+w.String()+` LIMIT 1) AS one`, w.args...)
	if err != nil {
		return false, fmt.Errorf("look for %s in %s within a scope: %w", key, table, err)
	}
	return n > 0, nil
}

// StatusesWithin are those of the statuses that are about a profile within the
// scope. The aggregate is about all profiles of its commit: it is not among them.
func (s *Store) StatusesWithin(ctx context.Context, scope profile.Scope, statuses []CommitStatus) ([]CommitStatus, error) {
	w := where{}
	w.terms = append(w.terms, w.profileWithin(s.engine, scope))
	names, err := collect(ctx, s.read, func(row scanner) (name string, err error) { return name, row.Scan(&name) },
		`SELECT name FROM config_profiles`+w.String(), w.args...)
	if err != nil {
		return nil, fmt.Errorf("list the profiles within a scope: %w", err)
	}
	of := make(map[string]bool, len(names))
	for _, name := range names {
		of[rollout.Context(name)] = true
	}
	return slices.DeleteFunc(statuses, func(status CommitStatus) bool { return !of[status.Context] }), nil
}

// SourcesWithin lists, by ID, the sources that manage a profile within the scope.
func (s *Store) SourcesWithin(ctx context.Context, scope profile.Scope) ([]Source, error) {
	if scope.Everything() {
		return s.Sources(ctx)
	}
	w := where{}
	w.terms = append(w.terms, `id IN (SELECT source_id FROM config_profiles WHERE `+w.profileWithin(s.engine, scope)+`)`)
	sources, err := collect(ctx, s.read, scanSource, `SELECT `+sourceColumns+` FROM sources`+w.String()+` ORDER BY id`, w.args...)
	if err != nil {
		return nil, fmt.Errorf("list the sources within a scope: %w", err)
	}
	return sources, nil
}
