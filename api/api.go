package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/api/compat"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/session"
	"github.com/sluicehq/sluice/internal/sso"
	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// Options are what New needs.
type Options struct {
	Store      *store.Store
	Engine     *rollout.Engine // nil where WatchOnly is true
	Bus        coord.Bus
	Heartbeats *store.Heartbeats
	Registry   *prometheus.Registry
	Cache      coord.Cache // of versions' data; one of the process's own when nil

	Logger     *slog.Logger
	Now        func() time.Time     // for rate limits; time.Now when nil
	SyncSource func(id string) bool // wakes a source's sync; false for an unknown one
	// Preview tells what a pull request with some files would be told, of the source
	// "" where there is only one; reconciler.ErrUnknownSource and ErrWhichSource are
	// its refusals. When nil, files are looked at by themselves.
	Preview func(ctx context.Context, source string, files map[string][]byte, partial bool) (reconciler.Preview, error)
	// TestNotification sends a sample to a target and gives its answer;
	// notify.ErrUnknown for a name that no target has.
	TestNotification func(ctx context.Context, target string) (answer string, err error)
	// Webhooks takes what forges send; nil leaves the door shut. The RemoteAddr of
	// its requests is the caller's address, seen through the trusted proxies.
	Webhooks       http.Handler
	TrustedProxies []netip.Prefix           // whose X-Forwarded-For is believed; none by default
	KeepAlive      time.Duration            // of streams; 15 s when 0
	SecureCookies  bool                     // browsers reach this server over https alone
	Limits         map[string]int           // rate limits a minute in place of our own, by door: "POST /configs"
	LimitFactor    float64                  // multiplies every rate limit; 1 when 0, negative for no limits
	Degraded       func() map[string]string // parts that work less well, with why; may be nil
	WriteTimeout   time.Duration            // of one event to a slow reader; 10 s when 0
	AnswerWithin   time.Duration            // bounds every request that does not wait on purpose; 4 s when 0
	VerifyWithin   time.Duration            // bounds a look at the whole audit log; 20 s when 0
	// Validated is told how long data took to be checked by a schema; it may be nil.
	Validated func(ctx context.Context, took time.Duration)
	// Uploaded is told of each version that was made here; it may be nil.
	Uploaded func()

	// WatchOnly serves instances alone; at the other doors it says where they are.
	WatchOnly bool
	// Wake makes the engine look for due deployments, where it is in another
	// process; Engine.Wake when nil.
	Wake func()

	// Secrets seals what is given and opens what is delivered; nil refuses the one
	// and delivers references as they stand.
	Secrets Secrets

	// SessionLife is how long people stay signed in; 12 hours when 0.
	SessionLife time.Duration
	// SessionKeys sign the tokens of people who signed in, and Issuer is who says so
	// in them; keys of this process's own, and "sluice", when they are not given.
	SessionKeys *session.Keys
	Issuer      string
	SSO         *sso.Provider // that people may sign in with; nil for none
	ExternalURL string        // that people reach this server by; "" is as they ask

	// Clients are the protocols of other configuration servers that are spoken, by
	// name: see compat.Names. None by default.
	Clients []string

	// ApolloKeys are tokens that clients of Apollo may sign with as access keys.
	ApolloKeys []string

	// LogLevels are what this replica logs; when nil, there is nothing to change.
	LogLevels LogLevels

	// SharedLimits makes a limiter of this process count for all replicas; nil
	// leaves each to itself.
	SharedLimits func(local coord.Limiter) coord.Limiter
	// SharedTries counts wrong passwords among all replicas; nil leaves each to itself.
	SharedTries coord.Tries
}

// ownCacheBytes bounds the cache of a process that shares none.
const ownCacheBytes = 32 << 20

// API serves the REST API. Build it with New.
type API struct {
	opts      Options
	echo      *echo.Echo
	log       *slog.Logger
	metrics   *metrics
	marks     *watermark
	shelf     *shelf
	instances *identities
	proven    proven
	streams   sync.WaitGroup // whose connections were taken off their requests
	clients   []*compat.Protocol
	hints     *hints

	limits    coord.Limiter // of callers with a token
	strangers coord.Limiter // of those without: a flood of them takes nothing from the others
	emergency coord.Limiter // of the urgent doors: this process's own, so that Redis need not answer
	guesses   coord.Limiter // of addresses that have tokens looked up at the urgent doors
	lockout   *lockout
	crowd     crowd
	hashing   chan struct{} // bounds the passwords that are checked at once
	previews  chan struct{} // bounds the trees that are looked at at once
	verifying chan struct{} // has the audit log verified by one at a time

	readingMu sync.Mutex
	reading   map[string]int // open event streams by caller

	outage *outage
	shared sharedPages

	described func() (*described, error) // what /openapi.json and /docs say

	leaving   atomic.Bool // not ready any more
	draining  chan struct{}
	drainOnce sync.Once
}

