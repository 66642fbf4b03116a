package reconciler_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

var update = flag.Bool("update", false, "write the golden files anew")

// schemed is a profile file of production with a schema.
func schemed(name, data string, extra ...string) string {
	src := doc(name, data, append([]string{"schema: pay"}, extra...)...)
	return strings.Replace(src, "environment: Staging", "environment: Production", 1)
}

const paySchema = `x-sluice-compatibility: Backward
type: object
properties:
  timeout: {type: string}
  retries: {type: integer, maximum: 5}
  apiKey: {}
  db: {type: object}
`

// crew is a fleet of so many live instances.
func crew(now time.Time, n int, groups ...string) rollout.Snapshot {
	var snap rollout.Snapshot
	for i := range n {
		in := fleet.Instance{ID: fmt.Sprintf("i%02d", i), LastHeartbeat: now}
		if len(groups) > 0 {
			in.Metadata = map[string]string{"group": groups[i%len(groups)]}
		}
		snap.Targets = append(snap.Targets, rollout.Target{Instance: in})
	}
	return snap
}

// shop is a source with a base, a schema, a production profile and two others.
func shop() files {
	return files{
		"schemas/pay.yaml":           paySchema,
		"profiles/base.yaml":         base(`timeout: 30s, retries: 3`),
		"profiles/pay/prod.yaml":     schemed("pay.production", `apiKey: {$secret: "vault:pay#key"}, db: {pool: 5}`, "extends: [../base.yaml]"),
		"profiles/pay/staging.yaml":  doc("pay.staging", `retries: 4`, "extends: [../base.yaml]", "schema: pay"),
		"profiles/mail/staging.yaml": doc("mail.staging", `from: "a@example.com", password: hunter2`),
	}
}

