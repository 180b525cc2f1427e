package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// missing ends a test for want of something that the machine lacks.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// chrome is the one browser of all tests of the dashboard.
type chrome struct{ ctx context.Context }

func startBrowser(t *testing.T) chrome {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, "chromium is missing; make services installs it")
	}
	ctx, end := chromedp.NewExecAllocator(t.Context(), append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(2*time.Minute),
		chromedp.WindowSize(1280, 860), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("lang", "en"))...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("the browser did not start: %v", err)
	}
	return chrome{ctx}
}

// tab is a page of the browser with cookies of its own.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu       sync.Mutex
	troubles []string // scripts that failed, what the policies stopped, dialogues
}

// openTab opens a tab for the dashboard at base.
func openTab(t *testing.T, browser chrome, base string) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	b := &tab{t: t, ctx: ctx, base: base}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	b.ctx, end = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(end)
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.troubles = append(b.troubles, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *page.EventJavascriptDialogOpening:
		b.troubles = append(b.troubles, "a dialogue: "+e.Message)
	}
}

// fail ends the test with what the page shows.
func (b *tab) fail(err error) {
	b.t.Helper()
	text, _ := chromedp.Run(context.WithoutCancel(b.ctx), chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	b.t.Fatalf("%v\nthe page:\n%s\nin the browser: %q", err, text, b.seen())
}

// run does what the actions say, or ends the test.
func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.fail(err)
	}
}

func (b *tab) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.troubles)
}

// clean wants no script to have failed and no policy to have had anything to stop. What is expected is named by a part of it.
func (b *tab) clean(expected ...string) {
	b.t.Helper()
	for _, trouble := range b.seen() {
		if !slices.ContainsFunc(expected, func(part string) bool { return strings.Contains(trouble, part) }) {
			b.t.Errorf("in the browser: %s", trouble)
		}
	}
}

// show goes to a page.
func (b *tab) show(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.base + path))
}

// until waits for an expression of JavaScript to be true. A page that goes away meanwhile leaves the question to the next one.
func (b *tab) until(expression string) {
	b.t.Helper()
	wait := "new Promise(done => { const look = () => { (" + expression + ") ? done(true) : setTimeout(look, 25) }; look() })"
	for {
		_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](wait, chromedp.EvalAwaitPromise))
		switch {
		case err == nil:
			return
		case b.ctx.Err() != nil:
			b.fail(fmt.Errorf("it never was that %s: %w", expression, err))
		}
	}
}

// untilText waits for the page to hold a text.
func (b *tab) untilText(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("document.body?.innerText.includes(%q)", text))
}

// text is what an expression of JavaScript gives.
func (b *tab) text(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("(async () => String("+expression+"))()", chromedp.EvalAwaitPromise))
	if err != nil {
		b.fail(err)
	}
	return text
}

// do evaluates statements of JavaScript.
func (b *tab) do(statements string) {
	b.t.Helper()
	b.run(chromedp.Evaluate[chromedp.Void](statements))
}

// fill writes into a field.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.run(chromedp.SetValue(chromedp.CSS(selector), text))
}

// write types into a field.
func (b *tab) write(selector, text string) {
	b.t.Helper()
	b.run(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// openDetails unfolds what a selector finds.
func openDetails(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector + " > summary"))
}

// click clicks on what a selector finds, and waits for the page that comes.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.do("window.before = true")
	b.run(chromedp.Click(chromedp.CSS(selector)))
	b.until("!window.before && document.readyState == 'complete'")
}

// startDashboard runs dev and opens a tab for it. Events go to receiver.
func startDashboard(t *testing.T, browser chrome, o devOptions) (*tab, *running) {
	t.Helper()
	o.data = t.TempDir()
	dev := startDev(t, o)
	base := dev.await(`^  dashboard +(http://\S+)$`)[1]
	go func() {
		for range dev.lines { // nobody reads on
		}
	}()
	return openTab(t, browser, base), dev
}

// axeSource is the checker of hindrances.
func axeSource(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(cache, "letterhook", "axe", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		missing(t, "axe-core is missing; make services installs it")
	}
	return string(source)
}
