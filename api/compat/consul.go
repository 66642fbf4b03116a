package compat

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/profile"
)

// Consul's key/value store, as its API is described at
// https://developer.hashicorp.com/consul/api-docs/kv and .../features/blocking.
//
// Each profile is there twice: whole as one JSON document under sluice/PROFILE, for templates that
// parse it, and value by value under PROFILE/, for ls, tree and prefixes. The leaves of a profile that
// is called sluice itself are not there: they would stand among the documents.
//
// An instance finds under sluice/PROFILE/applied what it sends to Sluice once it runs what it read: a
// canary goes on by what was applied, never by what was read.
const (
	consulPath    = "/v1/kv/*"
	consulPrefix  = "sluice/"
	consulApplied = "/applied"

	// As Consul has them.
	consulWait    = 5 * time.Minute
	consulMaxWait = 10 * time.Minute
	consulValue   = 512 << 10 // bytes, the largest
)

func consul() *Protocol {
	return &Protocol{
		Name: "consul", Clients: "Consul KV: consul-template, envconsul, confd, hashicorp/consul/api",
		Routes: []Route{
			{Method: http.MethodGet, Path: consulPath, Waits: true, Handle: consulRead},
			{Method: http.MethodPut, Path: consulPath, Body: consulValue, Handle: readOnly},
			{Method: http.MethodDelete, Path: consulPath, Body: consulValue, Handle: readOnly},
		},
		Token: consulToken, TokenAt: "`X-Consul-Token`, `Authorization: Bearer`, or `?token=`",
		// Consul tells its errors as plain text.
		Refuse: func(c echo.Context, r Refusal) error { return c.String(r.Status, r.Message) },
		Coordinates: []Coordinate{
			{"key `sluice/PROFILE`", "all data of the profile, as one JSON document"},
			{"key `PROFILE/a/b`", "the value at `a.b` of the profile: texts as they are, all else as JSON"},
			{"key `PROFILE/hosts/0`", "the first of the list at `hosts`"},
			{"prefix `PROFILE/` with `recurse` or `keys`", "every value of the profile"},
			{"prefix `sluice/`", "every profile that the token may read"},
			{"key `sluice/PROFILE/applied`", "for an instance that the profile is assigned to: what it posts to `/api/v1/instances/ID/applied` once it runs it"},
		},
	}
}

// consulToken reads the token as Consul does: its own header, a bearer, or the query.
func consulToken(r *http.Request) string {
	return cmp.Or(r.Header.Get("X-Consul-Token"), bearer(r), r.URL.Query().Get("token"))
}

// consulPair is one key with its value, as Consul writes it.
type consulPair struct {
	LockIndex   uint64
	Key         string
	Flags       uint64
	Value       []byte // base64 in JSON
	CreateIndex int64
	ModifyIndex int64
}

// consulQuery is what is asked for.
type consulQuery struct {
	key                string
	recurse, keys, raw bool
	separator          string
	index              int64 // to wait for another than; 0 for what there is
	wait               time.Duration
}

func readConsulQuery(c echo.Context) (q consulQuery, err error) {
	params := c.QueryParams()
	q = consulQuery{
		key: strings.TrimPrefix(c.Request().URL.Path, strings.TrimSuffix(consulPath, "*")), separator: params.Get("separator"),
		recurse: params.Has("recurse"), keys: params.Has("keys"), raw: params.Has("raw"), wait: consulWait,
	}
	if text := params.Get("index"); text != "" {
		if q.index, err = strconv.ParseInt(text, 10, 64); err != nil || q.index < 0 {
			return q, invalid("Invalid index")
		}
	}
	if text := params.Get("wait"); text != "" {
		if q.wait, err = time.ParseDuration(text); err != nil || q.wait < 0 {
			return q, invalid("Invalid wait time")
		}
		q.wait = min(cmp.Or(q.wait, consulWait), consulMaxWait)
	}
	if q.key == "" && !q.recurse && !q.keys {
		return q, invalid("Missing key name")
	}
	return q, nil
}

