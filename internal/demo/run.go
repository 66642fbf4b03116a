package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/examples"
	"github.com/sluicehq/sluice/internal/balancer"
	"github.com/sluicehq/sluice/internal/collector"
)

// Options say where the demo runs and how it draws.
type Options struct {
	Binary string // the sluice program to run as the daemon
	Dir    string // of the repository, the database and the instances; a temporary one when empty
	Keep   bool   // leave everything running at the end, until ctx ends
	// DatabaseURL is a PostgreSQL database, in which the demo makes a schema of
	// its own and runs two replicas on it. Empty is one daemon on the embedded
	// database.
	DatabaseURL string
	RedisURL    string // that the replicas share; may be empty
	Out         io.Writer
	Look        Look
	Onlooker    func(Moment) // is shown every moment, and holds the demo up; may be nil
}

// Moment is where the demo is, for somebody who looks at it beside the screen.
type Moment struct {
	Title         string // of the act
	Server, Token string // of the admin
	// Deployment is the one that the act is about, as it was just seen.
	Deployment wire.Deployment
}

// ErrNotSo is returned when something that the demo shows did not happen.
var ErrNotSo = errors.New("not everything happened as it should")

// How much of everything there is.
const (
	paymentInstances  = 10
	searchInstances   = 2
	requestsPerSecond = 80 // to each instance
)

// run is one performance.
type run struct {
	opts         Options
	dir          string
	screen       *screen
	client       *client.Client
	repo         *repository
	daemons      []*daemon           // one, or the replicas
	balancer     *balancer.Balancer  // before the replicas
	database     *database           // of the replicas
	server       string              // URL of the daemon, or of the balancer
	files        map[string]string   // of the repository, as last committed
	fleet        map[string][]member // by profile
	steps        map[string][]int    // percentages that each deployment was seen at
	good, goodID string              // the version that (a) brought, and its deployment
	traces       *collector.Collector
	sessionToken string // of the admin, for people who look around with --keep
}

// Run performs the demo and returns ErrNotSo when any outcome was not as it
// should be.
func Run(ctx context.Context, opts Options) (err error) {
	r := &run{opts: opts, screen: &screen{out: opts.Out, look: opts.Look}, fleet: map[string][]member{}, steps: map[string][]int{}}
	start := time.Now()
	stop, err := r.setUp(ctx)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return err
	}
	for _, act := range r.acts() {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return r.finish(ctx, time.Since(start))
}

// finish sums up, and with Keep stays until ctx ends.
func (r *run) finish(ctx context.Context, took time.Duration) error {
	if n := len(r.screen.failed); n > 0 {
		r.screen.title("%d of %d outcomes were not as they should be, after %s; the daemon's log is %s",
			n, n+r.screen.passed, took.Round(time.Second), r.daemons[0].logs.Name())
		for _, text := range r.screen.failed {
			r.screen.say("%s", text)
		}
		r.opts.Keep, r.opts.Dir = false, r.dir // keep the files for a look
		return ErrNotSo
	}
	r.screen.title("All %d outcomes were as they should be, in %s", r.screen.passed, took.Round(time.Second))
	if r.opts.Keep {
		r.screen.say("Left running until you press Ctrl-C. In another terminal:")
		r.screen.say("  export SLUICE_SERVER=%s SLUICE_TOKEN=%s", r.server, r.sessionToken)
		r.screen.say("  sluice get deployments")
		r.screen.say("  edit %s, commit, and: sluice watch %s", filepath.Join(r.repo.dir, paymentFile), payment)
		<-ctx.Done()
	}
	return nil
}

// setUp builds the stage. The function it returns takes it down again and may
// be called whether or not setUp succeeded.
func (r *run) setUp(ctx context.Context) (stop func() error, err error) {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	group, background := errgroup.WithContext(background)
	stop = func() error {
		cancel()
		err := errors.Join(group.Wait(), r.stopDaemons(context.WithoutCancel(ctx)))
		if r.opts.Dir == "" && r.dir != "" {
			err = errors.Join(err, os.RemoveAll(r.dir))
		}
		return err
	}
	if r.dir = r.opts.Dir; r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "sluice-demo-"); err != nil {
			return stop, fmt.Errorf("make a folder for the demo: %w", err)
		}
	}
	stopTracing, err := r.traceAgents(ctx)
	if err != nil {
		return stop, err
	}
	stopAll := stop
	stop = func() error { return errors.Join(stopAll(), stopTracing()) }
	if r.repo, err = newRepository(filepath.Join(r.dir, "configs")); err != nil {
		return stop, err
	}
	tree, err := readTree(examples.Configs, "configs")
	if err != nil {
		return stop, err
	}
	if r.files, err = quicken(tree); err != nil {
		return stop, err
	}
	if err := r.startDaemons(ctx); err != nil {
		return stop, err
	}
	for _, of := range []struct {
		service, profile string
		instances        int
	}{{"payment-service", payment, paymentInstances}, {"search-service", search, searchInstances}} {
		for i := range of.instances {
			m, err := newMember(r, of.service, of.profile, fmt.Sprintf("%s-%02d", of.service, i+1))
			if err != nil {
				return stop, err
			}
			r.fleet[of.profile] = append(r.fleet[of.profile], m)
			m.run(background, group)
		}
	}
	return stop, r.registered(ctx)
}

