package settings

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/signature"
)

// The forge types.
const (
	ForgeLocal  = "local"
	ForgeGitHub = "github"
	ForgeGitea  = "gitea" // and Forgejo
	ForgeGitLab = "gitlab"
)

// forges are the forge types that exist, as they are written.
var forges = []string{ForgeLocal, ForgeGitHub, ForgeGitea, "forgejo", ForgeGitLab}

// Forge is where a source's pull requests, webhooks and commit statuses live.
type Forge struct {
	Type       string `key:"type" default:"local" help:"local keeps the statuses in Sluice itself; github, gitea (forgejo is the same) or gitlab"`
	URL        string `key:"url" help:"where a forge of one's own is: https://git.example.com; empty is the host of the source's URL"`
	Repository string `key:"repository" help:"owner/name at the forge; empty is that of the source's URL"`
	Token      Secret `key:"token" help:"token of the forge's API"`

	AppID             int    `key:"app_id" default:"0" help:"id of a GitHub App that stands in for a token"`
	AppInstallationID int    `key:"app_installation_id" default:"0" help:"installation of the app; 0 looks up that of the repository"`
	AppPrivateKey     Secret `key:"app_private_key" help:"private key of the app, PEM"`

	Webhooks       bool   `key:"webhooks" default:"true" help:"take the forge's webhooks; false leaves all to polling"`
	WebhookSecrets Secret `key:"webhook_secrets" help:"secrets that webhooks may be signed with, one a line or separated by commas, 32 bytes or more each"`

	PullRequestChecks bool     `key:"pull_request_checks" default:"true" help:"say in each pull request what merging it would do"`
	RequiredApprovals int      `key:"required_approvals" default:"0" help:"approving reviews that a deployment to Production waits for"`
	CommandPermission string   `key:"command_permission" default:"maintain" help:"who may write /sluice rollback and /sluice promote in a comment: none, write, maintain or admin; Gitea has no maintain, admin counts there"`
	Operators         []string `key:"operators" help:"logins who may write them whatever their permission is"`
}

// LogValue shows the forge without its secrets.
func (f Forge) LogValue() slog.Value { return logValue(f) }

// complete fills in what follows from the source's URL.
func (f *Forge) complete(source string) {
	if f.Type == "forgejo" {
		f.Type = ForgeGitea
	}
	if f.Type == ForgeLocal {
		return
	}
	web, repository := place(source)
	if base, err := url.Parse(f.URL); err == nil && f.URL != "" { // a forge below a path: https://example.com/git
		repository = strings.TrimPrefix(repository, strings.Trim(base.Path, "/")+"/")
	}
	f.URL = strings.TrimSuffix(cmp.Or(f.URL, web), "/")
	f.Repository = cmp.Or(f.Repository, repository)
}

// place says where the web pages of a repository's host are, and the
// repository's path there; "" for one on this machine.
func place(source string) (web, repository string) {
	if scpURL.MatchString(source) {
		at, colon := strings.IndexByte(source, '@'), strings.IndexByte(source, ':')
		return "https://" + webHost(source[at+1:colon]), repositoryPath(source[colon+1:])
	}
	u, err := url.Parse(source)
	if err != nil || u.Host == "" {
		return "", ""
	}
	switch u.Scheme {
	case "http", "https":
		return u.Scheme + "://" + u.Host, repositoryPath(u.Path)
	default: // the port of ssh is none of the web's
		return "https://" + webHost(u.Hostname()), repositoryPath(u.Path)
	}
}

// webHost is where a host of ssh has its web pages: GitHub and GitLab have one of another name for networks that let
// nothing out but port 443.
func webHost(ssh string) string {
	switch strings.ToLower(ssh) {
	case "ssh.github.com":
		return "github.com"
	case "altssh.gitlab.com":
		return "gitlab.com"
	}
	return ssh
}

func repositoryPath(p string) string {
	return strings.TrimSuffix(strings.Trim(p, "/"), ".git")
}

// Secrets are the webhook secrets one by one.
func (f Forge) Secrets() []string { return oneByOne(f.WebhookSecrets) }

// ApolloKeys are the access keys of Apollo's clients one by one.
func (s Settings) ApolloKeys() []string { return oneByOne(s.ApolloAccessKeys) }

func oneByOne(several Secret) []string {
	var secrets []string
	for one := range strings.FieldsFuncSeq(several.Reveal(), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if one = strings.TrimSpace(one); one != "" {
			secrets = append(secrets, one)
		}
	}
	return secrets
}