// New builds the API. It returns an error when a route says not who may use it.
func New(opts Options) (*API, error) {
	if opts.Store == nil || opts.Bus == nil || opts.Heartbeats == nil {
		return nil, errors.New("api: store, bus and heartbeats are needed")
	}
	if opts.Engine == nil && (!opts.WatchOnly || opts.Wake == nil) {
		return nil, errors.New("api: an engine is needed, or a wake where instances alone are served")
	}
	if opts.Wake == nil {
		opts.Wake = opts.Engine.Wake
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.KeepAlive <= 0 {
		opts.KeepAlive = 15 * time.Second
	}
	if opts.WriteTimeout <= 0 {
		opts.WriteTimeout = defaultWriteTimeout
	}
	opts.AnswerWithin = cmp.Or(opts.AnswerWithin, answerWithin)
	opts.VerifyWithin = cmp.Or(opts.VerifyWithin, verifyWithin)
	if opts.LimitFactor == 0 {
		opts.LimitFactor = 1
	}
	if opts.Registry == nil {
		opts.Registry = prometheus.NewRegistry()
	}
	if opts.SyncSource == nil {
		opts.SyncSource = func(string) bool { return false }
	}
	if opts.Preview == nil {
		opts.Preview = previewAlone(opts.Store, opts.Logger)
	}
	if opts.Uploaded == nil {
		opts.Uploaded = func() {}
	}
	if opts.TestNotification == nil {
		opts.TestNotification = func(context.Context, string) (string, error) { return "", notify.ErrUnknown }
	}
	if opts.LogLevels == nil {
		opts.LogLevels = plainLevels{}
	}
	if opts.Cache == nil {
		opts.Cache = coord.NewLRU(ownCacheBytes)
	}
	if opts.SharedLimits == nil {
		opts.SharedLimits = func(local coord.Limiter) coord.Limiter { return local }
	}
	if opts.Issuer == "" {
		opts.Issuer = "sluice"
	}
	clients, err := compat.Named(opts.Clients...)
	if err != nil {
		return nil, err
	}
	compat.AcceptAccessKeys(clients, opts.ApolloKeys, opts.Store.Clock)
	opts.SessionLife = cmp.Or(opts.SessionLife, sessionLife)
	if opts.SessionKeys == nil {
		keys, err := session.ParseKeys(session.NewSecret())
		if err != nil {
			return nil, err
		}
		opts.SessionKeys = keys
	}
	a := &API{
		opts: opts, echo: echo.New(), log: opts.Logger, draining: make(chan struct{}),
		metrics:   newMetrics(opts.Registry),
		limits:    opts.SharedLimits(coord.NewMinutes(opts.Now, maxCallers)),
		strangers: opts.SharedLimits(coord.NewMinutes(opts.Now, maxStrangers)),
		emergency: coord.NewMinutes(opts.Now, maxCallers),
		guesses:   coord.NewMinutes(opts.Now, maxStrangers),
		lockout:   newLockout(opts.Now, opts.SharedTries),
		crowd:     newCrowd(),
		hashing:   make(chan struct{}, maxHashing),
		previews:  make(chan struct{}, maxPreviews),
		verifying: make(chan struct{}, 1),
		reading:   map[string]int{},
		shelf:     newShelf(),
		instances: newIdentities(keptIdentity, opts.Now),
		proven:    newProven(),
		clients:   clients,
		outage:    &outage{log: opts.Logger},
		shared:    sharedPages{pages: map[string]*sharedPage{}},
	}
	a.marks = newWatermark(a)
	a.hints = newHints(opts.Store, opts.Bus, a.draining)
	opts.Registry.MustRegister(newStock(opts.Store, a.leaving.Load, opts.WatchOnly))
	a.described = sync.OnceValues(a.describeOnce)
	a.echo.HideBanner, a.echo.HidePort = true, true
	a.echo.HTTPErrorHandler = a.answerError
	a.echo.JSONSerializer = exactJSON{}
	a.echo.IPExtractor = ipExtractor(opts.TrustedProxies)
	a.echo.Use(a.traced, a.secured, a.farewell, a.measured, a.recovered)
	return a, a.routes()
}

// Handler serves the API.
func (a *API) Handler() http.Handler { return a.echo }

// ipExtractor believes forwarded addresses only from trusted proxies: otherwise
// anybody could be anybody to the rate limiter.
func ipExtractor(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, prefix := range trusted {
		options = append(options, echo.TrustIPRange(ipNet(prefix)))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}
