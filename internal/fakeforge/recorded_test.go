package fakeforge_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/fakeforge"
)

// newer are fields that GitLab sends since the examples were written.
var newer = []string{".object_attributes.merge_commit_sha", ".event_name", ".project.id", ".user_username"}

// unlike lists what is in got and not in want, or of another kind there.
func unlike(place string, got, want any) []string {
	switch got := got.(type) {
	case nil:
		return nil
	case map[string]any:
		there, ok := want.(map[string]any)
		if want == nil {
			return nil // the recorded one happened to have none
		}
		if !ok {
			return []string{place + " is no object"}
		}
		var all []string
		for name, value := range got {
			if _, ok := there[name]; !ok && slices.Contains(newer, place+"."+name) {
				continue
			}
			if _, ok := there[name]; !ok {
				all = append(all, place+"."+name+" is not there")
				continue
			}
			all = append(all, unlike(place+"."+name, value, there[name])...)
		}
		return all
	default:
		if want != nil && fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			return []string{fmt.Sprintf("%s is a %T, not a %T", place, want, got)}
		}
		return nil
	}
}

// A fake that told more than the real forge, or told it otherwise, would prove
// nothing. The deliveries of testdata/hooks were recorded, or published as examples.
func TestDeliveriesLookLikeRecordedOnes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dialect  fakeforge.Dialect
		recorded string
		event    fakeforge.Event
	}{
		"Gitea's pull request":   {fakeforge.Gitea, "gitea/02-pull_request.json", fakeforge.Event{Kind: fakeforge.PullChanged, Number: 1}},
		"Gitea's push":           {fakeforge.Gitea, "gitea/01-push.json", fakeforge.Event{Kind: fakeforge.Pushed, Ref: "refs/heads/main"}},
		"GitLab's merge request": {fakeforge.GitLab, "gitlab/merge-request-event.json", fakeforge.Event{Kind: fakeforge.PullChanged, Number: 1}},
		"GitLab's push":          {fakeforge.GitLab, "gitlab/push-event.json", fakeforge.Event{Kind: fakeforge.Pushed, Ref: "refs/heads/main"}},
	} {
		f := fakeforge.New(t, c.dialect, fakeforge.Options{})
		f.PushBranch("feature", "alice", map[string]*string{"a.yaml": new("a: 1\n")})
		f.Open("feature", "Add a", "alice")
		_, body := f.Delivery(c.event, "s3cret")
		file, err := os.ReadFile("../../forge/testdata/hooks/" + c.recorded)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(file, &want); err != nil {
			t.Fatal(err)
		}
		if all := unlike("", got, want); len(all) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(all, "\n"))
		}
	}
}
