// Package redact keeps secrets out of what people and logs read: by the name
// of a field, and inside URLs.
package redact

import (
	"net/url"
	"regexp"
	"strings"
)

// Mask stands where a secret was.
const Mask = "***"

// secretWords mark a key whose value is a secret, wherever they stand in it.
var secretWords = []string{
	"password", "passwd", "passphrase", "secret", "token", "authorization", "cookie",
	"apikey", "privatekey", "masterkey", "credential", "dsn",
}

// publicEndings mark keys that name where or when a secret is, not the secret:
// token_file, tokenId, secret_name, password_changed_at.
var publicEndings = []string{"file", "id", "name", "at", "count", "kind", "type"}

// Key says whether the value of a key with this name must not be shown. The
// style of the name does not matter: apiKey, api_key, API-KEY.
func Key(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	for _, end := range publicEndings {
		if strings.HasSuffix(plain, end) {
			return false
		}
	}
	for _, word := range secretWords {
		if strings.Contains(plain, word) {
			return true
		}
	}
	return false
}

// URL is s without user, password, query and fragment. What does not parse as
// a URL is masked whole: there is no telling what it holds.
func URL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return Mask
	}
	if u.User != nil {
		u.User = url.User(Mask)
	}
	if u.RawQuery != "" {
		u.RawQuery = Mask
	}
	u.Fragment, u.RawFragment = "", ""
	// The mask is to be read, not to be followed.
	return strings.ReplaceAll(u.String(), url.QueryEscape(Mask), Mask)
}

// urls finds URLs inside text, up to where a sentence or a quotation ends them.
var urls = regexp.MustCompile(`\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>]+`)

// Text is s with every URL in it passed through URL when that holds anything
// to hide, and bearer tokens masked.
func Text(s string) string {
	if strings.Contains(s, "://") {
		s = urls.ReplaceAllStringFunc(s, func(found string) string {
			if !strings.ContainsAny(found, "@?#") {
				return found
			}
			return URL(found)
		})
	}
	return bearer.ReplaceAllString(s, "${1}"+Mask)
}

var bearer = regexp.MustCompile(`(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}|\bsl[tir]_[A-Za-z0-9_-]{8,}`)
