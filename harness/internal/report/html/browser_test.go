package html_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/cgogrind/cgogrind/harness/internal/report/html"
	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/result"
)

var screenshots = flag.String("screenshots", "", "write screenshots to this `folder`")

// tab is a page in a browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // exceptions, messages of the console, dialogs
	requests []string
}

// TestBrowser looks at the page as its readers do, in Chromium without a window.
func TestBrowser(t *testing.T) {
	ctx := browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"filters", testFilters},
		{"search", testSearch},
		{"keyboard", testKeyboard},
		{"small screen", testSmallScreen},
		{"link", testLink},
		{"causes", testCauses},
		{"hostile page", testHostilePage},
		{"without scripts", testWithoutScripts},
		{"many findings", testManyFindings},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab, cancel := chromedp.NewContext(ctx)
			defer cancel()
			c.test(t, tab)
		})
	}
}

// browser starts Chromium, without a window. It skips a test where there is none: ci/test --full installs it.
func browser(t *testing.T) context.Context {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		if os.Getenv("CGOGRIND_FULL") != "" {
			t.Fatal("there is no chromium: install the package of that name")
		}
		t.Skip("not tested in a browser: there is no chromium (install the package of that name)")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	return ctx
}

// open shows a page from a file in a window of a size.
func open(t *testing.T, ctx context.Context, text string, width, height int64, hash string) *tab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	p := &tab{t: t, ctx: ctx}
	note := func(list *[]string, text string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		*list = append(*list, text)
	}
	err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			note(&p.problems, fmt.Sprintf("%+v", ev.ExceptionDetails))
		case *runtime.EventConsoleAPICalled:
			note(&p.problems, "the console: "+string(ev.Type))
		case *log.EventEntryAdded:
			note(&p.problems, "the log: "+ev.Entry.Text)
		case *page.EventJavascriptDialogOpening:
			note(&p.problems, "a dialog: "+ev.Message)
			go func() {
				_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
			}()
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(ev.Request.URL, "file:///") {
				note(&p.requests, ev.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	p.run(chromedp.EmulateViewport(width, height), chromedp.Navigate("file://"+file+hash))
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.problems) > 0 {
			t.Errorf("the page complains: %s", p.problems)
		}
		if len(p.requests) > 0 {
			t.Errorf("the page uses the network: %s", p.requests)
		}
	})
	return p
}

func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval returns what an expression is, as text.
func (p *tab) eval(expression string) string {
	p.t.Helper()
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// do runs statements in the page.
func (p *tab) do(statements string) {
	p.t.Helper()
	p.eval("(() => { " + statements + " })()")
}

// wait waits until an expression is what it should be.
func (p *tab) wait(expression, want string) {
	p.t.Helper()
	got := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = p.eval(expression); got == want {
			return
		}
	}
	p.t.Fatalf("%s is %q, want %q", expression, got, want)
}

// press presses a key that is a character. Chromium makes the character of it, unless the page prevents that.
func (p *tab) press(key string) {
	p.t.Helper()
	for _, params := range []input.DispatchKeyEventParams{
		{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key}, {Type: input.DispatchKeyEventTypeKeyUp, Key: key},
	} {
		if _, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, params); err != nil {
			p.t.Fatal(err)
		}
	}
}

// screenshot is for people: it checks nothing.
func (p *tab) screenshot(name string) {
	p.t.Helper()
	if *screenshots == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name), png, 0o666); err != nil {
		p.t.Fatal(err)
	}
}

const (
	rows    = `document.querySelectorAll('[role=tabpanel]:not([hidden]) .row').length`
	matches = `document.getElementById('matches').textContent`
	focused = `document.activeElement.closest('.row')?.querySelector('.row-what').textContent`
)

func testFilters(t *testing.T, ctx context.Context) {
	p := open(t, ctx, reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format), 1280, 900, "")
	// Of five new ones and a known one the new ones are shown first.
	p.wait(matches, "5 of 6 findings")
	p.wait(rows, "5")
	p.screenshot("report.png")
	p.run(chromedp.Click(`#choices input[value=known]`))
	p.wait(matches, "6 findings")
	p.do(`const k = document.getElementById('kind'); k.value = 'Leak_DefinitelyLost'; k.dispatchEvent(new Event('change'))`)
	p.wait(matches, "2 of 6 findings")
	p.wait(`document.querySelector('.bar[data-value=Leak_DefinitelyLost]').getAttribute('aria-pressed')`, "true")
	p.run(chromedp.Click(`#reset`))
	p.wait(matches, "5 of 6 findings")
	p.run(chromedp.Click(`.bar[data-value="example.com/wrap/errtext"]`))
	p.wait(matches, "1 of 6 findings")
	p.run(chromedp.Click(`#reset`), chromedp.Click(`[data-verdict=inconclusive]`))
	p.wait(matches, "1 of 10 tests")
	p.wait(`document.querySelector('#tests .row-what').textContent`, "TestKilled")
	p.run(chromedp.Click(`[data-disposition=known]`))
	p.wait(matches, "1 of 6 findings")
	p.wait(`document.querySelector('#findings .row-where').textContent`, "entry_new  names/names.go:12")
}