// startDaemons runs the real program: one on the embedded default, or replicas
// on the database that was given.
func (r *run) startDaemons(ctx context.Context) (err error) {
	count := 1
	if r.opts.DatabaseURL != "" {
		count = replicas
		if r.database, err = newDatabase(ctx, r.opts.DatabaseURL); err != nil {
			return err
		}
	}
	for i := range count {
		d, err := r.newDaemon(fmt.Sprintf("daemon-%d", i+1))
		if err != nil {
			return err
		}
		r.daemons = append(r.daemons, d)
		if err := d.start(ctx); err != nil {
			return err
		}
	}
	if err := r.openDoor(ctx); err != nil {
		return err
	}
	c, err := client.New(client.Options{Server: r.server})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	session, err := c.Login(ctx, "admin", password)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	r.client = c.WithToken(session.Token)
	r.sessionToken = session.Token
	return nil
}

func (r *run) newDaemon(name string) (*daemon, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	logs, err := os.Create(filepath.Join(r.dir, name+".log"))
	if err != nil {
		return nil, fmt.Errorf("open the daemon's log: %w", err)
	}
	settings := filepath.Join(r.dir, name+".yaml")
	if err := os.WriteFile(settings, fmt.Appendf(nil, daemonSettings, r.repo.url(), webhookSecret), 0o600); err != nil {
		return nil, fmt.Errorf("write the daemon's settings: %w", err)
	}
	d := &daemon{
		binary: r.opts.Binary, addr: addr, logs: logs,
		args: []string{
			"serve", "--listen", addr, "--data-dir", filepath.Join(r.dir, name),
			"--allow-file-urls", "--config", settings, "--rate-limit-factor", "100",
		},
		env: append(r.traces.Env(), "SLUICE_ADMIN_PASSWORD="+password, "SLUICE_REGISTRATION_TOKEN="+registrationToken, "SLUICE_SECRET_PAYMENT_API_KEY=key-of-no-provider"),
	}
	if r.database != nil {
		d.env = append(d.env, "SLUICE_DATABASE_URL="+r.database.url, "SLUICE_MIGRATE=true")
	}
	if r.opts.RedisURL != "" {
		d.env = append(d.env, "SLUICE_REDIS_URL="+r.opts.RedisURL)
	}
	return d, nil
}

// daemonSettings are what cannot be said by flags. A push is told by webhook;
// polling would find it later.
const daemonSettings = `secrets: {allow: [{profiles: payment-service.*, references: ["env:SLUICE_SECRET_PAYMENT_*"]}]}
sources:
  - {id: configs, url: %q, poll_interval: 10s, forge: {webhook_secrets: %q}}
`

// openDoor is where everybody comes in: the daemon, or a balancer before the
// replicas.
func (r *run) openDoor(ctx context.Context) (err error) {
	if len(r.daemons) == 1 {
		r.server = "http://" + r.daemons[0].addr
		return nil
	}
	var addrs []string
	for _, d := range r.daemons {
		addrs = append(addrs, d.addr)
	}
	if r.balancer, err = balancer.New(addrs...); err != nil {
		return err
	}
	r.server = r.balancer.URL()
	return until(ctx, "the balancer to find the replicas", func(context.Context) (bool, error) {
		return r.balancer.Ready() == len(r.daemons), nil
	})
}

func (r *run) stopDaemons(ctx context.Context) error {
	var errs []error
	if r.balancer != nil {
		errs = append(errs, r.balancer.Close())
	}
	for _, d := range r.daemons {
		errs = append(errs, d.stop())
	}
	if r.database != nil {
		errs = append(errs, r.database.drop(ctx))
	}
	return errors.Join(errs...)
}

// registered waits until every instance is known to the daemon.
func (r *run) registered(ctx context.Context) error {
	return until(ctx, "the instances to register", func(ctx context.Context) (bool, error) {
		page, err := r.client.Instances(ctx, client.InstanceFilter{})
		return page.Total == paymentInstances+searchInstances, err
	})
}

// commit commits files, remembers them and tells the daemon by webhook.
func (r *run) commit(ctx context.Context, message string, files map[string]string) (string, error) {
	sha, err := r.repo.commit(message, files)
	if err != nil {
		return "", err
	}
	maps.Copy(r.files, files)
	r.screen.say("commit %s: %s", short(sha), message)
	return sha, r.announce(ctx, sha)
}

// edit replaces old by new in one file and commits it.
func (r *run) edit(ctx context.Context, path, message, old, new string) (string, error) {
	if strings.Count(r.files[path], old) != 1 {
		return "", fmt.Errorf("edit %s: %q does not stand there exactly once", path, old)
	}
	return r.commit(ctx, message, map[string]string{path: strings.Replace(r.files[path], old, new, 1)})
}

// all says whether every instance of the profile reads the timeout from its
// configuration file.
func (r *run) all(profile, timeout string) bool {
	for _, m := range r.fleet[profile] {
		if m.service.settings.Load().Timeout != timeout {
			return false
		}
	}
	return true
}

// loadClient keeps enough connections for the whole fleet.
func loadClient() *http.Client {
	return &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}
}
