package reconciler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/reconciler"
)

// inProduction is doc in Production, where a schema is needed.
func inProduction(name, data string) string {
	return strings.Replace(doc(name, data, "schema: any.v1"), "Staging", "Production", 1)
}

func TestDeploymentsToProductionNeedReviewApprovals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *reconciler.Options) { o.Source.RequiredApprovals = 2 })
	w.commit("start", files{
		"schemas/any.v1.yaml": "type: object\n", "profiles/a.yaml": inProduction("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1"),
	})
	w.sync()
	w.expect(`profile a at profiles/a.yaml
		version a 1.0.0 by c1
		profile b at profiles/b.yaml
		version b 1.0.0 by c1
		deployment a 1.0.0 by c1, guard: needs 2 review approvals of its pull request
		deployment b 1.0.0 by c1
		status c1 sluice/a pending: (deployment)
		status c1 sluice/b pending: (deployment)
		facts deployment.created:a deployment.created:b profile.created:a version.created:a@1.0.0 profile.created:b version.created:b@1.0.0`)
	for _, d := range w.store.data.deployments {
		want := 0
		if d.Profile == "a" {
			want = 2
		}
		if d.Approvals != want {
			t.Errorf("%s: %d approvals let it start, want %d", d.Profile, d.Approvals, want)
		}
	}
}

func TestWhatNeedsAPersonIsNotLetGoByReviews(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *reconciler.Options) { o.Source.RequiredApprovals = 2 })
	keys := func(prefix string) string {
		var all []string
		for i := range 20 {
			all = append(all, fmt.Sprintf("%s%d: 1", prefix, i))
		}
		return strings.Join(all, ", ")
	}
	w.deployed(files{"schemas/any.v1.yaml": "type: object\n", "profiles/a.yaml": inProduction("a", keys("x"))})
	w.commit("another shape", files{"profiles/a.yaml": inProduction("a", keys("y"))})
	w.sync()
	d := w.store.data.deployments[len(w.store.data.deployments)-1]
	if d.Version != "2.0.0" || d.Approvals != 0 || d.Guard == "" || strings.Contains(d.Guard, "review") {
		t.Errorf("%s: guard %q with %d approvals, want a person to be asked about 2.0.0", d.Version, d.Guard, d.Approvals)
	}
}
