package gitsource

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
)

// Auth holds the credentials of one source. Printing, logging or marshalling it shows which kinds of credential are
// set and never their content.
type Auth struct {
	// Username goes with Token; "git" when empty, which GitHub, Gitea and GitLab accept with any token.
	Username string
	// Token is the password or access token for https.
	Token string
	// TokenFile is read at each connection, so that a rotated token needs no restart.
	TokenFile string
	// TokenSource, when set, is asked at each connection, e.g. for tokens that expire within the hour.
	TokenSource func(context.Context) (string, error)

	// SSHKey is a PEM private key; SSHKeyFile names a file that holds one.
	SSHKey     []byte
	SSHKeyFile string
	// SSHPassphrase opens an encrypted key.
	SSHPassphrase string
	// KnownHosts is the content of a known_hosts file; KnownHostsFile names one. One of them is needed for ssh.
	KnownHosts     []byte
	KnownHostsFile string
}

// String tells the kinds of credential that are set.
func (a Auth) String() string {
	var kinds []string
	if a.Token != "" || a.TokenFile != "" || a.TokenSource != nil {
		kinds = append(kinds, "token")
	}
	if len(a.SSHKey) > 0 || a.SSHKeyFile != "" {
		kinds = append(kinds, "ssh key")
	}
	if len(kinds) == 0 {
		return "no credentials"
	}
	return "credentials: " + strings.Join(kinds, ", ") + " (hidden)"
}

// GoString is String, so that %#v shows no secret either.
func (a Auth) GoString() string { return a.String() }

// LogValue is String, for structured logs.
func (a Auth) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText is String, so that encoders write no secret.
func (a Auth) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// token returns the user and token for one https connection; an empty token means an anonymous one.
func (a Auth) token(ctx context.Context) (user, token string, err error) {
	user = a.Username
	if user == "" {
		user = "git"
	}
	switch {
	case a.TokenSource != nil:
		if token, err = a.TokenSource(ctx); err != nil {
			// The cause may quote the token endpoint's answer.
			return "", "", fmt.Errorf("%w: the token source gave no token", ErrAuth)
		}
	case a.TokenFile != "":
		b, err := os.ReadFile(a.TokenFile)
		if err != nil {
			return "", "", fmt.Errorf("%w: read token file: %w", ErrAuth, err)
		}
		token = string(bytes.TrimSpace(b))
	default:
		token = a.Token
	}
	if strings.ContainsAny(token, "\r\n\x00") {
		return "", "", fmt.Errorf("%w: the token holds a control character", ErrAuth)
	}
	return user, token, nil
}

// sshKey returns the PEM private key.
func (a Auth) sshKey() ([]byte, error) {
	if len(a.SSHKey) > 0 {
		return a.SSHKey, nil
	}
	if a.SSHKeyFile == "" {
		return nil, errors.New("no ssh key is configured")
	}
	return os.ReadFile(a.SSHKeyFile)
}

// redactor hides a token in every spelling that a library may print it in.
func redactor(user, token string) func(string) string {
	if len(token) < 4 {
		return func(s string) string { return s }
	}
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + token))
	r := strings.NewReplacer(basic, "***", token, "***", url.QueryEscape(token), "***", url.PathEscape(token), "***",
		url.UserPassword("", token).String(), "***")
	return r.Replace
}
