package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/internal/redact"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// sourceParts are what every source's reconciler shares.
type sourceParts struct {
	forges  *forgeSet
	engine  *rollout.Engine
	locker  coord.Locker
	reach   rollout.Reach
	log     *slog.Logger
	metrics reconciler.Metrics
	git     func(source string) gitsource.Metrics
	keeper  profile.Keeper
}

// sourceSet runs the reconcilers of all sources.
type sourceSet struct {
	mirrors     map[string]*gitsource.Mirror
	reconcilers map[string]*reconciler.Reconciler
	approvals   map[string]*reconciler.Approvals // of the sources whose forge has reviews
	every       map[string]time.Duration         // how often those are looked at
	alone       reconciler.PreviewOptions        // what files of no source are looked at against
}

// openSources opens the mirror of each source and gives it a reconciler.
func openSources(ctx context.Context, conf settings.Settings, db *store.Store, parts sourceParts) (*sourceSet, error) {
	set := &sourceSet{
		mirrors: map[string]*gitsource.Mirror{}, reconcilers: map[string]*reconciler.Reconciler{},
		approvals: map[string]*reconciler.Approvals{}, every: map[string]time.Duration{},
		alone: reconciler.PreviewOptions{Store: db, Reach: parts.reach, Keeper: parts.keeper, Logger: parts.log, Validated: parts.metrics.Validated},
	}
	for _, src := range conf.Sources {
		if err := set.open(ctx, conf, src, db, parts); err != nil {
			return nil, errors.Join(fmt.Errorf("open source %s: %w", src.ID, err), set.close())
		}
	}
	return set, nil
}

func (s *sourceSet) open(ctx context.Context, conf settings.Settings, src settings.Source, db *store.Store, parts sourceParts) error {
	options := mirrorOptions(conf, src)
	options.Metrics = parts.git(src.ID)
	options.Auth.TokenSource = parts.forges.tokens[src.ID]
	mirror, err := gitsource.Open(ctx, options)
	if err != nil {
		return err
	}
	s.mirrors[src.ID] = mirror
	if err := db.RegisterSource(ctx, store.Source{ID: src.ID, URL: redact.Text(src.URL), Branch: src.Branch, Path: src.Path}); err != nil {
		return err
	}
	signed, err := newSignatureCheck(mirror, src)
	if err != nil {
		return err
	}
	made := reconciler.Options{
		Source: reconciler.SourceOptions{
			ID: src.ID, Branch: src.Branch, Path: src.Path, HoldPolicy: reconciler.HoldPolicy(src.HoldPolicy), PollInterval: src.PollInterval,
			RequiredApprovals: src.Forge.RequiredApprovals, Sources: sourceIDs(conf),
		},
		Git: mirror, Signatures: signed, SignedFrom: src.SignedFrom, Store: reconcilerStore{db}, Locker: parts.locker, Reach: parts.reach, WakeEngine: parts.engine.Wake, Logger: parts.log,
		Metrics: parts.metrics, Fail: failpoint, Keeper: parts.keeper,
	}
	if host, ok := parts.forges.hosts[src.ID]; ok {
		approvals := newApprovals(src, host, db, parts.engine, parts.log)
		s.approvals[src.ID], s.every[src.ID] = approvals, approvalsEvery(src)
		made.Host, made.PullGit, made.PullRequestChecks = host, reconciler.PullsOf(mirror), src.Forge.PullRequestChecks
		made.WakeEngine = func() { parts.engine.Wake(); approvals.Wake() }
	}
	s.reconcilers[src.ID], err = reconciler.New(made)
	return err
}

// sourceIDs names the sources of the settings.
func sourceIDs(conf settings.Settings) []string {
	var ids []string
	for _, src := range conf.Sources {
		ids = append(ids, src.ID)
	}
	return ids
}

func mirrorOptions(conf settings.Settings, src settings.Source) gitsource.Options {
	limits := gitsource.DefaultLimits()
	limits.MaxBlobBytes = int64(conf.MaxConfigSize)
	return gitsource.Options{
		ID: src.ID, URL: src.URL, Branch: src.Branch, Path: src.Path, Extra: []string{"schemas"}, Dir: filepath.Join(conf.DataDir, "mirrors"),
		Auth: gitsource.Auth{
			Username: src.Auth.Username, Token: src.Auth.Token.Reveal(), SSHKeyFile: src.Auth.SSHKeyFile, KnownHostsFile: src.Auth.KnownHostsFile,
		},
		AllowFile: conf.AllowFileURLs, AllowInsecureHTTP: conf.AllowInsecureHTTP, AllowLoopback: conf.AllowInsecureHTTP, Limits: limits,
	}
}

// run syncs every source until ctx ends.
func (s *sourceSet) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range s.reconcilers {
		group.Go(func() error { return r.Run(ctx) })
	}
	for id, a := range s.approvals {
		group.Go(func() error { return a.Run(ctx, s.every[id]) })
	}
	return group.Wait()
}

// wake makes a source's reconciler look now.
func (s *sourceSet) wake(id string) bool {
	r, ok := s.reconcilers[id]
	if ok {
		r.Wake()
	}
	if a, reviewed := s.approvals[id]; reviewed {
		a.Wake()
	}
	return ok
}

func (s *sourceSet) close() error {
	var errs []error
	for _, m := range s.mirrors {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// reconcilerStore lets the store's transaction be the reconciler's.
type reconcilerStore struct{ *store.Store }

// InTx runs fn in one transaction.
func (s reconcilerStore) InTx(ctx context.Context, fn func(reconciler.Tx) error) error {
	return s.Store.InTx(ctx, func(tx *store.Tx) error { return fn(tx) })
}

// poster posts commit statuses at the forge of their source.
type poster struct {
	forges      map[string]forge.Forge
	externalURL string
}

func (p poster) post(ctx context.Context, s rollout.Status) error {
	f, ok := p.forges[s.Source]
	if !ok {
		return fmt.Errorf("source %s is not set up any more: %w", s.Source, store.ErrTerminal)
	}
	target := ""
	if p.externalURL != "" && s.DeploymentID != "" {
		target = strings.TrimSuffix(p.externalURL, "/") + "/deployments/" + s.DeploymentID
	}
	return terminal(f.PostStatus(ctx, forge.Status{
		Commit: s.Commit, Context: s.Context, State: forge.State(s.State), Description: s.Description, TargetURL: target,
	}))
}

// outcomeOf is an error as a label.
func outcomeOf(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

func prefixes(setting string, texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no network such as 10.0.0.0/8", setting, text)
		}
		out = append(out, prefix)
	}
	return out, nil
}
