package compat

import (
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // the protocol compares what it has by it
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/profile"
)

// Nacos 1.x, as its open API is described at https://nacos.io/en-us/docs/open-api.html: one text under
// dataId, group and tenant (which people know as the namespace), and a long poll that compares texts by
// their MD5.
const (
	nacosConfigs = "/nacos/v1/cs/configs"

	// Clients listen to at most so many texts in one request.
	nacosMostTexts = 3000
	nacosBody      = 1 << 20
	// Longer than any client waits.
	nacosMaxWait = time.Minute
	// How long before a client gives up it is answered, as in Nacos.
	nacosEarly = 500 * time.Millisecond
	// Seconds after which a client signs in again.
	nacosTTL = 18000
)

func nacos() *Protocol {
	return &Protocol{
		Name: "nacos", Clients: "Nacos 1.x: nacos-sdk-go v1, nacos-client 1.x, Spring Cloud Alibaba",
		Routes: []Route{
			{Method: http.MethodGet, Path: nacosConfigs, Handle: nacosRead},
			{Method: http.MethodPost, Path: nacosConfigs + "/listener", Waits: true, Body: nacosBody, Handle: nacosListen},
			{Method: http.MethodPost, Path: "/nacos/v1/auth/login", Body: nacosBody, Handle: nacosSignIn},
			{Method: http.MethodPost, Path: "/nacos/v1/auth/users/login", Body: nacosBody, Handle: nacosSignIn},
			{Method: http.MethodPost, Path: nacosConfigs, Body: nacosBody, Handle: readOnly},
			{Method: http.MethodDelete, Path: nacosConfigs, Handle: readOnly},
		},
		TokenAt: "the password, with any username", Token: nacosToken,
		Refuse: nacosRefuse,
		Coordinates: []Coordinate{
			{"dataId `PROFILE`, any group and namespace", "the profile, as JSON"},
			{"dataId `PROFILE.yaml`, `.yml`, `.properties`, `.json`", "the profile, written so"},
			{"dataId `SERVICE`, namespace or group `ENVIRONMENT`", "the one profile of the service in the environment"},
			{"dataId `SERVICE-ENVIRONMENT.yaml`", "the same, as Spring Cloud Alibaba asks for it"},
			{"dataId `SERVICE`, neither of them an environment", "the one profile of the service that the token may read"},
		},
	}
}

// nacosToken reads the token that signing in gave, or the password with which a client signs in.
func nacosToken(r *http.Request) string {
	if r.Method == http.MethodPost && r.Body != nil {
		r.Body = http.MaxBytesReader(nil, r.Body, nacosBody)
	}
	return cmp.Or(r.FormValue("accessToken"), r.FormValue("password"), r.Header.Get("accessToken"), bearer(r))
}

// nacosRefuse tells that somebody is not known as Nacos does, by 403: its clients look for that.
func nacosRefuse(c echo.Context, r Refusal) error {
	if r.Status == http.StatusUnauthorized {
		r.Status = http.StatusForbidden
	}
	if r.Code == "NOT_FOUND" && r.Message == ErrNotFound.Error() {
		r.Message = "config data not exist"
	}
	return c.String(r.Status, r.Message)
}

// nacosSignIn gives who came with a good token that token to go on with.
func nacosSignIn(c echo.Context, _ Configs) error {
	return c.JSON(http.StatusOK, map[string]any{
		"accessToken": nacosToken(c.Request()), "tokenTtl": nacosTTL, "globalAdmin": false,
	})
}

// nacosText is one text that is asked for, and what the client has of it.
type nacosText struct {
	dataID, group, tenant string
	md5                   string // "" while it has none
}

// place finds the profile of a text, and how it is to be written.
func (t nacosText) place(ctx context.Context, from Configs) (name string, as format, err error) {
	base, as, ok := cutFormat(t.dataID)
	if !ok {
		as = formatJSON
	}
	name, err = firstOf(ctx, from, t.dataID, base)
	if !errors.Is(err, ErrNotFound) {
		return name, as, err
	}
	for _, environment := range profile.Environments() {
		if service, ok := cutFold(base, "-"+string(environment)); ok {
			name, err = ofService(ctx, from, service, environment)
			if !errors.Is(err, ErrNotFound) {
				return name, as, err
			}
		}
	}
	var in []profile.Environment
	for _, said := range []string{t.tenant, t.group} {
		if environment, ok := environmentNamed(said); ok && in == nil {
			in = append(in, environment)
		}
	}
	name, err = ofService(ctx, from, base, in...)
	return name, as, err
}

// cutFold takes an ending off in whatever case it is written.
func cutFold(text, ending string) (rest string, ok bool) {
	at := len(text) - len(ending)
	if at <= 0 || !strings.EqualFold(text[at:], ending) {
		return text, false
	}
	return text[:at], true
}

