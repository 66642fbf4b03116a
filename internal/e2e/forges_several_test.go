package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/fakeforge"
	"github.com/sluicehq/sluice/internal/testenv"
)

// inProduction is a profile that a schema holds to and nobody runs.
func inProduction(name, data string) string {
	return fmt.Sprintf("apiVersion: sluice/v1\nkind: ConfigProfile\nname: %s\nservice: %s\nenvironment: Production\nschema: any.v1\ndata: {%s}\n", name, name, data)
}

// TestSourcesAtSeveralForges lets one daemon serve three sources at three
// forges, whose deployments to Production wait for a review. One of the forges is
// away for a while.
func TestSourcesAtSeveralForges(t *testing.T) {
	t.Parallel()
	kinds := []fakeforge.Dialect{fakeforge.GitHub, fakeforge.Gitea, fakeforge.GitLab}
	forges := map[fakeforge.Dialect]*fakeforge.Forge{}
	var file strings.Builder
	file.WriteString("allow_insecure_http: true\nsources:\n")
	for _, kind := range kinds {
		f := fakeforge.New(t, kind, fakeforge.Options{})
		f.Allow("ann", "write")
		f.Allow("max", "write")
		f.Allow(f.Me, "admin")
		f.Repo.Write("schemas/any.v1.yaml", "type: object\n")
		f.Repo.Commit("Take anything")
		f.Repo.Push()
		forges[kind] = f
		fmt.Fprintf(&file, `  - id: %[1]s
    url: %[2]s
    poll_interval: 1h
    auth: {token: %[5]s}
    forge: {type: %[1]s, url: %[3]s, repository: %[4]s, token: %[5]s, webhook_secrets: %[6]s, required_approvals: 1}
`, kind, f.CloneURL, f.URL, f.Repository, f.Token, webhookSecret)
	}
	settings := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(settings, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, testenv.Binary(t), "--config", settings)
	d.start()
	api := d.signIn()

	forges[fakeforge.Gitea].Inject(fakeforge.Fault{Status: 503, Times: -1})
	merged := map[fakeforge.Dialect]string{}
	for _, kind := range kinds {
		w := &workshop{stage: &stage{daemon: d, t: t, scene: scene{t: t, api: api}}, t: t, forge: forges[kind], kind: kind, doors: d.url}
		content := inProduction("mail-"+string(kind), "from: me")
		path := "mail.yaml"
		w.forge.PushBranch("mail", "ann", map[string]*string{path: &content})
		n := w.forge.Open("mail", "Send mail", "ann")
		w.tell(fakeforge.Event{Kind: fakeforge.PullChanged, Number: n})
		if kind != fakeforge.Gitea {
			w.shown(w.forge.Pull(n).Head, "sluice/check", "success")
			w.told(n, "needs 1 review approval")
		}
		w.forge.Approve(n, "max")
		merged[kind] = w.merges(n)
	}
	for _, kind := range kinds {
		if kind == fakeforge.Gitea {
			awaitsApproval(t, api, merged[kind])
			forges[kind].Heal()
			forges[kind].Deliver(d.url()+"/webhooks/gitea", webhookSecret, fakeforge.Event{Kind: fakeforge.Pushed, Ref: "refs/heads/main", Before: merged[kind], After: merged[kind]})
		}
		var done wire.Deployment
		eventually(t, "the deployment of "+string(kind)+" to complete", func() bool {
			done = deploymentOf(t, api, merged[kind])
			return done.Status == "Completed"
		})
		page, err := api.Audit(t.Context(), client.AuditFilter{EntityType: "deployment", EntityID: done.ID, EventType: "deployment.promoted"})
		if err != nil || len(page.Items) != 1 || page.Items[0].User != "max" {
			t.Errorf("%s: the audit log says %+v, %v, want one approval by max", kind, page.Items, err)
		}
	}

	// Nobody reviews this one: an operator has to promote it.
	f := forges[fakeforge.GitHub]
	w := &workshop{stage: &stage{daemon: d, t: t, scene: scene{t: t, api: api}}, t: t, forge: f, kind: fakeforge.GitHub, doors: d.url}
	content := inProduction("mail-github", "from: you")
	f.PushBranch("more", "ann", map[string]*string{"mail.yaml": &content})
	commit := w.merges(f.Open("more", "Send more mail", "ann"))
	waiting := awaitsApproval(t, api, commit)
	if _, err := api.Promote(t.Context(), waiting.ID, wire.PromoteRequest{Reason: "nobody is there to review"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the promoted deployment to complete", func() bool { return deploymentOf(t, api, commit).Status == "Completed" })
}

// deploymentOf is the deployment that a commit made; zero before it is made.
func deploymentOf(t *testing.T, api *client.Client, commit string) wire.Deployment {
	t.Helper()
	page, err := api.Deployments(t.Context(), client.DeploymentFilter{Commit: commit})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) == 0 {
		return wire.Deployment{}
	}
	return page.Items[0]
}

// awaitsApproval waits until the deployment of a commit waits for a review.
func awaitsApproval(t *testing.T, api *client.Client, commit string) (d wire.Deployment) {
	t.Helper()
	eventually(t, "the deployment of "+commit+" to wait for a review", func() bool {
		d = deploymentOf(t, api, commit)
		return d.Awaiting == "Approval" && strings.Contains(d.Explanation, "needs 1 review approval")
	})
	return d
}

func TestAMergeQueueHearsOfItsCommits(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t, testenv.Binary(t), fakeforge.GitHub)
	good, bad := shopWith(automatic, "greeting: hi"), "kind: ConfigProfile\nname: [\n"
	passes := w.forge.PushBranch("gh-readonly-queue/main/pr-7-"+w.first, "ann", map[string]*string{shopFile: &good})
	breaks := w.forge.PushBranch("gh-readonly-queue/main/pr-8-"+w.first, "ann", map[string]*string{shopFile: &bad})
	w.tell(fakeforge.Event{Kind: fakeforge.Pushed, Ref: "refs/heads/main", Before: w.first, After: w.first})
	w.shown(passes, "sluice/check", "success")
	w.shown(breaks, "sluice/check", "failure")
}
