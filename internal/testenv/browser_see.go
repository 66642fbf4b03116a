package testenv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// Text is what a reader sees of the first element that a CSS selector finds, in
// one line; "" when there is none.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	texts, err := tab.texts(selector)
	if err != nil {
		tab.fail("read %s: %v", selector, err)
	}
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

// Texts is Text of every element that the selector finds.
func (tab *Tab) Texts(selector string) []string {
	tab.t.Helper()
	texts, err := tab.texts(selector)
	if err != nil {
		tab.fail("read %s: %v", selector, err)
	}
	return texts
}

func (tab *Tab) texts(selector string) (texts []string, err error) {
	err = tab.eval(fmt.Sprintf("Array.from(document.querySelectorAll(%q), e => e.innerText)", selector), &texts)
	for i := range texts {
		texts[i] = strings.Join(strings.Fields(texts[i]), " ")
	}
	return texts, err
}

// WaitText waits until an element that the selector finds shows the words. The
// case of letters does not matter: a style may change it.
func (tab *Tab) WaitText(selector, words string, within time.Duration) {
	tab.t.Helper()
	tab.Wait(fmt.Sprintf("%q in %s", words, selector), within, func() bool {
		texts, err := tab.texts(selector)
		return err == nil && shown(words, texts)
	})
}

// WaitNoText waits until no element that the selector finds shows the words.
func (tab *Tab) WaitNoText(selector, words string, within time.Duration) {
	tab.t.Helper()
	tab.Wait(fmt.Sprintf("no %q in %s", words, selector), within, func() bool {
		texts, err := tab.texts(selector)
		return err == nil && !shown(words, texts)
	})
}

func shown(words string, texts []string) bool {
	return strings.Contains(strings.ToLower(strings.Join(texts, "\n")), strings.ToLower(words))
}

// WaitPath waits until the tab is at a path, whatever the query.
func (tab *Tab) WaitPath(path string, within time.Duration) {
	tab.t.Helper()
	tab.Wait("the path "+path, within, func() bool {
		var at string
		err := tab.eval("document.readyState === 'complete' ? location.pathname : ''", &at)
		return err == nil && at == path
	})
}

// Wait waits until cond holds. When it is in vain the test fails with what the
// page shows.
func (tab *Tab) Wait(what string, within time.Duration, cond func() bool) {
	tab.t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			tab.fail("waited %s in vain for %s", within, what)
		}
	}
}

// HTML is the page as it is now.
func (tab *Tab) HTML() (html string) {
	tab.t.Helper()
	tab.Wait("a page", tabTimeout, func() bool { // a new one has no element at first
		return tab.eval("document.documentElement?.outerHTML ?? ''", &html) == nil && html != ""
	})
	return html
}

// Screenshot writes what is on the screen as a PNG file.
func (tab *Tab) Screenshot(path string) {
	tab.t.Helper()
	if err := tab.screenshot(path); err != nil {
		tab.t.Fatalf("screenshot %s: %v", path, err)
	}
}

func (tab *Tab) screenshot(path string) error {
	picture, err := tab.picture()
	if err != nil {
		return err
	}
	return os.WriteFile(path, picture, 0o644)
}

// Picture is what is on the screen, as PNG.
func (tab *Tab) Picture() []byte {
	tab.t.Helper()
	picture, err := tab.picture()
	if err != nil {
		tab.fail("take a picture: %v", err)
	}
	return picture
}

func (tab *Tab) picture() ([]byte, error) {
	ctx, cancel := context.WithTimeout(tab.ctx, tabTimeout)
	defer cancel()
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

// fail ends the test with what the page shows. The picture stays when the tests
// run with -artifacts.
func (tab *Tab) fail(format string, args ...any) {
	tab.t.Helper()
	var text, at string
	err := tab.eval("document.body ? document.body.innerText : ''", &text)
	if err != nil {
		text = err.Error()
	}
	_ = tab.eval("location.href", &at) // where the text cannot be read, nor can this
	path := filepath.Join(tab.t.ArtifactDir(), "page.png")
	if err := tab.screenshot(path); err != nil {
		path = err.Error()
	}
	tab.t.Fatalf("%s\nat %s, which shows (%s):\n%s", fmt.Sprintf(format, args...), at, path, text)
}
