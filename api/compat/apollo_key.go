package compat

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the protocol's signature
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// apolloSkew is how far the time of a signature may be from the server's, as in Apollo.
const apolloSkew = time.Minute

// AcceptAccessKeys lets clients of Apollo sign their requests, as its access keys do, with some tokens
// of Sluice as the keys. To check a signature takes the key itself: of other tokens only a hash is kept.
// Who signs with a token is who has that token, with its role and its scope, until it is revoked.
func AcceptAccessKeys(protocols []*Protocol, tokens []string, now func() time.Time) {
	for _, p := range protocols {
		if otherwise := p.Token; p.Name == apolloName && len(tokens) > 0 {
			p.Token = func(r *http.Request) string {
				if token := signedWith(r, tokens, now()); token != "" {
					return token
				}
				return otherwise(r)
			}
		}
	}
}

// signedWith is the token that a request is signed with:
// Authorization: Apollo APP:SIGNATURE, over the time in milliseconds and the path with its query.
func signedWith(r *http.Request, tokens []string, now time.Time) string {
	signed, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Apollo ")
	_, said, two := strings.Cut(signed, ":")
	timestamp := r.Header.Get("Timestamp")
	millis, err := strconv.ParseInt(timestamp, 10, 64)
	if !ok || !two || err != nil || now.Sub(time.UnixMilli(millis)).Abs() > apolloSkew {
		return ""
	}
	for _, token := range tokens {
		if hmac.Equal([]byte(said), []byte(apolloSignature(token, timestamp, r.RequestURI))) {
			return token
		}
	}
	return ""
}

func apolloSignature(key, timestamp, path string) string {
	h := hmac.New(sha1.New, []byte(key))
	h.Write([]byte(timestamp + "\n" + path))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
