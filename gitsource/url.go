package gitsource

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// remoteURL is a repository's address taken apart and checked, without any credentials.
type remoteURL struct {
	scheme string // https, http, ssh or file
	user   string // ssh only
	host   string // without brackets
	port   int    // 0 is the scheme's default
	path   string
}

var (
	scpLike  = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)@([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):([^:-].*)$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?$|^[0-9A-Fa-f:.]+$`)
	sshUser  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrURL, fmt.Sprintf(format, args...))
}

// parseURL checks a source's URL. Its errors never quote the URL: what does not parse may hold a secret anywhere.
func parseURL(o Options) (remoteURL, error) {
	raw := o.URL
	if raw == "" || len(raw) > 2048 || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return remoteURL{}, refused("it is empty, too long, or holds a space, a backslash or a control character")
	}
	scheme, _, isURL := strings.Cut(raw, "://")
	if isURL {
		return parseSchemeURL(o, strings.ToLower(scheme))
	}
	if m := scpLike.FindStringSubmatch(raw); m != nil {
		return remoteURL{scheme: "ssh", user: m[1], host: strings.Trim(m[2], "[]"), path: m[3]}, nil
	}
	if strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "./") || strings.HasPrefix(raw, "../") {
		return parseFilePath(o, raw)
	}
	return remoteURL{}, refused("it is none of https://, ssh:// and user@host:path")
}

func parseFilePath(o Options, p string) (remoteURL, error) {
	if !o.AllowFile {
		return remoteURL{}, refused("local repositories are not allowed")
	}
	abs, err := filepath.Abs(p)
	if err != nil {
		return remoteURL{}, refused("the local path cannot be made absolute")
	}
	return remoteURL{scheme: "file", path: abs}, nil
}

func parseSchemeURL(o Options, scheme string) (remoteURL, error) {
	switch {
	case scheme == "https", scheme == "ssh":
	case scheme == "http" && o.AllowInsecureHTTP:
	case scheme == "http":
		return remoteURL{}, refused("http is not allowed, use https")
	case scheme == "file" && o.AllowFile:
	case scheme == "file":
		return remoteURL{}, refused("local repositories are not allowed")
	default:
		return remoteURL{}, refused("its scheme is not one of https and ssh")
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return remoteURL{}, refused("it does not parse")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return remoteURL{}, refused("it has a query or a fragment")
	}
	if strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return remoteURL{}, refused("its path holds a control character")
	}
	if scheme == "file" {
		if u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") {
			return remoteURL{}, refused("a file URL is file:///absolute/path")
		}
		return parseFilePath(o, u.Path)
	}
	return parseNetworkURL(scheme, u)
}

func parseNetworkURL(scheme string, u *url.URL) (remoteURL, error) {
	r := remoteURL{scheme: scheme, host: u.Hostname(), path: u.Path}
	if !hostName.MatchString(r.host) {
		return remoteURL{}, refused("its host name is not valid")
	}
	if p := u.Port(); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return remoteURL{}, refused("its port is not valid")
		}
		r.port = n
	}
	if strings.Trim(r.path, "/") == "" {
		return remoteURL{}, refused("it names no repository")
	}
	if scheme == "ssh" {
		if _, has := u.User.Password(); has {
			return remoteURL{}, refused("it holds a password; ssh sources need a key")
		}
		if r.user = u.User.Username(); r.user == "" {
			r.user = "git"
		}
		if !sshUser.MatchString(r.user) {
			return remoteURL{}, refused("its user name is not valid")
		}
	}
	return r, nil
}

// splitUserinfo moves credentials out of an http(s) URL. A user alone is taken for a token, as in
// https://TOKEN@host/; credentials that are configured separately win.
func splitUserinfo(o Options) Auth {
	a := o.Auth
	u, err := url.Parse(o.URL)
	if err != nil || u.User == nil || !strings.HasPrefix(strings.ToLower(u.Scheme), "http") {
		return a
	}
	if a.Token != "" || a.TokenFile != "" || a.TokenSource != nil {
		return a
	}
	if pass, has := u.User.Password(); has {
		a.Username, a.Token = u.User.Username(), pass
	} else {
		a.Token = u.User.Username()
	}
	return a
}

// String is the address in a form that is safe to show.
func (r remoteURL) String() string {
	if r.scheme == "file" {
		return "file://" + r.path
	}
	return r.endpoint().String()
}

func (r remoteURL) endpoint() *transport.Endpoint {
	host := r.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	p := r.path
	if r.scheme != "ssh" {
		// go-git pastes the path into request URLs as it is.
		p = (&url.URL{Path: p}).EscapedPath()
	}
	return &transport.Endpoint{Protocol: r.scheme, Host: host, Port: r.port, Path: p}
}
