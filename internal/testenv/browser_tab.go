package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TabOptions say who looks at what. The zero value is a screen of 1440 by 900
// that is light, moves, and runs scripts.
type TabOptions struct {
	Site          string // http://host:port; the tab may ask nobody else
	Width, Height int
	Scale         float64 // device pixels to one of CSS
	Dark          bool
	NoScript      bool
	ReducedMotion bool
}

// Tab is a page in a browser, with cookies that no other tab has. Its methods
// fail the test at the first error, and all wait no longer than they must.
//
// At the end of the test a tab fails it when the page logged an error, threw an
// exception, broke its Content-Security-Policy, opened a dialog, or asked
// another host for anything; see Forgive.
type Tab struct {
	t        testing.TB
	ctx      context.Context
	site     string
	noScript bool

	mu       sync.Mutex
	problems []string
	forgiven []string
	requests []string
}

// tabTimeout ends a wait for the browser itself; it is far above what one takes.
const tabTimeout = 60 * time.Second

// Tab opens a tab that is closed with the test.
func (b *Browser) Tab(t testing.TB, opts TabOptions) *Tab {
	t.Helper()
	tab := &Tab{t: t, site: opts.Site, noScript: opts.NoScript}
	ctx, closeTab := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(tab.hear))
	tab.ctx = ctx
	t.Cleanup(func() {
		tab.judge()
		closeTab()
	})
	steps := opts.steps()
	if opts.NoScript {
		steps = append(steps, mayScript(false))
	}
	must(t, chromedp.Do(ctx, steps...))
	return tab
}

// steps make the tab what the options say.
func (o TabOptions) steps() []chromedp.Action[chromedp.Void] {
	if o.Width == 0 {
		o.Width, o.Height = 1440, 900
	}
	if o.Scale == 0 {
		o.Scale = 1
	}
	scheme, motion := "light", "no-preference"
	if o.Dark {
		scheme = "dark"
	}
	if o.ReducedMotion {
		motion = "reduce"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
	}}
	return []chromedp.Action[chromedp.Void]{
		chromedp.EmulateViewport(int64(o.Width), int64(o.Height), chromedp.EmulateScale(o.Scale)),
		call(emulation.SetEmulatedMedia, media),
		// Each tab is the one that somebody looks at.
		call(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}),
	}
}

// mayScript lets pages run scripts, or not.
func mayScript(yes bool) chromedp.Action[chromedp.Void] {
	return call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !yes})
}

// Look makes the tab look otherwise at the page that it shows; the site stays.
func (tab *Tab) Look(opts TabOptions) {
	tab.t.Helper()
	steps := opts.steps()
	if opts.NoScript != tab.noScript { // said again, Chromium shows what is for browsers without
		steps = append(steps, mayScript(!opts.NoScript))
	}
	tab.noScript = opts.NoScript
	tab.do("look otherwise", steps...)
}

// Open goes to a path of the site and waits until the page is loaded.
func (tab *Tab) Open(path string) {
	tab.t.Helper()
	tab.do("open "+path, chromedp.Navigate(tab.site+path))
}

// Reload loads the page again.
func (tab *Tab) Reload() {
	tab.t.Helper()
	tab.do("reload", chromedp.Reload())
}

// SetCookie gives the tab a cookie of the site, as one that signed in has.
func (tab *Tab) SetCookie(name, value string) {
	tab.t.Helper()
	tab.do("set cookie "+name, call(network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: tab.site}))
}

// Path is where the tab is: the path with the query.
func (tab *Tab) Path() string {
	tab.t.Helper()
	var at string
	tab.Eval("location.href", &at)
	u, err := url.Parse(at)
	must(tab.t, err)
	return u.RequestURI()
}

// Eval evaluates an expression in the page, also where the page may run no
// scripts. A promise is waited for. Its value goes into into, as from JSON.
func (tab *Tab) Eval(expression string, into any) {
	tab.t.Helper()
	if err := tab.eval(expression, into); err != nil {
		tab.fail("evaluate %s: %v", expression, err)
	}
}

func (tab *Tab) eval(expression string, into any) error {
	var raw []byte
	err := tab.ask(func(ctx context.Context) (err error) {
		raw, err = chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression, chromedp.EvalAwaitPromise))
		return err
	})
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// gone is what a browser says of a page that another takes the place of while it is asked, and of what was on it.
var gone = []string{
	"Inspected target navigated or closed", "Execution context was destroyed.", "Cannot find context with specified id",
	"Cannot find default execution context", "Not attached to an active page", "Element is not focusable", "Node is detached from document",
	"Node does not have a layout object", "Could not compute content quads.", "Could not find node with given id", "No node found for given backend id",
}

func isGone(err error) bool {
	said, ok := errors.AsType[*cdproto.Error](err)
	return ok && slices.Contains(gone, said.Message)
}

// ask asks the page within tabTimeout for what changes nothing, and where that is gone the one in its place.
func (tab *Tab) ask(look func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(tab.ctx, tabTimeout)
	defer cancel()
	err := look(ctx)
	for isGone(err) && ctx.Err() == nil {
		err = look(ctx)
	}
	return err
}

// do runs steps within tabTimeout.
func (tab *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if err := tab.try(steps...); err != nil {
		tab.fail("%s: %v", what, err)
	}
}

func (tab *Tab) try(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(tab.ctx, tabTimeout)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}
