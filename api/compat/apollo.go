package compat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/profile"
)

// Apollo's configuration service, as its HTTP interface is described in
// https://www.apolloconfig.com/#/en/client/other-language-client-user-guide: a namespace of an app in a
// cluster, the same without its state, and a long poll that says which namespaces have changed.
const (
	apolloName = "apollo"

	apolloConfigs = "/configs/:app/:cluster/:namespace"
	apolloFiles   = "/configfiles/:app/:cluster/:namespace"
	apolloJSON    = "/configfiles/json/:app/:cluster/:namespace"
	apolloRaw     = "/configfiles/raw/:app/:cluster/:namespace"
	apolloNotices = "/notifications/v2"

	// As Apollo holds a long poll; its clients give up after 90 s.
	apolloWait = time.Minute
	// Of one long poll; an app has a handful.
	apolloMostNamespaces = 200
	// The namespace that every app has.
	apolloApplication = "application"
)

func apollo() *Protocol {
	return &Protocol{
		Name: apolloName, Clients: "Apollo: agollo, apollo-client, pyapollo, ctrip-apollo",
		Routes: []Route{
			{Method: http.MethodGet, Path: apolloConfigs, Handle: apolloRead},
			{Method: http.MethodGet, Path: apolloFiles, Handle: apolloFile(formatProperties)},
			{Method: http.MethodGet, Path: apolloJSON, Handle: apolloFile(formatJSON)},
			{Method: http.MethodGet, Path: apolloRaw, Handle: apolloRawFile},
			{Method: http.MethodGet, Path: apolloNotices, Waits: true, Handle: apolloNotify},
		},
		TokenAt: "`Authorization: Bearer`, the password of the address (`http://x:TOKEN@host`), `?token=`, or an access key that `apollo_access_keys` has", Token: apolloToken,
		Refuse: apolloRefuse,
		Coordinates: []Coordinate{
			{"namespace `application` of app `SERVICE` in cluster `ENVIRONMENT`", "the one profile of the service in the environment"},
			{"the same in cluster `default`, or any other", "the one profile of the service that the token may read"},
			{"namespace `NAME` of app `APP`", "the profile `APP.NAME`, or else the profile `NAME`"},
			{"a namespace without ending, or with `.properties`", "the values flattened: `a.b[0]`"},
			{"a namespace with `.json`, `.yaml` or `.yml`", "all data as one text, under `content`"},
		},
	}
}

// apolloToken reads a bearer, the password of an address (http://x:TOKEN@host), or the query. For a
// signature as of Apollo's access keys see AcceptAccessKeys.
func apolloToken(r *http.Request) string {
	return cmp.Or(bearerOrPassword(r), r.URL.Query().Get("token"))
}

func apolloRefuse(c echo.Context, r Refusal) error {
	return c.JSON(r.Status, map[string]any{"status": r.Status, "error": http.StatusText(r.Status), "message": r.Message})
}

// apolloNamespace is what a client asks for.
type apolloNamespace struct{ app, cluster, name string }

func apolloAsked(c echo.Context) apolloNamespace {
	return apolloNamespace{app: param(c, "app"), cluster: param(c, "cluster"), name: param(c, "namespace")}
}

// format is how the namespace's name says that it is written: as properties where it says nothing.
func (n apolloNamespace) format() (base string, as format) {
	base, as, ok := cutFormat(n.name)
	if !ok {
		as = formatProperties
	}
	return base, as
}

// place finds the profile of a namespace.
func (n apolloNamespace) place(ctx context.Context, from Configs) (string, error) {
	base, _ := n.format()
	name, err := firstOf(ctx, from, n.app+"."+base, base)
	if !errors.Is(err, ErrNotFound) || !strings.EqualFold(base, apolloApplication) {
		return name, err
	}
	var in []profile.Environment
	if environment, ok := environmentNamed(n.cluster); ok {
		in = append(in, environment)
	}
	return ofService(ctx, from, n.app, in...)
}

// values are what a client of Apollo gets: properties, or one text under content.
func (n apolloNamespace) values(data profile.Data) (map[string]string, error) {
	_, as := n.format()
	if as == formatProperties {
		values := map[string]string{}
		for _, l := range leaves(data) {
			values[l.dotted()] = l.property()
		}
		return values, nil
	}
	content, err := as.write(data)
	return map[string]string{"content": string(content)}, err
}

// apolloRelease names what a client has: the same again, the same name.
func apolloRelease(config Config) string { return config.Version + "-" + config.Hash }

// apolloConfig is the answer of configs.
type apolloConfig struct {
	AppID          string            `json:"appId"`
	Cluster        string            `json:"cluster"`
	NamespaceName  string            `json:"namespaceName"`
	Configurations map[string]string `json:"configurations"`
	ReleaseKey     string            `json:"releaseKey"`
}