// TestChecks compares what pull requests are told with the golden files.
func TestChecks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		store func(s *fakeStore)
		main  files // what comes to main after the pull request was branched off
		pr    files
		as    func(pr *forge.PullRequest)
		opts  func(o *reconciler.Options)
	}{
		"minor": {
			store: func(s *fakeStore) { s.fleets["pay.production"] = crew(s.now, 10) },
			pr: files{"profiles/pay/prod.yaml": schemed("pay.production",
				`apiKey: {$secret: "vault:pay#key2"}, db: {pool: 5, idle: 2}`, "extends: [../base.yaml]")},
		},
		"major": {
			pr: files{"profiles/mail/staging.yaml": doc("mail.staging", `from: 5, password: hunter3`)},
		},
		"patch and a new profile without instances": {
			store: func(s *fakeStore) { s.fleets["mail.staging"] = crew(s.now, 3) },
			pr: files{
				"profiles/mail/staging.yaml": doc("mail.staging", `from: "b@example.com", password: hunter3`),
				"profiles/sms.yaml":          doc("sms.staging", `sender: shop`),
				"profiles/readme.yaml":       "notes: none\n",
			},
		},
		"the base of several": {
			pr: files{"profiles/base.yaml": base(`timeout: 10s, retries: 3`)},
		},
		"no profile":       {pr: files{"profiles/notes.txt": "none", "docs.md": "none"}},
		"broken yaml":      {pr: files{"profiles/mail/staging.yaml": "kind: ConfigProfile\nname: mail.staging\ndata: {a: [\n"}},
		"schema violation": {pr: files{"profiles/base.yaml": base(`timeout: 10s, retries: 9`)}},
		"conflict": {
			main: files{"profiles/mail/staging.yaml": doc("mail.staging", `from: "c@example.com", password: hunter2`)},
			pr:   files{"profiles/mail/staging.yaml": doc("mail.staging", `from: "d@example.com", password: hunter2`)},
		},
		"main went on": {
			main: files{"profiles/sms.yaml": doc("sms.staging", `sender: shop`)},
			pr:   files{"profiles/sms2.yaml": doc("sms.staging", `sender: shop`)},
		},
		"still broken through its base": {
			main: files{"profiles/pay/staging.yaml": doc("pay.staging", `retries: 9`, "extends: [../base.yaml]", "schema: pay")},
			pr:   files{"profiles/base.yaml": base(`timeout: 10s, retries: 3`)},
		},
		"broken before and left alone": {
			main: files{"profiles/bad.yaml": doc("bad.staging", `retries: 9`, "schema: pay")},
			pr:   files{"profiles/pay/staging.yaml": doc("pay.staging", `retries: 5`, "extends: [../base.yaml]", "schema: pay")},
		},
		"moved and defined anew": {
			pr: files{"profiles/mail/staging.yaml": gone, "profiles/mail.yaml": doc("mail.staging", `from: "a@example.com", password: hunter2`, "description: mails")},
		},
		"its file leaves Git": {pr: files{"profiles/mail/staging.yaml": gone}},
		"an explicit version that does not rise": {
			pr: files{"profiles/mail/staging.yaml": doc("mail.staging", `from: "b@example.com", password: hunter2`, "version: 0.9.0")},
		},
		"mass deletion": {pr: files{"profiles/pay/prod.yaml": gone, "profiles/pay/staging.yaml": gone}},
		"held": {
			store: func(s *fakeStore) {
				s.data.holds["mail.staging"] = rollout.Hold{
					Profile: "mail.staging", PinnedVersion: "1.0.0", RefusedVersion: "1.1.0", RefusedHash: "x",
					Reason: "error rate 31.2% @ops", Actor: "gate", CreatedAt: s.now,
				}
			},
			pr: files{"profiles/mail/staging.yaml": doc("mail.staging", `from: "b@example.com", password: hunter2`)},
		},
		"refused before": {
			store: func(s *fakeStore) {
				s.data.holds["mail.staging"] = rollout.Hold{
					Profile: "mail.staging", PinnedVersion: "1.0.0", RefusedVersion: "1.1.0",
					RefusedHash: hashOf(`"from": "b@example.com", "password": "hunter2"`), Reason: "error rate 31.2%", Actor: "gate", CreatedAt: s.now,
				}
			},
			pr: files{"profiles/mail/staging.yaml": doc("mail.staging", `from: "b@example.com", password: hunter2`)},
		},
		"a window and a freeze and a deployment under way": {
			store: func(s *fakeStore) {
				snap := crew(s.now, 4)
				snap.Freeze = &rollout.Freeze{Reason: "the sale", Actor: "grace", BegunAt: s.now}
				s.fleets["mail.staging"] = snap
				s.data.deployments = append(s.data.deployments, rollout.Deployment{
					ID: "d1", Profile: "mail.staging", Version: "1.0.0", State: rollout.InProgress, Kind: rollout.Forward,
				})
			},
			pr: files{"profiles/mail/staging.yaml": doc("mail.staging", `from: "b@example.com", password: hunter2`,
				`windows: {deny: ["Sun 00:00-Mon 06:00 Europe/Berlin"]}`, "strategy: {type: Canary, steps: [50, 100], autoPromote: false}")},
		},
		"blue and green without groups": {
			store: func(s *fakeStore) { s.fleets["mail.staging"] = crew(s.now, 4) },
			pr: files{"profiles/mail/staging.yaml": doc("mail.staging", `from: "b@example.com", password: hunter2`,
				"strategy: {type: BlueGreen}")},
		},
		"blue and green": {
			store: func(s *fakeStore) { s.fleets["mail.staging"] = crew(s.now, 5, "blue", "green") },
			pr: files{"profiles/mail/staging.yaml": doc("mail.staging", `from: "b@example.com", password: hunter2`,
				"strategy: {type: BlueGreen}")},
		},
		"straight to production": {
			pr: files{"profiles/pay/prod.yaml": schemed("pay.production", `apiKey: {$secret: "vault:pay#key"}, db: {pool: 6}`,
				"extends: [../base.yaml]", "strategy: {type: Direct}")},
		},
		"a schema that breaks its word": {
			store: func(s *fakeStore) { s.fleets["pay.staging"] = crew(s.now, 2) },
			pr: files{
				"schemas/pay.yaml":          strings.Replace(paySchema, "maximum: 5", "maximum: 4", 1),
				"profiles/pay/staging.yaml": doc("pay.staging", `retries: 2`, "extends: [../base.yaml]", "schema: pay"),
			},
		},
		"from a fork": {
			as: func(pr *forge.PullRequest) { pr.Fork = true },
			store: func(s *fakeStore) {
				s.fleets["pay.production"] = crew(s.now, 10)
				s.data.holds["pay.production"] = rollout.Hold{
					Profile: "pay.production", PinnedVersion: "1.0.0", RefusedVersion: "1.1.0", RefusedHash: "x", Reason: "error rate 31.2%", CreatedAt: s.now,
				}
			},
			pr: files{"profiles/pay/prod.yaml": schemed("pay.production", `apiKey: {$secret: "vault:pay#key2"}, db: {pool: 7}`, "extends: [../base.yaml]")},
		},
		"hostile data": {
			pr: files{"profiles/mail/staging.yaml": doc("mail.staging",
				"from: \"` @everyone <img src=x onerror=alert(1)> ``` [a](http://evil.example) | \\n\\n# boo\", password: hunter2, "+
					"\"</details> @all ```\": \"\\u202e~~~\"")},
		},
		"hostile fields": {
			pr: files{"profiles/mail/staging.yaml": doc("mail.staging", "from: 1",
				"\"` @everyone <img src=x> | [a](http://evil.example)\": 1")},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := func(o *reconciler.Options) {}
			if test.opts != nil {
				change = test.opts
			}
			w := newPullWorld(t, change)
			w.deployed(shop())
			off := w.shas["c1"]
			if test.main != nil {
				w.commit("main goes on", test.main)
				w.sync()
			}
			w.store.fleets = map[string]rollout.Snapshot{}
			if test.store != nil {
				test.store(w.store)
			}
			as := func(*forge.PullRequest) {}
			if test.as != nil {
				as = test.as
			}
			w.propose(7, off, test.pr, as)
			if res := w.checks(); res != (reconciler.PullsResult{Checked: 1}) {
				t.Fatalf("the pass did %+v, want one check", res)
			}
			golden(t, name, w.transcript(7))
			w.agrees(7)
		})
	}
}