func testSearch(t *testing.T, ctx context.Context) {
	p := open(t, ctx, reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format), 1280, 900, "")
	for _, c := range []struct{ query, want string }{
		{"strdup", "0 of 6 findings"}, // the known one is hidden
		{"CSTRING(name)", "1 of 6 findings"},
		{"names.go entry", "1 of 6 findings"},
		{"TestLength/known", "1 of 6 findings"},
		{"d3ad200cade54562", "1 of 6 findings"},
		{"uninitialised heap", "2 of 6 findings"},
		{"Text.func1.func2", "1 of 6 findings"}, // the linker's name of a function that is shown under its own
		{"no such thing", "0 of 6 findings"},
		{"", "5 of 6 findings"},
	} {
		p.do(query(c.query))
		p.wait(matches, c.want)
	}
}

func testKeyboard(t *testing.T, ctx context.Context) {
	p := open(t, ctx, reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format), 1280, 1400, "")
	p.wait(rows, "5")
	keys := func(s string) { t.Helper(); p.run(chromedp.KeyEvent(s)) }
	p.press("/")
	p.wait(`document.activeElement.id`, "q")
	keys("entry_first")
	p.wait(matches, "1 of 6 findings")
	keys(kb.Escape)
	p.wait(matches, "5 of 6 findings")
	keys("j")
	p.wait(focused, "InvalidFree Invalid free() / delete / delete[] / realloc()")
	keys("j")
	p.wait(focused, "InvalidRead Invalid read of size 8")
	keys(kb.Enter)
	p.wait(`document.querySelectorAll('.row[open] .body h3').length`, "5")
	p.wait(`location.hash`, "#f-d3ad200cade54562")
	// The source around the line that is blamed, with that marked.
	p.wait(`document.querySelectorAll('.row[open] .excerpt div').length`, "7")
	p.wait(`document.querySelector('.row[open] .excerpt .at').textContent`, "20static int entry_first(entry *e) { return e->name[0]; }")
	p.wait(`document.querySelector('.row[open] .command code').textContent`, "cgogrind test -run '^TestUseAfterClose$' example.com/wrap/names")
	// The rest of the row can be reached: frames show their source, tests lead to their verdict.
	keys(kb.Tab)
	keys(kb.Enter)
	p.wait(`document.activeElement.getAttribute('aria-expanded')`, "true")
	p.screenshot("finding.png")
	keys(kb.Enter)
	p.run(chromedp.Focus(`.row[open] .links button`))
	keys(kb.Enter)
	p.wait(matches, "10 tests")
	p.wait(focused, "TestUseAfterClose")
	p.wait(`document.querySelectorAll('.row[open] .links button').length`, "3")
	p.screenshot("tests.png")
	keys("k")
	p.wait(focused, "TestNew")
	keys("f")
	p.wait(matches, "5 of 6 findings")
	keys("n")
	p.wait(matches, "6 findings")
	keys("n")
	p.wait(matches, "5 of 6 findings")
	keys("?")
	p.wait(`document.getElementById('help').open`, "true")
	keys(kb.Escape)
	p.wait(`document.getElementById('help').open`, "false")
	p.run(chromedp.Focus(`#tab-findings`))
	keys(kb.ArrowRight)
	p.wait(matches, "10 tests")
	p.wait(`document.activeElement.id`, "tab-tests")
}

func testSmallScreen(t *testing.T, ctx context.Context) {
	p := open(t, ctx, reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format), 360, 740, "")
	p.wait(rows, "5")
	const fits = `document.documentElement.scrollWidth <= innerWidth`
	p.wait(fits, "true")
	p.screenshot("small.png")
	p.do(`document.querySelectorAll('.row')[1].open = true; document.querySelector('.charts').open = true; document.querySelector('.facts').open = true`)
	p.wait(`document.querySelectorAll('.row[open] .body').length`, "1")
	p.wait(fits, "true")
	p.do(`document.querySelector('.row[open]').scrollIntoView()`)
	p.screenshot("small-finding.png")
}

// A link to a finding opens it, whatever the page shows at first.
func testLink(t *testing.T, ctx context.Context) {
	p := open(t, ctx, reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format), 1280, 900, "#f-c3bdb189a8993845")
	p.wait(focused, "Leak_DefinitelyLost 9 bytes in 2 blocks are definitely lost")
	p.wait(`document.querySelector('.row[open]').dataset.fingerprint`, "c3bdb189a8993845")
}