func apolloRead(c echo.Context, from Configs) error {
	asked := apolloAsked(c)
	config, err := asked.config(c.Request().Context(), from)
	if err != nil {
		return err
	}
	release := apolloRelease(config)
	if c.QueryParam("releaseKey") == release {
		return c.NoContent(http.StatusNotModified)
	}
	values, err := asked.values(config.Data)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, apolloConfig{asked.app, asked.cluster, asked.name, values, release})
}

func (n apolloNamespace) config(ctx context.Context, from Configs) (Config, error) {
	name, err := n.place(ctx, from)
	if err != nil {
		return Config{}, err
	}
	return from.Config(ctx, name)
}

// apolloFile answers the namespace's values, without the rest of configs around them.
func apolloFile(as format) func(echo.Context, Configs) error {
	return func(c echo.Context, from Configs) error {
		asked := apolloAsked(c)
		config, err := asked.config(c.Request().Context(), from)
		if err != nil {
			return err
		}
		values, err := asked.values(config.Data)
		if err != nil {
			return err
		}
		if as == formatJSON {
			return c.JSON(http.StatusOK, values)
		}
		data := config.Data
		if _, written := asked.format(); written != formatProperties {
			data = profile.Data{"content": values["content"]}
		}
		body, err := asProperties(data)
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, as.contentType(), body)
	}
}

// apolloRawFile answers the namespace as its name says that it is written.
func apolloRawFile(c echo.Context, from Configs) error {
	asked := apolloAsked(c)
	config, err := asked.config(c.Request().Context(), from)
	if err != nil {
		return err
	}
	_, as := asked.format()
	content, err := as.write(config.Data)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, as.contentType(), content)
}

// apolloNotice is what a client has of a namespace, and what it is told of one.
type apolloNotice struct {
	NamespaceName  string          `json:"namespaceName"`
	NotificationID int64           `json:"notificationId"`
	Messages       *apolloMessages `json:"messages,omitempty"`
}

type apolloMessages struct {
	Details map[string]int64 `json:"details"`
}

func parseNotices(text string) ([]apolloNotice, error) {
	var has []apolloNotice
	if err := json.Unmarshal([]byte(text), &has); err != nil || len(has) == 0 || len(has) > apolloMostNamespaces {
		return nil, invalid("Invalid format of notifications: a list of 1 to %d {\"namespaceName\", \"notificationId\"} is needed", apolloMostNamespaces)
	}
	for _, notice := range has {
		if notice.NamespaceName == "" {
			return nil, invalid("Invalid format of notifications: a namespaceName is empty")
		}
	}
	return has, nil
}

// apolloNotify answers once one of the namespaces is at another notification than the client has seen.
// It may be a lower one: the client may have read as somebody else before.
func apolloNotify(c echo.Context, from Configs) error {
	has, err := parseNotices(c.QueryParam("notifications"))
	if err != nil {
		return err
	}
	app, cluster := c.QueryParam("appId"), c.QueryParam("cluster")
	if app == "" || cluster == "" {
		return invalid("appId and cluster are needed")
	}
	var news []apolloNotice
	found := map[string]string{} // the profile of a namespace, once there is one
	err = await(c.Request().Context(), from, apolloWait, func(ctx context.Context) (bool, error) {
		news = nil
		for _, notice := range has {
			n := apolloNamespace{app, cluster, notice.NamespaceName}
			index, err := n.index(ctx, from, found)
			if err != nil {
				return false, err
			}
			if index != 0 && index != notice.NotificationID {
				news = append(news, n.notice(index))
			}
		}
		return len(news) > 0, nil
	})
	if err != nil {
		return err
	}
	if len(news) == 0 {
		return c.NoContent(http.StatusNotModified)
	}
	return c.JSON(http.StatusOK, news)
}

// index is that of the namespace's profile, 0 while there is none: it may come.
func (n apolloNamespace) index(ctx context.Context, from Configs, found map[string]string) (index int64, err error) {
	name := found[n.name]
	if name == "" {
		name, err = n.place(ctx, from)
	}
	if err == nil {
		index, err = from.Index(ctx, name)
	}
	switch {
	case gone(err):
		delete(found, n.name)
		return 0, nil
	case err != nil:
		return 0, err
	}
	found[n.name] = name
	return index, nil
}

// notice tells a client of a namespace by the name that it asked for, less .properties, as Apollo does.
func (n apolloNamespace) notice(index int64) apolloNotice {
	name := n.name
	if base, as, ok := cutFormat(name); ok && as == formatProperties {
		name = base
	}
	return apolloNotice{name, index, &apolloMessages{map[string]int64{n.app + "+" + n.cluster + "+" + name: index}}}
}