// read gives the text.
func (t nacosText) read(ctx context.Context, from Configs) (content []byte, as format, err error) {
	name, as, err := t.place(ctx, from)
	if err != nil {
		return nil, "", err
	}
	config, err := from.Config(ctx, name)
	if err != nil {
		return nil, "", err
	}
	content, err = as.write(config.Data)
	return content, as, err
}

func nacosMD5(content []byte) string {
	sum := md5.Sum(content) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

func nacosRead(c echo.Context, from Configs) error {
	asked := nacosText{dataID: c.QueryParam("dataId"), group: c.QueryParam("group"), tenant: c.QueryParam("tenant")}
	if asked.dataID == "" {
		return invalid("Param 'dataId' is required.")
	}
	content, as, err := asked.read(c.Request().Context(), from)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-MD5", nacosMD5(content))
	c.Response().Header().Set("Config-Type", string(as))
	return c.Blob(http.StatusOK, as.contentType(), content)
}

// parseListening reads what a client listens to: dataId, group, MD5 and perhaps tenant, parted by 0x02,
// each of them ended by 0x01.
func parseListening(text string) ([]nacosText, error) {
	var all []nacosText
	for entry := range strings.SplitSeq(strings.TrimSuffix(text, "\x01"), "\x01") {
		parts := strings.Split(entry, "\x02")
		if len(parts) < 3 || len(parts) > 4 || parts[0] == "" {
			return nil, invalid("invalid probeModify: Listening-Configs is dataId, group and MD5, parted by 0x02, each ended by 0x01")
		}
		t := nacosText{dataID: parts[0], group: parts[1], md5: parts[2]}
		if len(parts) == 4 {
			t.tenant = parts[3]
		}
		if all = append(all, t); len(all) > nacosMostTexts {
			return nil, invalid("Listening-Configs has more than %d texts: ask in several requests", nacosMostTexts)
		}
	}
	return all, nil
}

// changed is how the protocol names the texts that are other than the client has.
func nacosChanged(texts []nacosText) string {
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(t.dataID + "\x02" + t.group)
		if t.tenant != "" {
			b.WriteString("\x02" + t.tenant)
		}
		b.WriteByte('\x01')
	}
	return url.QueryEscape(b.String())
}

// nacosWait is how long to hold a request: not at all where the client does not say that it waits.
func nacosWait(h http.Header) time.Duration {
	said, err := strconv.Atoi(h.Get("Long-Pulling-Timeout"))
	if err != nil || h.Get("Long-Pulling-Timeout-No-Hangup") == "true" {
		return 0
	}
	return min(max(time.Duration(said)*time.Millisecond-nacosEarly, 0), nacosMaxWait)
}

func nacosListen(c echo.Context, from Configs) error {
	texts, err := parseListening(c.FormValue("Listening-Configs"))
	if err != nil {
		return err
	}
	var changed []nacosText
	seen := nacosSeen{}
	look := func(ctx context.Context) (bool, error) {
		changed = nil
		for _, t := range texts {
			other, err := t.differs(ctx, from, seen)
			if err != nil {
				return false, err
			}
			if other {
				changed = append(changed, t)
			}
		}
		return len(changed) > 0, nil
	}
	ctx := c.Request().Context()
	if wait := nacosWait(c.Request().Header); wait > 0 {
		err = await(ctx, from, wait, look)
	} else {
		_, err = look(ctx)
	}
	if err != nil {
		return err
	}
	return c.String(http.StatusOK, nacosChanged(changed))
}

// nacosSeen is what one request has found out of its texts: whose they are, and the index at which a text
// was as the client has it.
type nacosSeen map[nacosText]struct {
	profile string
	index   int64
}

// differs says whether a text is other than the client has. Its profile is looked for until there is one,
// and its data is read only when the index is another than it was: reading opens secrets.
func (t nacosText) differs(ctx context.Context, from Configs, seen nacosSeen) (bool, error) {
	known, err := seen[t], error(nil)
	if known.profile == "" {
		known.profile, _, err = t.place(ctx, from)
	}
	var index int64
	if err == nil {
		index, err = from.Index(ctx, known.profile)
	}
	if gone(err) {
		delete(seen, t)
		return t.md5 != "", nil
	}
	if err != nil || index == known.index {
		return false, err
	}
	content, _, err := t.read(ctx, from)
	if gone(err) {
		return t.md5 != "", nil
	}
	if err != nil {
		return false, err
	}
	known.index = index
	seen[t] = known
	return nacosMD5(content) != t.md5, nil
}

// gone says that there is nothing to give to this reader, whether or not it could have asked better.
func gone(err error) bool {
	refused, ok := errors.AsType[*Refusal](err)
	return errors.Is(err, ErrNotFound) || ok && refused.Status == http.StatusNotFound
}