func testHostilePage(t *testing.T, ctx context.Context) {
	p := open(t, ctx, reporttest.Write(t, reporttest.Hostile(), format), 1280, 900, "#f-%00%ff'\"<script>")
	p.wait(`document.querySelector('main').hidden`, "false")
	p.do(`document.querySelectorAll('#choices input:not(:checked)').forEach(b => b.click())`)
	p.wait(matches, "8 findings")
	for _, list := range []string{"findings", "tests"} {
		p.run(chromedp.Click("#tab-" + list))
		p.wait(rows, "8")
		p.do(`document.querySelectorAll('.row').forEach(r => { r.open = true })`)
		p.wait(`document.querySelectorAll('.row .body').length`, "8")
		p.do(`document.querySelectorAll('.row button.frame').forEach(b => b.click())`)
		if got := p.eval(`document.querySelectorAll('img, .row script, .row a, .row h1').length`); got != "0" {
			t.Errorf("%s elements came from texts", got)
		}
	}
	p.wait(`document.documentElement.scrollWidth <= innerWidth`, "true")
}

func testWithoutScripts(t *testing.T, ctx context.Context) {
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	p := open(t, ctx, reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format), 800, 600, "")
	for sel, want := range map[string]string{"h1": "memcheck found 5 new defects", "noscript": "scripts are switched off"} {
		got, err := chromedp.Run(p.ctx, chromedp.Text(sel))
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%s is %q, want %q (%v)", sel, got, want, err)
		}
	}
}

// query is statements that enter something to search for.
func query(q string) string {
	return fmt.Sprintf(`const q = document.getElementById('q'); q.value = %q; q.dispatchEvent(new Event('input'))`, q)
}

// Ten thousand findings: each answer comes with the next frame or soon after, and never are there more rows than a page has.
func testManyFindings(t *testing.T, ctx context.Context) {
	const n = 10_000
	msgs := []result.Message{{Config: &result.Config{Dir: "/src", Tool: "v0.1.0"}}}
	for m := range reporttest.Many(n) {
		msgs = append(msgs, m)
	}
	text := reporttest.Write(t, msgs, func(w io.Writer) result.Handler { return html.New(w, os.ReadFile) })
	p := open(t, ctx, text, 1280, 900, "")
	p.wait(matches, "10,000 findings")
	p.screenshot("many.png")
	took := func(what, script, want string) {
		t.Helper()
		// The answer is there when the frame after the next begins.
		ms, err := chromedp.Run(p.ctx, chromedp.Evaluate[float64](`(async () => { const t = performance.now(); `+script+`;
			await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))); return performance.now() - t; })()`,
			chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.eval(matches); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
		if got := p.eval(rows + ` <= 200`); got != "true" {
			t.Errorf("%s: %s rows", what, p.eval(rows))
		}
		t.Logf("%s in a page of %d MB: %.0f ms", what, len(text)>>20, ms)
	}
	took("searching a function", query("function_77_"), "1 of 10,000 findings")
	took("searching what all have", query("caller"), "10,000 findings")
	took("searching two words", query("invalidread pkg3"), "250 of 10,000 findings")
	took("filtering a kind", query("")+`; const k = document.getElementById('kind'); k.value = 'InvalidRead'; k.dispatchEvent(new Event('change'))`,
		"2,500 of 10,000 findings")
	took("ordering", `const o = document.getElementById('order'); o.value = 'place'; o.dispatchEvent(new Event('change'))`, "2,500 of 10,000 findings")
}

// Findings of one cause stand behind the one that came first, and lead to each other.
func testCauses(t *testing.T, ctx context.Context) {
	p := open(t, ctx, reporttest.Write(t, reporttest.Stream(t, "causes.jsonl"), format), 1280, 900, "")
	p.wait(matches, "21 findings")
	row := func(n int) string { return fmt.Sprintf(`document.querySelectorAll('#findings .row')[%d]`, n) }
	p.wait(row(0)+`.querySelector('.row-more').textContent`, "1 test, 2 more findings with this cause")
	for i, want := range []string{"false", "true", "true", "false"} {
		p.wait(row(i)+`.classList.contains('other')`, want)
	}
	p.wait(row(2)+`.querySelector('.row-what').textContent`, "↳ InvalidFree Invalid free() / delete / delete[] / realloc()")
	p.screenshot("causes.png")
	p.do(row(2) + `.open = true`)
	const links = `[...document.querySelectorAll('.row[open] .links button')].map(b => b.textContent).join(', ')`
	p.wait(links, "TestUseAfterFree, InvalidRead in causes.UseAfterFree, InvalidRead in thing_free")
	p.do(`document.querySelectorAll('.row[open] .links button')[1].click()`)
	p.wait(focused, "InvalidRead Invalid read of size 4")
	// In another order they stand where they belong, and are marked all the same.
	p.do(`const o = document.getElementById('order'); o.value = 'most often'; o.dispatchEvent(new Event('change'))`)
	p.wait(`document.querySelectorAll('.row.other').length`, "0")
	p.wait(`[...document.querySelectorAll('#findings .row-what')].filter(r => r.textContent.startsWith('↳')).length`, "10")
	p.do(query("2a4d6dcc")) // alone it is listed as any other
	p.wait(matches, "1 of 21 findings")
}
