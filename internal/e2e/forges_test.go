package e2e_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/fakeforge"
	"github.com/sluicehq/sluice/internal/testenv"
)

// webhookSecret signs the forge's deliveries; it is planted to be looked for.
const webhookSecret = "canary-webhook-secret-0123456789abcdef"

// workshop is a repository at a forge where people open pull requests, the
// daemon that checks and rolls out, and a fleet.
type workshop struct {
	*stage
	t     *testing.T
	forge *fakeforge.Forge
	kind  fakeforge.Dialect
	doors func() string // where deliveries go
}

// forgeSettings is a settings file for a source at a forge.
func forgeSettings(t *testing.T, kind fakeforge.Dialect, f *fakeforge.Forge, externalURL string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	body := fmt.Sprintf(`allow_insecure_http: true
external_url: %s
sources:
  - id: configs
    url: %s
    poll_interval: 1h
    open_revert_pull_request: true
    auth: {token: %s}
    forge: {type: %s, url: %s, repository: %s, token: %s, webhook_secrets: %s}
`, externalURL, f.CloneURL, f.Token, kind, f.URL, f.Repository, f.Token, webhookSecret)
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// openWorkshop sets a workshop on which version 1.0.0 completed on ten
// instances. Nothing is polled: what webhooks do not tell is not found for an hour.
func openWorkshop(t *testing.T, program string, kind fakeforge.Dialect) *workshop {
	t.Helper()
	f := fakeforge.New(t, kind, fakeforge.Options{})
	f.Allow("ann", "write")
	f.Allow("max", "maintain")
	f.Allow("root", "admin")
	if kind == fakeforge.Gitea { // which knows no maintainer, and tells only an administrator what others may do
		f.Allow("max", "admin")
		f.Allow(f.Me, "admin")
	}
	s := &stage{t: t, scene: scene{t: t, repo: f.Repo, fleet: &fleet{}}}
	s.first = s.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	s.daemon = newDaemon(t, program)
	s.database = filepath.Join(s.data, "sluice.db")
	s.settings = forgeSettings(t, kind, f, s.url())
	s.args = append(s.args, s.sourceArgs()...)
	w := &workshop{stage: s, t: t, forge: f, kind: kind, doors: s.url}
	s.start()
	s.api = s.signIn()
	s.fleet = join(t, s.url(), "shop", members)
	s.everywhere("1.0.0")
	s.concludes(s.first, "Completed")
	return w
}

// tell delivers an event, which must be taken.
func (w *workshop) tell(e fakeforge.Event) {
	w.t.Helper()
	if status := w.forge.Deliver(w.doors()+"/webhooks/"+string(w.kind), webhookSecret, e); status != http.StatusAccepted {
		w.t.Fatalf("%s was answered with %d", e.Kind, status)
	}
}

// proposes opens a pull request with a content of the shop's profile.
func (w *workshop) proposes(author, branch, title, content string) int {
	w.t.Helper()
	w.forge.PushBranch(branch, author, map[string]*string{shopFile: &content})
	n := w.forge.Open(branch, title, author)
	w.tell(fakeforge.Event{Kind: fakeforge.PullChanged, Number: n})
	return n
}

// merges merges a pull request and returns the commit that it became.
func (w *workshop) merges(n int) string {
	w.t.Helper()
	before := w.forge.Repo.Head()
	commit := w.forge.Merge(n)
	w.tell(fakeforge.Event{Kind: fakeforge.Pushed, Ref: "refs/heads/main", Before: before, After: commit})
	return commit
}

// shown waits until a reader of the commit sees a status in one of the states.
func (w *workshop) shown(commit, context string, states ...string) fakeforge.Status {
	w.t.Helper()
	var found fakeforge.Status
	eventually(w.t, fmt.Sprintf("%s of %s to be %v", context, commit, states), func() bool {
		found = w.forge.Shown(commit)[context]
		return slices.Contains(states, string(found.State))
	})
	return found
}

// failed is how the forge shows a change that is bad.
func (w *workshop) failed() string {
	if w.kind == fakeforge.GitLab {
		return "failed"
	}
	return "failure"
}

// told waits until a comment of Sluice's on a pull request has a text, and returns it.
func (w *workshop) told(n int, text string) string {
	w.t.Helper()
	body := ""
	eventually(w.t, fmt.Sprintf("pull request %d to be told %q", n, text), func() bool {
		for _, c := range w.forge.Comments(n) {
			if c.Author == w.forge.Me && strings.Contains(c.Body, text) {
				body = c.Body
				return true
			}
		}
		return false
	})
	return body
}

// says comments on a pull request and tells of it.
func (w *workshop) says(n int, author, text string) {
	w.t.Helper()
	w.tell(fakeforge.Event{Kind: fakeforge.Commented, Number: n, Comment: w.forge.CommentAs(n, author, text)})
}

// own counts Sluice's comments on a pull request, without the remarks beside
// lines, which GitLab keeps among them.
func (w *workshop) own(n int) (count int) {
	for _, c := range w.forge.Comments(n) {
		if c.Author == w.forge.Me && (strings.Contains(c.Body, "sluice:check") || strings.Contains(c.Body, "sluice:rollback/")) {
			count++
		}
	}
	return count
}

// A commit that changes many profiles is a few calls to the forge, and it hears who is wrong.
func TestALargeCommitIsAFewCalls(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t, testenv.Binary(t), fakeforge.GitHub)
	changed := map[string]*string{}
	for i := range 120 {
		body := strings.NewReplacer("name: "+shop, fmt.Sprintf("name: many-%03d", i), "service: shop", "service: many").Replace(shopWith(automatic, "greeting: hello"))
		if i == 7 {
			body = strings.Replace(body, "data:", "dato:", 1)
		}
		changed[fmt.Sprintf("%s-%03d.yaml", strings.TrimSuffix(shopFile, ".yaml"), i)] = &body
	}
	w.forge.PushBranch("many", "ann", changed)
	n := w.forge.Open("many", "Open a hundred shops", "ann")
	commit := w.merges(n)
	w.shown(commit, "sluice", "failure")
	w.shown(commit, "sluice/many-007", "failure")
	eventually(t, "nothing to wait to be posted", func() bool {
		statuses, err := w.api.Statuses(t.Context(), commit)
		return err == nil && len(statuses) == 121 && !slices.ContainsFunc(statuses, func(s wire.CommitStatus) bool { return !s.Quiet && s.PostedAt == nil })
	})
	if shown := w.forge.Shown(commit); len(shown) != 2 {
		t.Errorf("the forge shows %d statuses, want the aggregate and the one that is wrong: %v", len(shown), shown)
	}
}