// consulRead answers a query, once its index is another than the caller has.
func consulRead(c echo.Context, from Configs) error {
	q, err := readConsulQuery(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	var index int64
	look := func(ctx context.Context) (bool, error) {
		names, err := q.profiles(ctx, from)
		if err != nil {
			return false, err
		}
		index, err = indexOf(ctx, from, names)
		return err == nil && index != q.index, err
	}
	if q.index == 0 {
		_, err = look(ctx)
	} else {
		err = await(ctx, from, q.wait, look)
	}
	if err != nil {
		return err
	}
	pairs, err := q.pairs(ctx, from)
	if err != nil {
		return err
	}
	// The index is of before the pairs were read: what changed meanwhile is told at the next question.
	consulHeaders(c, index)
	return q.answer(c, pairs)
}

func consulHeaders(c echo.Context, index int64) {
	h := c.Response().Header()
	h.Set("X-Consul-Index", strconv.FormatInt(index, 10))
	h.Set("X-Consul-Knownleader", "true")
	h.Set("X-Consul-Lastcontact", "0")
}

// profiles are those that have keys of the query. Many names may begin as the prefix does.
func (q consulQuery) profiles(ctx context.Context, from Configs) ([]string, error) {
	if name, ok := q.profile(); ok {
		return []string{name}, nil
	}
	names, err := from.Profiles(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasPrefix(consulPrefix+name+consulApplied, q.key) && !strings.HasPrefix(name+"/", q.key)
	}), nil
}

// profile is the only one that can have keys of the query.
func (q consulQuery) profile() (name string, ok bool) {
	if rest, whole := strings.CutPrefix(q.key, consulPrefix); whole {
		return strings.TrimSuffix(rest, consulApplied), !q.recurse && !q.keys
	}
	name, _, ok = strings.Cut(q.key, "/")
	return name, ok || !q.recurse && !q.keys
}

// indexOf rises with every change of any of the profiles. It is 1 while there is none: a query can
// wait for what is not there yet.
func indexOf(ctx context.Context, from Configs, names []string) (int64, error) {
	sum := int64(1)
	for _, name := range names {
		index, err := from.Index(ctx, name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, err
		}
		if err == nil {
			sum += index
		}
	}
	return sum, nil
}

// pairs are the keys that are asked for, sorted.
func (q consulQuery) pairs(ctx context.Context, from Configs) ([]consulPair, error) {
	names, err := q.profiles(ctx, from)
	if err != nil {
		return nil, err
	}
	var pairs []consulPair
	for _, name := range names {
		config, err := from.Config(ctx, name)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, pair := range consulPairs(config) {
			if pair.Key == q.key || (q.recurse || q.keys) && strings.HasPrefix(pair.Key, q.key) {
				pairs = append(pairs, pair)
			}
		}
	}
	slices.SortFunc(pairs, func(a, b consulPair) int { return cmp.Compare(a.Key, b.Key) })
	return pairs, nil
}

// consulPairs are all keys of a profile.
func consulPairs(config Config) []consulPair {
	pair := func(key string, value []byte) consulPair {
		return consulPair{Key: key, Value: value, CreateIndex: 1, ModifyIndex: config.Index}
	}
	pairs := []consulPair{pair(consulPrefix+config.Profile, profile.Canonical(config.Data))}
	if config.Assigned {
		pairs = append(pairs, pair(consulPrefix+config.Profile+consulApplied, profile.Canonical(profile.Data{
			"configName": config.Profile, "version": config.Version, "hash": config.Hash, "generation": config.Index, "ok": true,
		})))
	}
	if config.Profile+"/" == consulPrefix {
		return pairs
	}
	for _, l := range leaves(config.Data) {
		pairs = append(pairs, pair(config.Profile+"/"+l.slashed(), []byte(l.text())))
	}
	return pairs
}

func (q consulQuery) answer(c echo.Context, pairs []consulPair) error {
	switch {
	case len(pairs) == 0:
		return c.NoContent(http.StatusNotFound)
	case q.keys:
		return c.JSON(http.StatusOK, q.keysOf(pairs))
	case q.raw && !q.recurse:
		return c.Blob(http.StatusOK, echo.MIMETextPlainCharsetUTF8, pairs[0].Value)
	}
	return c.JSON(http.StatusOK, pairs)
}

// keysOf are the keys alone, up to the separator after the prefix where one is given.
func (q consulQuery) keysOf(pairs []consulPair) []string {
	var keys []string
	for _, pair := range pairs {
		key := pair.Key
		if i := strings.Index(key[len(q.key):], q.separator); q.separator != "" && i >= 0 {
			key = key[:len(q.key)+i+len(q.separator)]
		}
		keys = append(keys, key)
	}
	return slices.Compact(keys)
}
