package forge_test

import (
	"testing"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/forge/forgetest"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// shownAtGitHub is what a reader of a commit sees.
func shownAtGitHub(f *fakeforge.Forge, commit string) map[string]forge.Status {
	shown := map[string]forge.Status{}
	for context, s := range f.Shown(commit) {
		shown[context] = forge.Status{
			Commit: s.SHA, Context: s.Context, State: forge.State(s.State), Description: s.Description, TargetURL: s.TargetURL,
		}
	}
	return shown
}

func openGitHub(t *testing.T, f *fakeforge.Forge, gate *forge.Gateway) forge.Host {
	t.Helper()
	g, err := forge.NewGitHub(forge.GitHubOptions{URL: f.URL, Repository: f.Repository, Token: f.Token, Gateway: gate})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGitHub(t *testing.T) {
	t.Parallel()
	forgetest.RunHost(t, forgetest.Kind{
		Dialect: fakeforge.GitHub, Open: openGitHub, Shown: shownAtGitHub,
		Conditional: true, Quota: true, Maintain: true, Limit: true,
	})
}