// A file that many profiles extend was changed for the worse: the pull request is told in a few comments, and one
// pull request reverts it.
func TestManyRollbacksOfOnePullRequest(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t, testenv.Binary(t), fakeforge.GitHub)
	const many = 13
	folder := strings.TrimSuffix(shopFile, "staging.yaml")
	base := func(level string) *string {
		body := fmt.Sprintf("apiVersion: sluice/v1\nkind: ConfigBase\ndata: {level: %s}\n", level)
		return &body
	}
	names, changed := make([]string, many), map[string]*string{folder + "base.yaml": base("info")}
	for i := range names {
		names[i] = fmt.Sprintf("extending-%02d", i)
		body := strings.NewReplacer("name: "+shop, "name: "+names[i]+"\nextends: [base.yaml]", "service: shop", "service: many").Replace(shopWith(automatic, "greeting: hello"))
		changed[folder+names[i]+".yaml"] = &body
	}
	merged := func(title string, files map[string]*string) (int, string) {
		w.forge.PushBranch(title, "ann", files)
		n := w.forge.Open(title, title, "ann")
		commit := w.merges(n)
		w.shown(commit, "sluice", "success")
		return n, commit
	}
	merged("open", changed)
	n, _ := merged("debug", map[string]*string{folder + "base.yaml": base("debug")})
	for _, name := range names {
		if _, err := w.api.RollbackConfig(t.Context(), name, "", "too loud"); err != nil {
			t.Fatal(err)
		}
	}
	body := w.told(n, "3 more profiles rolled back")
	if strings.Count(body, "too loud") != 3 || !strings.Contains(body, "@ann") {
		t.Errorf("the others are told so:\n%s", body)
	}
	urls := map[string]bool{}
	eventually(t, "every hold to have its revert", func() bool {
		clear(urls)
		for _, name := range names {
			c, err := w.api.Config(t.Context(), name)
			if err != nil || c.Hold == nil || c.Hold.RevertURL == "" {
				return false
			}
			urls[c.Hold.RevertURL] = true
		}
		return true
	})
	if last := w.forge.Pulls(); len(urls) != 1 || len(last) != n+1 || last[n].Title != "Revert "+folder+"base.yaml" {
		t.Errorf("%d pull requests revert one file: %v", len(urls), urls)
	}
	eventually(t, "one comment each of the first ten, and one of the others", func() bool {
		own := 0
		for _, c := range w.forge.Comments(n) {
			if c.Author == w.forge.Me && strings.Contains(c.Body, "too loud") {
				own++
			}
		}
		return own == 11
	})
}

