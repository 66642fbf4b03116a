package api_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

const formed = "application/x-www-form-urlencoded"

// A client of Nacos signs in with a token as its password and goes on with what it is given, until the
// token is revoked. Who is not known is told so by 403, as its clients expect.
func TestNacosSignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking)
	w.profile()
	w.version("1.0.0", data("30s"))
	w.complete("1.0.0")
	id, token := uuid.NewString(), api.NewToken(api.UserToken)
	w.must(w.store.CreateToken(t.Context(), store.Token{
		ID: id, Name: "nacos", Kind: store.TokenAPI, Role: string(api.Viewer), Hash: api.HashToken(token), CreatedBy: "test",
	}))
	signIn := func(password string) answer {
		return w.call("", "POST", "//nacos/v1/auth/users/login", url.Values{"username": {"any"}, "password": {password}}.Encode(), "Content-Type", formed)
	}
	var in struct{ AccessToken string }
	w.want(signIn(token), 200).into(t, &in)
	read := "//nacos/v1/cs/configs?dataId=" + name + "&group=DEFAULT_GROUP&accessToken=" + url.QueryEscape(in.AccessToken)
	if got := w.want(w.call("", "GET", read, nil), 200); string(got.body) != `{"apiKey":"***","timeout":"30s"}` {
		t.Errorf("it reads %s", got.body)
	}
	listen := url.Values{"Listening-Configs": {name + "\x02DEFAULT_GROUP\x02\x01"}, "accessToken": {in.AccessToken}}.Encode()
	if got := w.want(w.call("", "POST", "//nacos/v1/cs/configs/listener", listen, "Content-Type", formed), 200); string(got.body) != url.QueryEscape(name+"\x02DEFAULT_GROUP\x01") {
		t.Errorf("it is told of %s", got.body)
	}
	w.must(w.store.RevokeToken(t.Context(), id, "test"))
	for what, got := range map[string]answer{"signing in": signIn(token), "a wrong password": signIn("guess"), "reading": w.call("", "GET", read, nil)} {
		if got.status != 403 || strings.Contains(string(got.body), token) {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
}

// A client of Apollo that can only sign does it with a token that the daemon was given for that. Any other
// token signs nothing, and a token that signs is revoked as any other.
func TestApolloSigns(t *testing.T) {
	t.Parallel()
	key, other := api.NewToken(api.UserToken), api.NewToken(api.UserToken)
	w := newWorld(t, speaking, func(o *api.Options) { o.ApolloKeys = []string{key} })
	w.profile()
	w.version("1.0.0", data("30s"))
	w.complete("1.0.0")
	ids := map[string]string{}
	for _, token := range []string{key, other} {
		ids[token] = uuid.NewString()
		w.must(w.store.CreateToken(t.Context(), store.Token{
			ID: ids[token], Name: ids[token], Kind: store.TokenAPI, Role: string(api.Viewer), Hash: api.HashToken(token), CreatedBy: "test",
		}))
	}
	path := "/configs/payment-service/production/application?releaseKey=&ip=10.0.0.1"
	signed := func(by string) answer {
		at := strconv.FormatInt(w.store.Clock().UnixMilli(), 10)
		h := hmac.New(sha1.New, []byte(by))
		h.Write([]byte(at + "\n" + path))
		return w.call("", "GET", "/"+path, nil, "Timestamp", at, "Authorization", "Apollo payment-service:"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	if got := w.want(signed(key), 200); !strings.Contains(string(got.body), `"timeout":"30s"`) {
		t.Errorf("it reads %s", got.body)
	}
	w.want(signed(other), 401)
	w.want(w.call(other, "GET", "/"+path, nil), 200)
	w.must(w.store.RevokeToken(t.Context(), ids[key], "test"))
	w.want(signed(key), 401)
}

// Flags are evaluated for who may read the profile, and a program may bring its token as an API key.
func TestOFREPAsksWho(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking)
	w.profile()
	definition := map[string]any{"state": "ENABLED", "variants": map[string]any{"on": true}, "defaultVariant": "on"}
	w.version("1.0.0", profile.Data{"flags": map[string]any{"new-cart": definition}, "timeout": "30s"})
	w.complete("1.0.0")
	evaluate := func(headers ...string) answer {
		return w.call("", "POST", "//flags/"+name+"/ofrep/v1/evaluate/flags/new-cart", `{"context": {}}`, append(headers, "Content-Type", "application/json")...)
	}
	var got struct {
		Value  bool
		Reason string
	}
	w.want(evaluate("X-Api-Key", w.tokens[api.Viewer]), 200).into(t, &got)
	if !got.Value || got.Reason != "STATIC" {
		t.Errorf("evaluated as %+v", got)
	}
	theirs := w.token(api.Viewer, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	w.want(evaluate("Authorization", "Bearer "+theirs), 404)
	refused := evaluate()
	if refused.status != 401 || !json.Valid(refused.body) {
		t.Errorf("without a token: %d %s", refused.status, refused.body)
	}
}
