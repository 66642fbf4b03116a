package fakeforge_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/sluicehq/sluice/internal/fakeforge"
)

// differs lists where a fake's JSON has what the recorded one has not, or another type of it.
func differs(at string, fake, real any) []string {
	switch f := fake.(type) {
	case nil:
		return nil
	case map[string]any:
		r, ok := real.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: an object, recorded %T", at, real)}
		}
		var all []string
		for key, value := range f {
			recorded, ok := r[key]
			if !ok {
				all = append(all, at+"."+key+": not in what was recorded")
				continue
			}
			if recorded != nil {
				all = append(all, differs(at+"."+key, value, recorded)...)
			}
		}
		return all
	default:
		if fmt.Sprintf("%T", fake) != fmt.Sprintf("%T", real) {
			return []string{fmt.Sprintf("%s: %T, recorded %T", at, fake, real)}
		}
	}
	return nil
}

func TestDeliveriesHaveTheShapeOfRecordedOnes(t *testing.T) {
	t.Parallel()
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{})
	head := f.PushBranch("feature", "alice", map[string]*string{"a.txt": new("a\n")})
	n := f.Open("feature", "Add a", "alice")
	f.Approve(n, "bob")
	for name, e := range map[string]fakeforge.Event{
		"push":                          {Kind: fakeforge.Pushed, Ref: "refs/heads/main", Before: f.Repo.Head(), After: head},
		"pull_request-opened":           {Kind: fakeforge.PullChanged, Number: n},
		"pull_request_review-submitted": {Kind: fakeforge.Reviewed, Number: n},
		"ping":                          {Kind: fakeforge.Ping},
	} {
		recorded, err := os.ReadFile("testdata/github-" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		_, body := f.Delivery(e, "s3cret")
		var fake, real any
		if err := json.Unmarshal(body, &fake); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(recorded, &real); err != nil {
			t.Fatal(err)
		}
		for _, d := range differs(name, fake, real) {
			t.Error(d)
		}
	}
}
