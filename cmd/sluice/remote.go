package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

// remote is the daemon as the commands use it: whole lists instead of pages,
// and answers where a command would have to ask twice.
type remote struct{ c *client.Client }

// errNoDeployment is returned for a profile that was never deployed.
var errNoDeployment error = &exitError{code: exitUnknown, err: errors.New("has no deployment yet")}

// profileFilter narrows profiles.
type profileFilter struct {
	Environment, Source, ServiceType string
	Held                             bool
}

// profiles lists the profiles that match; with names exactly those.
func (r remote) profiles(ctx context.Context, f profileFilter, names []string) ([]wire.Config, error) {
	if len(names) > 0 {
		profiles := make([]wire.Config, 0, len(names))
		for _, name := range names {
			p, err := r.c.Config(ctx, name)
			if err != nil {
				return nil, err
			}
			profiles = append(profiles, p)
		}
		return profiles, nil
	}
	return client.All(ctx, func(ctx context.Context, l client.List) (wire.Page[wire.Config], error) {
		return r.c.Configs(ctx, client.ConfigFilter{List: l, Environment: f.Environment, Source: f.Source, ServiceType: f.ServiceType, Held: f.Held})
	})
}

// upTo reads pages until it has limit items.
func upTo[T any](ctx context.Context, limit int, list func(context.Context, client.List) (wire.Page[T], error)) ([]T, error) {
	var items []T
	for len(items) < limit {
		page, err := list(ctx, client.List{Limit: min(100, limit-len(items)), Offset: len(items)})
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if !page.HasMore || len(page.Items) == 0 {
			break
		}
	}
	return items[:min(limit, len(items))], nil
}

// versions lists a profile's newest versions, with a tag only those that have it.
func (r remote) versions(ctx context.Context, profile, tag string, limit int) ([]wire.Version, error) {
	return upTo(ctx, limit, func(ctx context.Context, l client.List) (wire.Page[wire.Version], error) {
		return r.c.VersionsTagged(ctx, profile, tag, l)
	})
}

// deploymentFilter narrows deployments.
type deploymentFilter struct {
	Profile, Status, Environment, Commit string
	Limit                                int
}

// deployments lists the newest deployments that match.
func (r remote) deployments(ctx context.Context, f deploymentFilter) ([]wire.Deployment, error) {
	return upTo(ctx, f.Limit, func(ctx context.Context, l client.List) (wire.Page[wire.Deployment], error) {
		return r.c.Deployments(ctx, client.DeploymentFilter{
			List: l, ConfigName: f.Profile, Status: f.Status, Environment: f.Environment, Commit: f.Commit,
		})
	})
}

// newestDeployment finds a profile's newest deployment, of a commit where one
// is given. A profile that does not exist is told from one that was never
// deployed, but for a commit: that may be what makes the profile.
func (r remote) newestDeployment(ctx context.Context, profile, commit string) (wire.Deployment, error) {
	found, err := r.deployments(ctx, deploymentFilter{Profile: profile, Commit: commit, Limit: 1})
	if err != nil {
		return wire.Deployment{}, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	if commit == "" {
		if _, err := r.c.Config(ctx, profile); err != nil {
			return wire.Deployment{}, err
		}
	}
	return wire.Deployment{}, fmt.Errorf("%s %w", profile, errNoDeployment)
}

// instanceFilter narrows instances.
type instanceFilter struct{ Service, Environment, Health, Version string }

// instances lists the registered instances that match; with ids exactly those.
func (r remote) instances(ctx context.Context, f instanceFilter, ids []string) ([]wire.Instance, error) {
	if len(ids) > 0 {
		instances := make([]wire.Instance, 0, len(ids))
		for _, id := range ids {
			i, err := r.c.Instance(ctx, id)
			if err != nil {
				return nil, err
			}
			instances = append(instances, i)
		}
		return instances, nil
	}
	return client.All(ctx, func(ctx context.Context, l client.List) (wire.Page[wire.Instance], error) {
		return r.c.Instances(ctx, client.InstanceFilter{
			List: l, ServiceName: f.Service, Environment: f.Environment, Health: f.Health, ConfigVersion: f.Version,
		})
	})
}

// follow hands every change of a deployment to each, until it ends, ctx does
// or asking again makes no sense.
func (r remote) follow(ctx context.Context, id string, each func(update)) {
	var last error
	for d, err := range r.c.DeploymentEvents(ctx, id) {
		last = err
		switch {
		case err == nil:
			each(update{deployment: d})
		case errors.Is(err, client.ErrDisconnected):
			each(update{lost: err})
		}
	}
	if last == nil {
		last = errors.New("the daemon ended the stream")
	}
	each(update{end: last})
}

// deploymentID is the id of a deployment, or of a profile's newest one.
func (r remote) deploymentID(ctx context.Context, arg string) (string, error) {
	if isDeployment(arg) {
		return arg, nil
	}
	d, err := r.newestDeployment(ctx, arg, "")
	return d.ID, err
}

// isNotFound says that the daemon does not know what was asked for.
func isNotFound(err error) bool { return client.IsStatus(err, http.StatusNotFound) }
