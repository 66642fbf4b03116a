package web

import (
	"fmt"
	"net/url"
	"strings"
)

// ForgeURL is a repository's page at its forge, "" where a source's URL does not
// lead to one, as that of a folder does not.
func ForgeURL(source string) string {
	if !strings.Contains(source, "://") { // as in git@host:team/repository.git
		user, rest, ok := strings.Cut(source, "@")
		host, path, there := strings.Cut(rest, ":")
		if !ok || !there || strings.ContainsAny(user+host, "/\\") {
			return ""
		}
		source = "ssh://" + host + "/" + strings.TrimPrefix(path, "/")
	}
	u, err := url.Parse(source)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	page := url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")}
	switch u.Scheme {
	case "http", "https":
	case "ssh", "git+ssh": // the port is that of SSH
		page.Scheme, page.Host = "https", u.Hostname()
	default:
		return ""
	}
	if strings.Count(page.Path, "/") < 1 {
		return "" // every forge has repositories of somebody
	}
	return page.String()
}

// CommitURL is a commit's page at the forge, "" for none. All forges know this
// path: GitLab leads on from it.
func CommitURL(source, commit string) string {
	page := ForgeURL(source)
	if page == "" || commit == "" {
		return ""
	}
	return page + "/commit/" + url.PathEscape(commit)
}

// PullRequestURL is a pull request's page at the forge, "" where the host does not
// tell which forge it is: each has a path of its own.
func PullRequestURL(source string, number int) string {
	page := ForgeURL(source)
	u, err := url.Parse(page)
	if page == "" || err != nil || number < 1 {
		return ""
	}
	for _, forge := range []struct{ host, path string }{
		{"github", "/pull/%d"}, {"gitlab", "/-/merge_requests/%d"}, {"gitea", "/pulls/%d"}, {"forgejo", "/pulls/%d"}, {"codeberg.org", "/pulls/%d"},
	} {
		if strings.Contains(u.Hostname(), forge.host) {
			return page + fmt.Sprintf(forge.path, number)
		}
	}
	return ""
}
