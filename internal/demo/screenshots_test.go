package demo_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/demo"
	"github.com/sluicehq/sluice/internal/testenv"
)

// screenshotsEnv names a folder for pictures of the dashboard while the demo goes
// on (make screenshots).
const screenshotsEnv = "SLUICE_SCREENSHOTS"

// shot is a picture of one page at one moment of the demo.
type shot struct {
	name string
	act  string // that the title begins with
	when func(wire.Deployment) bool
	page func(wire.Deployment) string
	in   []string // looks
}

// looks are the screens of people.
var looks = map[string]testenv.TabOptions{
	"light":      {},
	"dark":       {Dark: true},
	"phone":      {Width: 375, Height: 812, Scale: 2},
	"phone-dark": {Width: 375, Height: 812, Scale: 2, Dark: true},
	"wide":       {Width: 2560, Height: 1440},
	"wide-dark":  {Width: 2560, Height: 1440, Dark: true},
}

func shots() []shot {
	at := func(path string) func(wire.Deployment) string { return func(wire.Deployment) string { return path } }
	itself := func(d wire.Deployment) string { return "/deployments/" + d.ID }
	is := func(status string) func(wire.Deployment) bool {
		return func(d wire.Deployment) bool { return d.Status == status }
	}
	half := func(d wire.Deployment) bool { return d.Phase == 2 && d.Progress.Applied >= 3 }
	desk := []string{"light", "dark"}
	all := []string{"light", "dark", "phone", "phone-dark", "wide", "wide-dark"}
	return []shot{
		{"overview-canary", "(a)", half, at("/"), all},
		{"deployment-canary", "(c)", half, itself, all},
		{"deployment-rolled-back", "(b)", is("RolledBack"), itself, all},
		{"report", "(b)", is("RolledBack"), func(d wire.Deployment) string { return itself(d) + "/report" }, desk},
		{"profile-on-hold", "(b)", is("RolledBack"), func(d wire.Deployment) string { return "/profiles/" + d.ConfigName }, all},
		{"overview-hold", "(b)", is("RolledBack"), at("/"), desk},
		{"rollback", "(d)", is("Completed"), func(d wire.Deployment) string { return itself(d) + "/rollback" }, []string{"light", "phone"}},
		{"sources", "(d)", is("Completed"), at("/sources/configs"), desk},
		{"deployment-emergency", "(e)", is("Completed"), itself, desk},
		{"profiles", "(e)", is("Completed"), at("/profiles"), desk},
		{"audit", "(e)", is("Completed"), at("/audit"), desk},
		{"instances", "(f)", func(d wire.Deployment) bool { return d.Phase == 3 }, at("/instances"), desk},
		{"deployments", "(f)", func(d wire.Deployment) bool { return d.Phase == 4 }, at("/deployments"), desk},
	}
}

// photographer takes each picture once, when its moment comes. It holds the demo
// up only where a deployment has ended.
type photographer struct {
	t        *testing.T
	folder   string
	left     []shot
	moments  chan func()
	finished chan struct{}
	taken    map[string][]byte // by name
	ready    bool              // the browser is told to start
	tab      *testenv.Tab
}

// onlooker is nobody, unless pictures are wanted.
func onlooker(t *testing.T) *photographer {
	t.Helper()
	p := &photographer{t: t, folder: os.Getenv(screenshotsEnv), finished: make(chan struct{}), taken: map[string][]byte{}}
	if p.folder != "" {
		p.left = shots()
	}
	p.moments = make(chan func())
	go func() {
		defer close(p.finished)
		for take := range p.moments {
			take()
		}
	}()
	return p
}

func (p *photographer) look(m demo.Moment) {
	if p.folder == "" {
		return
	}
	var now []shot
	p.left = slices.DeleteFunc(p.left, func(s shot) bool {
		come := strings.HasPrefix(m.Title, s.act) && s.when(m.Deployment)
		if come {
			now = append(now, s)
		}
		return come
	})
	switch {
	case !p.ready:
		p.ready = true
		p.hand(func() { p.open(m) })
	case len(now) > 0:
		p.hand(func() {
			for _, s := range now {
				p.take(s, m)
			}
		})
	}
	if m.Deployment.FinishedAt != nil {
		p.hand(func() {}) // when the one before is done
	}
}

// hand gives the photographer something to do once there is time for it.
func (p *photographer) hand(work func()) {
	select {
	case p.moments <- work:
	case <-p.finished: // by a failure
	}
}

// open starts the browser before the first moment that matters.
func (p *photographer) open(m demo.Moment) {
	p.t.Helper()
	p.tab = testenv.SharedBrowser(p.t).Tab(p.t, testenv.TabOptions{Site: m.Server})
	p.tab.Forgive("ERR_") // the demo kills the daemon
	p.tab.SetCookie("sluice_session", m.Token)
	p.tab.Open("/")
}

func (p *photographer) take(s shot, m demo.Moment) {
	p.t.Helper()
	p.tab.Look(testenv.TabOptions{})
	p.tab.Open(s.page(m.Deployment))
	p.tab.Eval("document.querySelectorAll('noscript').forEach((n) => n.remove())", nil) // a page that lost its scripts shows them as text
	for _, in := range s.in {
		opts := looks[in]
		opts.NoScript = true // from now on: every picture is of the same moment
		p.tab.Look(opts)
		p.taken[s.name+"-"+in] = p.tab.Picture()
	}
}

// done writes the pictures, and wants every one to have been taken.
func (p *photographer) done() {
	p.t.Helper()
	close(p.moments)
	<-p.finished
	for name, picture := range p.taken {
		if err := os.WriteFile(filepath.Join(p.folder, name+".png"), small(p.t, picture), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, s := range p.left {
		p.t.Errorf("the moment of the picture %s did not come", s.name)
	}
}
