package testenv

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// hear is told of everything that happens in the tab, in order.
func (tab *Tab) hear(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		tab.requested(e.Request.URL)
	case *network.EventWebSocketCreated:
		tab.requested(e.URL)
	case *log.EventEntryAdded: // among others of answers that are errors, and of what the policy forbids
		if e.Entry.Level == log.EntryLevelError {
			tab.problem("logged: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			tab.problem("console.%s: %s", e.Type, spoken(e.Args))
		}
	case *runtime.EventExceptionThrown:
		tab.problem("threw: %s", thrown(e.ExceptionDetails))
	case *page.EventJavascriptDialogOpening:
		tab.problem("opened a dialog: %s", e.Message)
		go tab.dismiss() // the page stands still until then
	case *target.EventAttachedToTarget:
		if e.TargetInfo.Type != "page" { // a worker or a frame, whose requests are not heard here
			tab.problem("started a %s: %s", e.TargetInfo.Type, e.TargetInfo.URL)
		}
	case *inspector.EventTargetCrashed:
		tab.problem("crashed")
	}
}

func (tab *Tab) requested(raw string) {
	u, err := url.Parse(raw)
	if err == nil && !slices.Contains([]string{"http", "https", "ws", "wss"}, u.Scheme) {
		return // data: and the like ask nobody
	}
	tab.mu.Lock()
	tab.requests = append(tab.requests, raw)
	tab.mu.Unlock()
	if err != nil || u.Scheme+"://"+u.Host != tab.site {
		tab.problem("asked another host: %s", raw)
	}
}

func (tab *Tab) problem(format string, args ...any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.problems = append(tab.problems, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// dismiss closes a dialog. The tab may be gone by then.
func (tab *Tab) dismiss() {
	_ = tab.try(call(page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})) // the problem is recorded
}

// Forgive lets the page have problems with these words in them, before or
// after: a refusal that the test is about is an error in the page's console.
func (tab *Tab) Forgive(words ...string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.forgiven = append(tab.forgiven, words...)
}

// Requests are the addresses that the tab asked for, in order.
func (tab *Tab) Requests() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.requests)
}

// Problems are those that nobody forgave.
func (tab *Tab) Problems() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(tab.problems), func(problem string) bool {
		return slices.ContainsFunc(tab.forgiven, func(words string) bool { return strings.Contains(problem, words) })
	})
}

// judge fails the test for what the page should not have done.
func (tab *Tab) judge() {
	tab.t.Helper()
	for _, problem := range tab.Problems() {
		tab.t.Errorf("the page %s", problem)
	}
}

// thrown is an exception with where it came from.
func thrown(e *runtime.ExceptionDetails) string {
	if e.Exception == nil || e.Exception.Description == "" {
		return e.Text
	}
	return e.Exception.Description
}

// spoken is what a call of the console would show.
func spoken(args []*runtime.RemoteObject) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = strings.Trim(string(arg.Value), `"`)
		if arg.Description != "" {
			words[i] = arg.Description
		}
	}
	return strings.Join(words, " ")
}

// call is a command of the protocol as a step.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, command, params)
		return none, err
	}
}
