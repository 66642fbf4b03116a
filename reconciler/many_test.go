package reconciler_test

import (
	"context"
	"fmt"
	"testing"
)

// Deployments of a commit that changes many profiles know it, whatever is stored together.
func TestDeploymentsOfALargeCommitAreOfMany(t *testing.T) {
	t.Parallel()
	for profiles, want := range map[int]int{100: 0, 101: 101, 230: 230} { // 230: two parts of 100, and 30
		tree := files{}
		for i := range profiles {
			tree[fmt.Sprintf("profiles/p%03d.yaml", i)] = doc(fmt.Sprintf("p%03d", i), fmt.Sprintf("x: %d", i))
		}
		git, store := &modelGit{commits: map[string]modelCommit{}}, newFakeStore()
		git.commit(tree)
		r := inParts(t, git, store, max(101, profiles/2), nil)
		sync := func(wantMany int) {
			if _, err := r.Sync(context.Background()); err != nil {
				t.Fatal(err)
			}
			many := 0
			for _, d := range store.data.deployments {
				if d.OfMany {
					many++
				}
			}
			if many != wantMany {
				t.Errorf("of %d profiles %d deployments are of many, want %d", profiles, many, wantMany)
			}
		}
		sync(want)
		tree["profiles/p007.yaml"] = doc("p007", "x: 1007")
		git.commit(tree)
		sync(want) // one more, of a commit of its own
	}
}