// transcript is what a pull request hears, with its commits by their short names.
func (w *pullWorld) transcript(number int) string {
	s, c := w.told(number)
	var b strings.Builder
	fmt.Fprintf(&b, "status %s: %s\n", s.State, s.Description)
	for _, r := range c.Remarks {
		fmt.Fprintf(&b, "remark %s:%d: %s\n", r.Path, r.Line, r.Text)
	}
	b.WriteString("\n" + c.Body)
	text := b.String()
	for sha, name := range w.names {
		text = strings.ReplaceAll(text, sha[:12], name)
	}
	return text
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "checks", strings.ReplaceAll(name, " ", "_")+".md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the pull request hears (-update writes it anew)\n%s\nwant\n%s", got, want)
	}
}

// agrees merges the pull request and compares what the sync does with what the
// check said.
func (w *pullWorld) agrees(number int) {
	w.t.Helper()
	pr := w.host.open[0]
	status, comment := w.told(number)
	if strings.HasPrefix(status.Description, "cannot be merged") {
		return
	}
	w.run("-c", "merge.renames=false", "merge", "-q", "--no-ff", "-m", "merge", pr.Head)
	merge := w.named(w.run("rev-parse", "HEAD"))
	before := map[string]int{}
	for name, vs := range w.store.data.versions {
		before[name] = len(vs)
	}
	w.sync()
	fails := false
	for key, s := range w.store.data.statuses {
		fails = fails || key[0] == merge && s.State == rollout.StatusFailure
	}
	if passed := status.State == rollout.StatusSuccess; passed == fails && !pr.Fork {
		w.t.Errorf("the check said %s: %s; the merge commit failed: %v", status.State, status.Description, fails)
	}
	for name, vs := range w.store.data.versions {
		for _, v := range vs[before[name]:] {
			if !strings.Contains(comment.Body, "**"+v.Number+"**") || !strings.Contains(comment.Body, "`"+name+"`") {
				w.t.Errorf("the merge made %s %s, the comment says nothing of it", name, v.Number)
			}
		}
	}
}