// TestTheWholeWay goes from a pull request to its last status at each forge.
func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	program := testenv.Binary(t)
	for _, kind := range []fakeforge.Dialect{fakeforge.GitHub, fakeforge.Gitea, fakeforge.GitLab} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := openWorkshop(t, program, kind)
			w.goodChange()
			w.brokenChange()
			w.badChange()
			w.orders()
			for _, secret := range []string{webhookSecret, w.forge.Token, adminPassword, registrationToken} {
				if strings.Contains(w.logs(), secret) {
					t.Errorf("the log has the secret %s…", secret[:12])
				}
			}
		})
	}
}

// goodChange is checked, merged, rolled out and reported.
func (w *workshop) goodChange() {
	w.t.Helper()
	n := w.proposes("ann", "greet", "Greet better", shopWith(automatic, "greeting: servus"))
	head := w.forge.Pull(n).Head
	check := w.shown(head, "sluice/check", "success")
	body := w.told(n, "1.0.1")
	for _, want := range []string{"shop.staging", "servus", "hello"} {
		if !strings.Contains(body, want) {
			w.t.Errorf("the comment says nothing of %q:\n%s", want, body)
		}
	}
	w.t.Logf("pull request %d: sluice/check %s: %s\n%s", n, check.State, check.Description, body)
	commit := w.merges(n)
	d := w.concludes(commit, "Completed")
	status := w.shown(commit, "sluice/"+shop, "success")
	if want := w.url() + "/deployments/" + d.ID; status.TargetURL != want {
		w.t.Errorf("the status links to %s, want %s", status.TargetURL, want)
	}
	w.shown(commit, "sluice", "success")
	w.t.Logf("merged as %.7s: %s", commit, w.history(commit))
}

// history is every state that a commit was shown in.
func (w *workshop) history(commit string) string {
	var lines []string
	for _, s := range w.forge.Statuses(commit) {
		lines = append(lines, fmt.Sprintf("\n  %-22s %-8s %s", s.Context, s.State, s.Description))
	}
	return strings.Join(lines, "")
}

// brokenChange fails its check, with the place, and passes when it is mended.
func (w *workshop) brokenChange() {
	w.t.Helper()
	n := w.proposes("ann", "typo", "Greet shortly", strings.Replace(shopWith(automatic, "greeting: moin"), "strategy:", "stratgy:", 1))
	broken := w.shown(w.forge.Pull(n).Head, "sluice/check", w.failed())
	if !strings.Contains(broken.Description, shopFile+":6:1") {
		w.t.Errorf("the status does not say where: %s", broken.Description)
	}
	w.t.Logf("pull request %d: sluice/check %s: %s\n%s", n, broken.State, broken.Description, w.told(n, "stratgy"))
	mended := shopWith(automatic, "greeting: moin")
	head := w.forge.Change(n, "ann", map[string]*string{shopFile: &mended})
	w.tell(fakeforge.Event{Kind: fakeforge.PullChanged, Number: n, Action: map[fakeforge.Dialect]string{
		fakeforge.GitHub: "synchronize", fakeforge.Gitea: "synchronized", fakeforge.GitLab: "update"}[w.kind]})
	w.shown(head, "sluice/check", "success")
	w.told(n, "1.0.2")
	if got := w.own(n); got != 1 {
		w.t.Errorf("%d comments, want one that is changed in place", got)
	}
	w.forge.Close(n)
}

