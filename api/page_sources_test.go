package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// commit stores what a sync stores of a commit that changed the profile.
func (w *world) commit(sha, number, message string) profile.Version {
	w.t.Helper()
	d := data(number)
	v := profile.Version{Profile: name, Number: number, Data: d, Hash: profile.Hash(d), ValidatedAt: time.Now(), Source: "configs", Commit: sha,
		Author: "Ann <ann@example.com>", Message: message, PullRequest: 12}
	w.must(w.store.InsertVersion(w.t.Context(), v))
	return v
}

func (w *world) status(sha, context string, state rollout.StatusState, text string) {
	w.t.Helper()
	w.must(w.store.InTx(w.t.Context(), func(tx *store.Tx) error {
		return tx.SetStatus(w.t.Context(), rollout.Status{Source: "configs", Commit: sha, Context: context, State: state, Description: text})
	}))
}

func TestSourcesPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.tokens[api.Viewer]
	w.has(w.opened(viewer, "/sources"), "No source is configured")

	w.profile()
	w.must(w.store.RegisterSource(t.Context(), store.Source{ID: "configs", URL: "https://example.com/configs.git", Branch: "main", Path: "profiles/"}))
	w.has(w.opened(viewer, "/sources/configs"), "No commit was read yet", "none yet")
	sha := strings.Repeat("b", 40)
	w.commit(sha, "1.0.0", hostile+"\n\nThe reason, at length.")
	d := w.deploy("1.0.0")
	w.status(sha, rollout.Context(name), rollout.StatusPending, "waits "+hostile)
	w.status(sha, "sluice/broken.production", rollout.StatusFailure, "line 3: unknown field")
	w.must(w.store.RecordSourceFailure(t.Context(), "configs", "connect: refused "+hostile))
	w.must(w.store.InTx(t.Context(), func(tx *store.Tx) error {
		return tx.PutProblem(t.Context(), profile.SourceProblem{Source: "configs", Path: hostile, Profile: "broken.production", Commit: sha, Message: hostile})
	}))

	list := w.opened(viewer, "/sources")
	w.has(list, `href="/sources/configs#problems">1 file cannot be used`, `href="/sources/configs"`, "https://example.com/configs.git", "profiles/", "It cannot be synced", "connect: refused", `data-live="/sources"`)
	w.lacks(list, "Sync now")
	one := w.opened(viewer, "/sources/configs")
	w.has(one, "bbbbbbbb", "&lt;script&gt;", "The reason, at length.", "Ann &lt;ann@example.com&gt;", "pull request #12", `href="/profiles/`+name+`"`,
		"no version", "line 3: unknown field", "not posted", "Files that cannot be used")
	w.lacks(one, `href="/profiles/broken.production"`) // there is no such profile
	w.has(w.opened(w.tokens[api.Operator], "/sources/configs"), "Sync now")
	if strings.Index(one, "broken.production</span>\n<span") > strings.Index(one, name+"</a>\n<span") {
		t.Error("what failed does not come first")
	}
	w.lacks(one, d.ID) // it is of no commit: an API call made it

	team := w.token(api.Viewer, store.Token{Scope: profile.Scope{Profiles: []string{"payment-*"}}})
	w.lacks(w.opened(team, "/sources"), "cannot be used") // the file is not of their profiles
	theirs := w.opened(team, "/sources/configs")
	w.has(theirs, "bbbbbbbb", name)
	w.lacks(theirs, "broken.production")
	other := w.token(api.Viewer, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	w.lacks(w.opened(other, "/sources"), "configs.git")
	for _, path := range []string{"/sources/configs", "/sources/no-such"} {
		if v := w.asBrowser(other, "GET", path, nil); v.status != 404 {
			t.Errorf("%s of another team: %d", path, v.status)
		}
	}
}

// An Operator has a source looked at; the page then says who asked.
func TestSyncForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.store.RegisterSource(t.Context(), store.Source{ID: "configs", URL: "https://example.com/configs.git", Branch: "main"}))
	w.must(w.store.RegisterSource(t.Context(), store.Source{ID: "gone", URL: "https://example.com/gone.git", Branch: "main"}))
	if v := w.asBrowser(w.tokens[api.Viewer], "POST", "/sources/configs/sync", nil); v.status != 403 {
		t.Errorf("a Viewer: %d", v.status)
	}
	if v := w.asBrowser(w.tokens[api.Operator], "POST", "/sources/configs/sync", nil); v.status != 303 || v.at != "/sources/configs" {
		t.Fatalf("an Operator: %d to %s\n%s", v.status, v.at, v.text)
	}
	if id := <-w.synced; id != "configs" {
		t.Errorf("%s is looked at", id)
	}
	w.has(w.opened(w.tokens[api.Viewer], "/sources/configs"), "operator had it looked at")
	// One that the store knows of and this daemon does not watch any more.
	if v := w.asBrowser(w.tokens[api.Operator], "POST", "/sources/gone/sync", nil); v.status != 404 || !strings.Contains(v.text, `role="alert"`) {
		t.Errorf("a source that is not watched: %d\n%s", v.status, v.text)
	}
}
