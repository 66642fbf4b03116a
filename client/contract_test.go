package client_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/contract"
)

// description is what the API says of itself, as it is kept in docs/.
var description = sync.OnceValues(func() (*contract.Document, error) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "openapi.json"))
	if err != nil {
		return nil, err
	}
	return contract.Load(text)
})

// meant is the operation that a request of the client means. The test fails
// when there is none, or when the request is not as it is described.
func meant(t *testing.T, r *http.Request, body []byte) *contract.Operation {
	t.Helper()
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/prefix")
	o := d.Find(r.Method, path)
	if o == nil {
		t.Errorf("the API has no %s %s", r.Method, path)
		return nil
	}
	if err := d.CheckRequest(o, r, body); err != nil {
		t.Error(err)
	}
	return o
}

// Every operation is one that the client has a method for, or one that it has
// none for, and why.
func TestClientHasEveryOperation(t *testing.T) {
	t.Parallel()
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	without := map[string]string{
		"followDeployment": "DeploymentEvents: TestDeploymentEventsResumeAndEnd", "watchAssignments": "WatchAssignments: TestWatchAssignmentsEnds",
		"pollAssignments": "PollAssignments: the tests of Session",
		"alive":           "for probes", "ready": "for probes", "health": "for probes", "metrics": "for Prometheus", "describe": "for tools that generate clients",
		"receiveWebhook": "for forges",
		"getUser":        "Users has them",
		"listSchemas":    "not yet", "registerSchema": "not yet", "getSchema": "not yet",
		"approveSchema": "not yet", "deprecateSchema": "not yet", "validateData": "not yet",
	}
	asked := map[string]bool{}
	for _, tc := range askings() {
		c, got := serve(t, http.StatusOK, nil, tc.answer())
		if err := tc.call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", tc.want, err)
		}
		for _, r := range *got {
			if r.meant != nil {
				asked[r.meant.ID] = true
			}
		}
	}
	for _, o := range d.Operations() {
		_, none := without[o.ID]
		switch {
		case o.Tag == "Pages":
		case asked[o.ID] && none:
			t.Errorf("%s has a method: it is not to be listed as without", o.ID)
		case !asked[o.ID] && !none:
			t.Errorf("the client has no method for %s (%s), or no test of it", o, o.ID)
		}
		delete(without, o.ID)
	}
	for id := range without {
		t.Errorf("there is no operation %s", id)
	}
}