// badChange is rolled back, reported and reverted.
func (w *workshop) badChange() {
	w.t.Helper()
	n := w.proposes("ann", "worse", "Greet badly", shopWith(automatic, "greeting: hello, failing: 60"))
	w.shown(w.forge.Pull(n).Head, "sluice/check", "success")
	commit := w.merges(n)
	w.concludes(commit, "RolledBack")
	w.shown(commit, "sluice/"+shop, w.failed())
	w.shown(commit, "sluice", w.failed())
	body := w.told(n, "was rolled back")
	if !strings.HasPrefix(strings.TrimSpace(marker.ReplaceAllString(body, "")), "@ann ") {
		w.t.Errorf("the author is not addressed:\n%.300s", body)
	}
	var revert fakeforge.Pull
	eventually(w.t, "the revert pull request", func() bool {
		pulls := w.forge.Pulls()
		revert = pulls[len(pulls)-1]
		return revert.Number > n
	})
	body = w.told(n, "makes Git say what runs")
	w.t.Logf("merged as %.7s: %s\npull request %d is told\n%s\nrevert pull request %d: %s\n%s", commit, w.history(commit), n, body, revert.Number, revert.Title, revert.Body)
	w.tell(fakeforge.Event{Kind: fakeforge.PullChanged, Number: revert.Number})
	w.shown(revert.Head, "sluice/check", "success")
	back := w.merges(revert.Number)
	w.concludes(back, "Completed")
	w.shown(back, "sluice/"+shop, "success")
	held, err := w.api.Config(w.t.Context(), shop)
	if err != nil || held.Hold != nil {
		w.t.Errorf("the revert is merged and the hold %+v is in force, %v", held.Hold, err)
	}
	w.told(n, "hold on the profile has ended")
}

// marker is what hides in a comment of Sluice's.
var marker = regexp.MustCompile(`<!--[^>]*-->`)

// orders are given in comments, by those who may.
func (w *workshop) orders() {
	w.t.Helper()
	n := w.proposes("ann", "slowly", "Greet by hand", shopWith(byHand, "greeting: ahoi"))
	w.says(n, "ann", "/sluice check")
	commit := w.merges(n)
	w.awaitsPromotion(commit, 1)
	w.says(n, "stranger", "/sluice rollback because I can")
	w.says(n, "ann", "/sluice promote")
	w.told(n, "may run deployments")
	w.says(n, "max", "Looks good to me.\n/sluice promote")
	w.awaitsPromotion(commit, 2)
	w.says(n, "max", "/sluice rollback customers complain")
	d := w.concludes(commit, "RolledBack")
	if want := fmt.Sprintf("max via pull request %d", n); d.RollbackBy != want || d.RollbackReason != "customers complain" {
		w.t.Errorf("rolled back by %q for %q, want %q", d.RollbackBy, d.RollbackReason, want)
	}
	status := w.shown(commit, "sluice/"+shop, w.failed())
	w.t.Logf("merged as %.7s, promoted and rolled back by comments: %s", commit, status.Description)
	for _, c := range w.forge.Comments(n) {
		if c.Author == w.forge.Me && strings.Contains(c.Body, "@stranger") {
			w.t.Errorf("a stranger was answered: %s", c.Body)
		}
	}
	if all := w.deployments(client.DeploymentFilter{Commit: commit}); len(all) != 1 {
		w.t.Errorf("%d deployments of %s, want one", len(all), cmp.Or(commit, "?"))
	}
}
