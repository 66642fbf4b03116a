package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// forgeSet is where each source's commit statuses go, and the pull requests of
// those that have them.
type forgeSet struct {
	statuses map[string]forge.Forge // by source
	hosts    map[string]forge.Host
	tokens   map[string]func(context.Context) (string, error) // that Git signs in with, of a GitHub App
}

// openForges makes the forge of every source. It asks none of them anything: one
// that is down keeps nobody from starting.
func openForges(conf settings.Settings, db *store.Store, registry prometheus.Registerer) (*forgeSet, error) {
	set := &forgeSet{statuses: map[string]forge.Forge{}, hosts: map[string]forge.Host{}, tokens: map[string]func(context.Context) (string, error){}}
	gateways := newGateways(registry)
	for _, src := range conf.Sources {
		if src.Forge.Type == settings.ForgeLocal {
			set.statuses[src.ID] = localForge(src.ID, db)
			continue
		}
		host, err := openForge(src.Forge, gateways.of(src.Forge))
		if err != nil {
			return nil, fmt.Errorf("forge of source %s: %w", src.ID, err)
		}
		set.statuses[src.ID], set.hosts[src.ID] = host, host
		if app, ok := host.(*forge.GitHub); ok && src.Forge.AppID != 0 {
			set.tokens[src.ID] = app.GitToken
		}
	}
	return set, nil
}

func localForge(source string, db *store.Store) forge.Forge {
	return forge.NewLocal(source, forge.RecorderFunc(func(ctx context.Context, source string, s forge.Status) error {
		return db.RecordPostedStatus(ctx, rollout.Status{
			Source: source, Commit: s.Commit, Context: s.Context, State: rollout.StatusState(s.State), Description: s.Description,
		})
	}))
}

func openForge(f settings.Forge, gateway *forge.Gateway) (forge.Host, error) {
	switch f.Type {
	case settings.ForgeGitHub:
		return forge.NewGitHub(forge.GitHubOptions{
			URL: f.URL, Repository: f.Repository, Token: f.Token.Reveal(), Gateway: gateway,
			App: forge.GitHubApp{ID: int64(f.AppID), InstallationID: int64(f.AppInstallationID), PrivateKey: []byte(f.AppPrivateKey.Reveal())},
		})
	case settings.ForgeGitea:
		return forge.NewGitea(forge.GiteaOptions{URL: f.URL, Repository: f.Repository, Token: f.Token.Reveal(), Gateway: gateway})
	case settings.ForgeGitLab:
		return forge.NewGitLab(forge.GitLabOptions{URL: f.URL, Repository: f.Repository, Token: f.Token.Reveal(), Gateway: gateway})
	}
	return nil, fmt.Errorf("type %q is not known", f.Type)
}

// gateways are shared by the sources that use the same credentials at the same
// forge: they share its patience too.
type gateways struct {
	made     map[[3]string]*forge.Gateway
	quota    *prometheus.GaugeVec
	limit    *prometheus.GaugeVec
	answered *prometheus.CounterVec
}

func newGateways(registry prometheus.Registerer) *gateways {
	g := &gateways{
		made: map[[3]string]*forge.Gateway{},
		quota: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_forge_quota_remaining", Help: "Requests that the forge still allows, as it said last.",
		}, []string{"host"}),
		limit: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_forge_quota_limit", Help: "Requests that the forge allows in all.",
		}, []string{"host"}),
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_forge_requests_total", Help: "Requests to a forge, by how they ended.",
		}, []string{"host", "outcome"}),
	}
	registry.MustRegister(g.quota, g.limit, g.answered)
	return g
}

func (g *gateways) of(f settings.Forge) *forge.Gateway {
	key := [3]string{f.Type, f.URL, f.Token.Reveal() + f.AppPrivateKey.Reveal()}
	if known, ok := g.made[key]; ok {
		return known
	}
	host := f.URL
	if u, err := url.Parse(f.URL); err == nil && u.Host != "" {
		host = u.Host
	}
	made := forge.NewGateway(forge.GatewayOptions{
		Host: host,
		Quota: func(host string, remaining, limit int) {
			g.quota.WithLabelValues(host).Set(float64(remaining))
			g.limit.WithLabelValues(host).Set(float64(limit))
		},
		Answered: func(host string, outcome forge.Outcome) { g.answered.WithLabelValues(host, string(outcome)).Inc() },
	})
	g.answered.WithLabelValues(host, string(forge.Failed))
	g.answered.WithLabelValues(host, string(forge.Lost))
	g.made[key] = made
	return made
}

// newApprovals lets a source's deployments start that wait for reviews.
func newApprovals(src settings.Source, host forge.Host, db *store.Store, engine *rollout.Engine, log *slog.Logger) *reconciler.Approvals {
	return reconciler.NewApprovals(reconciler.ApprovalOptions{
		Source: src.ID, Host: host, Store: db, Logger: log,
		Approve: func(ctx context.Context, id, actor, reason string) error {
			_, err := engine.Order(ctx, id, rollout.OrderPromote, actor, reason)
			return err
		},
	})
}

// newPullRequests puts together what is done with pull requests beside checks.
func newPullRequests(conf settings.Settings, forges *forgeSet, sources *sourceSet, parts pullParts) *pullRequests {
	p := &pullRequests{
		hosts: forges.hosts, commands: map[string]*reconciler.Commands{}, reverts: map[string]*reconciler.Reverts{},
		db: parts.db, door: parts.orders.door, externalURL: conf.ExternalURL,
	}
	for _, src := range conf.Sources {
		host, ok := forges.hosts[src.ID]
		if !ok {
			continue
		}
		p.commands[src.ID] = &reconciler.Commands{
			Source: src.ID, Host: host, Store: parts.db, Orders: parts.orders,
			Permission: permissions[src.Forge.CommandPermission], Operators: src.Forge.Operators,
			Check: func() { sources.wake(src.ID) }, Now: time.Now, Logger: parts.log.With("component", "commands", "source", src.ID),
		}
		if src.OpenRevertPullRequest {
			p.reverts[src.ID] = &reconciler.Reverts{Source: src.ID, Branch: src.Branch, Host: host, Git: sources.mirrors[src.ID], Store: parts.db}
		}
	}
	return p
}

// pullParts are what pull requests need beside the forges and the sources.
type pullParts struct {
	db     *store.Store
	orders orders
	log    *slog.Logger
}

// permissions are the settings' names of what somebody may do at a forge.
var permissions = map[string]forge.Permission{
	"none": forge.NoPermission, "write": forge.Write, "maintain": forge.Maintain, "admin": forge.Admin,
}

// approvalsEvery is how often deployments that wait for reviews are looked at, at
// the least: reviews that no webhook tells of are seen then.
func approvalsEvery(src settings.Source) time.Duration {
	const most = time.Minute
	return min(src.PollInterval, most)
}
