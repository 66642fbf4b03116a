package gitsource_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
)

func TestURLsThatAreRefused(t *testing.T) {
	t.Parallel()
	const canary = "ghp_CANARYCANARY"
	for _, url := range []string{
		"", " ", "repo", "file:///etc", "/etc", "./etc", "../etc", "FILE:///etc",
		"ext::sh -c touch% /tmp/pwned", "ext::sh", "--upload-pack=touch /tmp/x", "-oProxyCommand=x",
		"git://example.com/x.git", "ftp://example.com/x", "fd::17/x", "http://example.com/x.git", "transport::https://x/y",
		"ssh://-oProxyCommand=touch/x", "ssh://git@-oProxyCommand=x/y", "ssh://-l@example.com/x", "git@host:-oX", "git@-host:x",
		"git@host::x", "ssh://git:" + canary + "@example.com/x", "https://example.com", "https://example.com/", "https:///x", "https:x/y",
		"https://example.com/x?token=" + canary, "https://example.com/x#" + canary, "https://example.com:99999/x", "https://example.com:0/x",
		"https://" + canary + "@exa mple.com/x", "https://u:" + canary + "@[::1/x", "https://u:" + canary + "%zz@example.com/x", "https://ex\x00ample.com/x",
		"https://example.com/a%0ab", `https://example.com\@169.254.169.254/x`, "https://exämple.com/x",
		"https://169.254.169.254/x", "https://[fe80::1]/x", "https://[::ffff:169.254.169.254]/x", "https://[fd00:ec2::254]/x",
		"https://100.100.100.200/x", "https://127.0.0.1/x", "https://[::1]/x", "https://[::ffff:127.0.0.1]/x", "https://0.0.0.0/x",
		"https://[64:ff9b::a9fe:a9fe]/x", "https://[2002:a9fe:a9fe::]/x", "https://224.0.0.1/x", "ssh://git@169.254.169.254/x", "git@127.0.0.1:x",
		"https://example.com/" + strings.Repeat("x", 3000),
	} {
		_, err := gitsource.Open(t.Context(), gitsource.Options{ID: "s", URL: url, Branch: "main", Dir: t.TempDir()})
		if !errors.Is(err, gitsource.ErrURL) {
			t.Errorf("Open(%q) = %v, want ErrURL", url, err)
			continue
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("Open(%q) shows the secret: %v", url, err)
		}
	}
}

func TestURLsThatAreAllowed(t *testing.T) {
	t.Parallel()
	for url, shown := range map[string]string{
		"https://github.com/acme/configs.git":       "https://github.com/acme/configs.git",
		"https://u:CANARY-SECRET@example.com/x.git": "https://example.com/x.git",
		"https://CANARY-SECRET@example.com:8443/x":  "https://example.com:8443/x",
		"HTTPS://example.com/x":                     "https://example.com/x",
		"https://10.1.2.3/x.git":                    "https://10.1.2.3/x.git",
		"https://example.com/a%20b":                 "https://example.com/a%20b",
		"ssh://git@example.com:2222/acme/x.git":     "ssh://example.com:2222/acme/x.git",
		"ssh://[2001:db8::7]/x":                     "ssh://[2001:db8::7]/x",
		"git@github.com:acme/configs.git":           "ssh://github.com/acme/configs.git",
		"git@host:/srv/x.git":                       "ssh://host/srv/x.git",
	} {
		o := gitsource.Options{ID: "s", URL: url, Branch: "main", Dir: t.TempDir()}
		m, err := gitsource.Open(t.Context(), o)
		if err != nil {
			t.Errorf("Open(%q): %v", url, err)
			continue
		}
		if got, want := m.String(), "s ("+shown+")"; got != want {
			t.Errorf("%q is shown as %q, want %q", url, got, want)
		}
		if s := fmt.Sprintf("%v %+v %#v %s", o, o, o, m); strings.Contains(s, "CANARY") {
			t.Errorf("%q prints its secret: %s", url, s)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPrivateNetworksCanBeDenied(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://10.1.2.3/x", "https://192.168.1.1/x", "https://100.64.1.1/x", "git@172.16.0.1:x", "https://[fd12::1]/x"} {
		o := gitsource.Options{ID: "s", URL: url, Branch: "main", Dir: t.TempDir(), DenyPrivateNetworks: true}
		if _, err := gitsource.Open(t.Context(), o); !errors.Is(err, gitsource.ErrBlockedAddress) {
			t.Errorf("Open(%q) = %v, want ErrBlockedAddress", url, err)
		}
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*gitsource.Options){
		"no id":                  func(o *gitsource.Options) { o.ID = "" },
		"an id that is a path":   func(o *gitsource.Options) { o.ID = "../x" },
		"a hidden id":            func(o *gitsource.Options) { o.ID = ".x" },
		"no folder for mirrors":  func(o *gitsource.Options) { o.Dir = "" },
		"no branch":              func(o *gitsource.Options) { o.Branch = "" },
		"a branch that climbs":   func(o *gitsource.Options) { o.Branch = "../../config" },
		"a branch with a space":  func(o *gitsource.Options) { o.Branch = "a b" },
		"an absolute path":       func(o *gitsource.Options) { o.Path = "/etc" },
		"a path that climbs":     func(o *gitsource.Options) { o.Path = "a/../../b" },
		"an extra that climbs":   func(o *gitsource.Options) { o.Extra = []string{"schemas", ".."} },
		"a bundle without certs": func(o *gitsource.Options) { o.CABundle = []byte("none") },
	} {
		o := gitsource.Options{ID: "s", URL: "https://example.com/x", Branch: "main", Dir: t.TempDir()}
		change(&o)
		if _, err := gitsource.Open(t.Context(), o); !errors.Is(err, gitsource.ErrOptions) {
			t.Errorf("%s: %v, want ErrOptions", name, err)
		}
	}
}
