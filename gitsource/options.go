package gitsource

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Options say which branch of which repository to mirror, where, and within which bounds.
type Options struct {
	// ID names the source: letters, digits, dots, dashes and underscores. The mirror is Dir/ID.git.
	ID string
	// URL is https://host/path, ssh://user@host/path or user@host:path; http and file only when allowed below.
	// A user and password in it are moved to Auth and never kept or shown.
	URL string
	// Branch is the branch to follow, e.g. main.
	Branch string
	// Path is the source's folder in the repository; "" is the whole repository.
	Path string
	// Extra are further folders that matter, e.g. schemas.
	Extra []string
	// Dir is the folder that holds the bare mirrors.
	Dir string
	// Auth holds the credentials, if any.
	Auth Auth

	// AllowFile permits file:// URLs and plain paths.
	AllowFile bool
	// AllowInsecureHTTP permits http:// URLs. Credentials then travel in clear.
	AllowInsecureHTTP bool
	// AllowLoopback permits hosts that resolve to this machine's loopback addresses, also of an HTTP proxy.
	AllowLoopback bool
	// DenyPrivateNetworks refuses private address ranges. They are allowed by default, because that is where the
	// Git servers of a company live. Link-local and cloud metadata addresses are refused always.
	DenyPrivateNetworks bool
	// CABundle holds PEM certificates that are trusted for https besides the system's.
	CABundle []byte

	// Metrics are told what the mirror does.
	Metrics Metrics

	// Limits bound what a remote can make Sluice do. Zero fields take the value of DefaultLimits.
	Limits Limits
}

// Metrics are told what a mirror does. Every field may be nil.
type Metrics struct {
	Fetched  func(ctx context.Context, took time.Duration, err error) // a branch or a pull request
	Repacked func(took time.Duration, err error)                      // packs were joined, or could not be
}

func (m Metrics) withDefaults() Metrics {
	if m.Fetched == nil {
		m.Fetched = func(context.Context, time.Duration, error) {}
	}
	if m.Repacked == nil {
		m.Repacked = func(time.Duration, error) {}
	}
	return m
}

// Limits bound what one remote can cost. Zero means the default; there is no way to say "unbounded".
type Limits struct {
	MaxPackBytes      int64         // bytes of one pack as sent
	MaxPullBytes      int64         // bytes of one pull request's pack as sent; at most MaxPackBytes
	MaxObjects        int           // objects in one pack
	MaxObjectBytes    int64         // one object of a pack, inflated, when the server cannot leave large files out
	MaxInflatedBytes  int64         // all objects of one pack, inflated
	MaxBlobBytes      int64         // one file as read; larger ones are not even fetched when the server can filter
	MaxTreeEntries    int           // entries looked at in one listing or comparison
	MaxCommitsPerSync int           // commits of one Walk or Range
	MaxPacks          int           // packs kept before they are joined
	FetchTimeout      time.Duration // one Fetch, from dialling to the installed pack
	HeadTimeout       time.Duration // one Head
}

// DefaultLimits returns limits that fit repositories of some ten thousand profiles and keep one fetch of a hostile
// repository under 256 MiB of memory.
func DefaultLimits() Limits {
	return Limits{
		MaxPackBytes:      512 << 20,
		MaxPullBytes:      64 << 20,
		MaxObjects:        500_000,
		MaxObjectBytes:    16 << 20,
		MaxInflatedBytes:  4 << 30,
		MaxBlobBytes:      1 << 20,
		MaxTreeEntries:    200_000,
		MaxCommitsPerSync: 1_000,
		MaxPacks:          40,
		FetchTimeout:      5 * time.Minute,
		HeadTimeout:       30 * time.Second,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	l.MaxPackBytes = positive(l.MaxPackBytes, d.MaxPackBytes)
	l.MaxPullBytes = min(positive(l.MaxPullBytes, d.MaxPullBytes), l.MaxPackBytes)
	l.MaxObjects = positive(l.MaxObjects, d.MaxObjects)
	l.MaxObjectBytes = positive(l.MaxObjectBytes, d.MaxObjectBytes)
	l.MaxInflatedBytes = positive(l.MaxInflatedBytes, d.MaxInflatedBytes)
	l.MaxBlobBytes = positive(l.MaxBlobBytes, d.MaxBlobBytes)
	l.MaxTreeEntries = positive(l.MaxTreeEntries, d.MaxTreeEntries)
	l.MaxCommitsPerSync = positive(l.MaxCommitsPerSync, d.MaxCommitsPerSync)
	l.MaxPacks = positive(l.MaxPacks, d.MaxPacks)
	l.FetchTimeout = positive(l.FetchTimeout, d.FetchTimeout)
	l.HeadTimeout = positive(l.HeadTimeout, d.HeadTimeout)
	l.MaxObjectBytes = max(l.MaxObjectBytes, l.MaxBlobBytes)
	return l
}

func positive[T int | int64 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// String describes the source without credentials, neither those of Auth nor those written into the URL.
func (o Options) String() string {
	where := "(invalid URL)"
	if r, err := parseURL(o); err == nil {
		where = r.String()
	}
	return fmt.Sprintf("source %s: branch %s of %s, %s", o.ID, o.Branch, where, o.Auth)
}

// GoString is String, so that %#v shows no secret either.
func (o Options) GoString() string { return o.String() }

// LogValue is String, for structured logs.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

var sourceID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// check validates everything but the URL and returns the folders that matter, cleaned and without overlap.
func (o Options) check() (roots []string, err error) {
	if !sourceID.MatchString(o.ID) {
		return nil, fmt.Errorf("%w: the id must match %s", ErrOptions, sourceID)
	}
	if o.Dir == "" {
		return nil, fmt.Errorf("%w %s: no folder for mirrors", ErrOptions, o.ID)
	}
	if o.Branch == "" || len(o.Branch) > 200 || plumbing.NewBranchReferenceName(o.Branch).Validate() != nil {
		return nil, fmt.Errorf("%w %s: %q is not a branch name", ErrOptions, o.ID, o.Branch)
	}
	for _, p := range append([]string{o.Path}, o.Extra...) {
		root, err := cleanFolder(p)
		if err != nil {
			return nil, fmt.Errorf("%w %s: %w", ErrOptions, o.ID, err)
		}
		roots = append(roots, root)
	}
	return withoutNested(roots), nil
}

func cleanFolder(p string) (string, error) {
	if p == "" {
		return "", nil
	}
	if strings.HasPrefix(p, "/") || strings.Contains(p, `\`) || slices.Contains(strings.Split(p, "/"), "..") {
		return "", fmt.Errorf("folder %q must be relative to the repository's root and stay in it", p)
	}
	if p = path.Clean(p); p == "." {
		return "", nil
	}
	return p, nil
}

// withoutNested drops folders that lie inside another one, so that no file is seen twice.
func withoutNested(roots []string) []string {
	var out []string
	slices.Sort(roots)
	for _, r := range roots {
		if !slices.ContainsFunc(out, func(outer string) bool { return within(outer, r) }) {
			out = append(out, r)
		}
	}
	return out
}

// within reports whether p is folder or lies below it; the folder "" holds everything.
func within(folder, p string) bool {
	return folder == "" || p == folder || strings.HasPrefix(p, folder+"/")
}
