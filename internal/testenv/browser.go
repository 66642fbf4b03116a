package testenv

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// Browser is a headless Chromium. Whatever it is asked for, it reaches this
// machine alone.
type Browser struct{ ctx context.Context }

// sharedBrowser is one browser for all tests of a process: starting one takes
// longer than most tests with it.
var sharedBrowser = sync.OnceValues(func() (*Browser, error) {
	program, err := browserProgram()
	if err != nil {
		return nil, err
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), browserFlags(program)...)
	ctx, closeBrowser := chromedp.NewContext(allocator, chromedp.WithLogf(discard), chromedp.WithErrorf(discard))
	atEnd(func() error {
		closeBrowser()
		stop() // also waits for it to be gone
		return nil
	})
	return &Browser{ctx}, chromedp.Do(ctx)
})

// discard is for what chromedp logs of events that it does not know: what
// matters of a page is heard by its tab.
func discard(string, ...any) {}

// SharedBrowser is a browser that all tests of the process share, each with tabs
// and cookies of its own. It ends with the process, however that ends. Packages
// that use it run their tests through Main.
func SharedBrowser(t testing.TB) *Browser {
	t.Helper()
	b, err := sharedBrowser()
	must(t, err)
	return b
}

func browserProgram() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if program, err := exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", errors.New("Chromium 120 or newer is needed, or Chrome: please install it (Debian: apt-get install chromium)")
}

// browserFlags keep the browser at home, small, and the same on every machine.
func browserFlags(program string) []chromedp.ExecAllocatorOption {
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.Env("TZ=UTC", "LC_ALL=C.UTF-8"),
		chromedp.Flag("lang", "en-US"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-pings", true),
		// One process fewer, and no graphics card.
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("in-process-gpu", true),
		chromedp.Flag("font-render-hinting", "none"),
	)
	return flags
}
