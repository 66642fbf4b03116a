// Package fakeidp is an identity provider for tests: OpenID Connect over real
// HTTP, with real keys, that can be told to answer as it should not.
package fakeidp

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
)

// Provider is the fake. Set its fields before somebody signs in.
type Provider struct {
	*httptest.Server
	ClientID, ClientSecret string
	Claims                 map[string]any                                         // of whoever signs in, over those that every token has
	Sign                   func(claims jwt.MapClaims, key *rsa.PrivateKey) string // nil signs with RS256
	Status                 atomic.Int32                                           // of every answer, when not 0

	mu    sync.Mutex
	keys  []*rsa.PrivateKey // the last signs; all are published
	codes map[string]url.Values
}

// New starts one. Close ends it.
func New() *Provider {
	p := &Provider{ClientID: "sluice", ClientSecret: "s3cret-of-the-client", codes: map[string]url.Values{}}
	p.keys = []*rsa.PrivateKey{firstKey()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.configuration)
	mux.HandleFunc("GET /keys", p.publish)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := p.Status.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		mux.ServeHTTP(w, r)
	}))
	return p
}

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// firstKey is the same for all: keys take long to make.
var firstKey = sync.OnceValue(newKey)

// Rotate makes a new key; without keep the old ones are not published any more.
func (p *Provider) Rotate(keep bool) {
	key := newKey()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !keep {
		p.keys = nil
	}
	p.keys = append(p.keys, key)
}

func (p *Provider) configuration(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}, "response_types_supported": []string{"code"},
	})
}

func keyID(key *rsa.PrivateKey) string {
	return base64.RawURLEncoding.EncodeToString(key.N.Bytes()[:8])
}

func (p *Provider) publish(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := []map[string]string{}
	for _, key := range p.keys {
		keys = append(keys, map[string]string{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID(key), "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		})
	}
	answer(w, map[string]any{"keys": keys})
}

// authorize signs whoever comes in at once.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	if asked.Get("client_id") != p.ClientID || asked.Get("response_type") != "code" || asked.Get("code_challenge_method") != "S256" {
		http.Error(w, "not as a client asks", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = asked
	p.mu.Unlock()
	back := asked.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {asked.Get("state")}}.Encode()
	http.Redirect(w, r, back, http.StatusFound)
}

// token exchanges a code, once, for whom its challenge fits.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	p.mu.Lock()
	asked, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	key := p.keys[len(p.keys)-1]
	p.mu.Unlock()
	if !ok || id != p.ClientID || secret != p.ClientSecret || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") ||
		oauth2.S256ChallengeFromVerifier(r.PostFormValue("code_verifier")) != asked.Get("code_challenge") {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := jwt.MapClaims{"iss": p.URL, "aud": p.ClientID, "sub": "subject-1", "nonce": asked.Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	for name, value := range p.Claims {
		claims[name] = value
	}
	sign := p.Sign
	if sign == nil {
		sign = RS256
	}
	answer(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 60, "id_token": sign(claims, key)})
}

// RS256 signs as providers do.
func RS256(claims jwt.MapClaims, key *rsa.PrivateKey) string {
	return With(jwt.SigningMethodRS256, claims, key, keyID(key))
}

// With signs by any method, with any key.
func With(method jwt.SigningMethod, claims jwt.MapClaims, key any, kid string) string {
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		panic(err)
	}
	return text
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(err)
	}
}