// githubRepository is owner/name; at GitLab groups are in groups.
var (
	twoPartRepository = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)
	gitlabRepository  = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$`)
)

// checkForge checks where a source's pull requests live. It never repeats a secret.
func (s Settings) checkForge(source Source, check checker) {
	f := source.Forge
	check(slices.Contains(forges, f.Type), "type", "%q is not one of: %s", f.Type, strings.Join(forges, ", "))
	f.checkWebhooks(check)
	check(f.RequiredApprovals >= 0 && f.RequiredApprovals <= 100, "required_approvals", "%d is not between 0 and 100", f.RequiredApprovals)
	check(slices.Contains([]string{"none", "write", "maintain", "admin"}, f.CommandPermission), "command_permission",
		"%q is not none, write, maintain or admin", f.CommandPermission)
	for i, login := range f.Operators {
		check(login != "" && !strings.ContainsAny(login, " \t\n@/"), fmt.Sprintf("operators[%d]", i), "%q is not a login", login)
	}
	switch f.Type {
	case ForgeLocal:
		f.checkLocal(check)
	case ForgeGitHub, ForgeGitea, ForgeGitLab:
		s.checkForgePlace(f, check)
		f.checkCredentials(check)
	}
}

// checkLocal refuses what has no meaning where there are no pull requests:
// whoever wrote it believes that it does something.
func (f Forge) checkLocal(check checker) {
	const way = "needs a forge: set forge.type to github, gitea or gitlab"
	check(f.URL == "", "url", way)
	check(f.Repository == "", "repository", way)
	check(f.Token == "", "token", way)
	check(f.AppID == 0 && f.AppInstallationID == 0 && f.AppPrivateKey == "", "app_id", way)
	check(f.RequiredApprovals == 0, "required_approvals", way)
	check(len(f.Operators) == 0, "operators", way)
}

// checkForgePlace checks where the forge is. The URL is repeated only once it
// is known to hold no password.
func (s Settings) checkForgePlace(f Forge, check checker) {
	u, err := url.Parse(f.URL)
	switch {
	case f.URL == "":
		check(false, "url", "cannot be told from the source's url, write https://git.example.com")
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		check(false, "url", "must be like https://git.example.com, without user or query")
	case u.Scheme == "http":
		check(s.AllowInsecureHTTP, "url", "http:// is not encrypted; allow_insecure_http allows it")
	default:
		check(u.Scheme == "https", "url", "must begin with https://")
	}
	valid, shape := twoPartRepository, "owner/name"
	if f.Type == ForgeGitLab {
		valid, shape = gitlabRepository, "group/name"
	}
	check(f.Repository != "", "repository", "cannot be told from the source's url, write %s", shape)
	check(f.Repository == "" || valid.MatchString(f.Repository) && path.Clean(f.Repository) == f.Repository && f.Repository[0] != '.',
		"repository", "%q is not like %s", f.Repository, shape)
}

// checkCredentials wants one way to sign in to the forge's API, and one only.
func (f Forge) checkCredentials(check checker) {
	app := f.AppID != 0 || f.AppInstallationID != 0 || f.AppPrivateKey != ""
	check(f.Type == ForgeGitHub || !app, "app_id", "is of GitHub alone, give a token")
	check(f.Token == "" || !app, "token", "is given, and an app too: give one")
	if f.Type != ForgeGitHub || !app {
		check(f.Token != "" || app, "token", "is missing: no commit status can be posted without one, by token or token_file")
		return
	}
	check(f.AppID > 0, "app_id", "%d is not the id of an app", f.AppID)
	check(f.AppInstallationID >= 0, "app_installation_id", "%d is not the id of an installation", f.AppInstallationID)
	check(isRSAKey(f.AppPrivateKey.Reveal()), "app_private_key", "is not the PEM file with an RSA key that GitHub makes for an app")
}

func isRSAKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	_, pkcs1 := x509.ParsePKCS1PrivateKey(block.Bytes)
	_, pkcs8 := x509.ParsePKCS8PrivateKey(block.Bytes)
	return pkcs1 == nil || pkcs8 == nil
}

// checkWebhooks: an unsigned webhook, or one with a secret that can be guessed,
// lets anybody speak for the forge.
func (f Forge) checkWebhooks(check checker) {
	const way = "openssl rand -hex 32 makes one"
	secrets := f.Secrets()
	for i, secret := range secrets {
		if f.Type == ForgeLocal { // for the generic webhook alone, which knows whsec_ too
			_, err := signature.Key(secret)
			check(err == nil, "webhook_secrets", "number %d %v", i+1, err)
			continue
		}
		why := key.weak(secret)
		check(why == "", "webhook_secrets", "number %d %s", i+1, why)
	}
	check(f.Type == ForgeLocal || !f.Webhooks || len(secrets) > 0, "webhook_secrets",
		"is missing: %s; or set webhooks to false, and polling alone finds what is merged", way)
}
