package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// sendRaw sends a mail as it is and gives its id.
func sendRaw(t *testing.T, address, mail string) string {
	t.Helper()
	return sendRawTo(t, address, "support@in.example.com", mail)
}

func sendRawTo(t *testing.T, address, recipient, mail string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mail.eml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(mail, "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	o := sendOptions{server: address, helo: "localhost", tls: "auto", count: 1, connections: 1, from: "ann@sender.example", to: []string{recipient}}
	var out bytes.Buffer
	if err := o.run(t.Context(), []string{file}, nil, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return queueID.FindString(out.String())
}

// replyMail is a reply with html, a picture in it, and what a reply quotes.
const replyMail = `From: Ann Smith <ann@sender.example>
To: Support <support@in.example.com>
Reply-To: reply@sender.example
Subject: Re: Ticket 42 =?utf-8?q?=E2=80=93_caf=C3=A9?=
Message-ID: <42@sender.example>
In-Reply-To: <41@in.example.com>
MIME-Version: 1.0
Content-Type: multipart/related; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8

Sounds good, let us meet at five.

On Monday Bob wrote:
> Shall we meet?
> At the café?

--
Ann Smith
--inner
Content-Type: text/html; charset=utf-8

<html><head><style>p { color: #234 }</style></head><body><p>Sounds good, <b>let us meet at five</b>.</p><p><img src="cid:dot@sender.example" width="40" height="40" alt="a dot"></p>
<blockquote style="border-left: 2px solid #99c; padding-left: 8px">Shall we meet? At the café?</blockquote><p>Ann Smith</p></body></html>
--inner--
--outer
Content-Type: image/png; name=dot.png
Content-Disposition: inline; filename=dot.png
Content-Transfer-Encoding: base64
Content-ID: <dot@sender.example>

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
--outer--
`

// tricks are what mail tries in order to run something, or to have something fetched; CANARY is a server that counts.
var tricks = []string{
	`<script>fetch("CANARY/1")</script>`, `<script src="CANARY/2"></script>`, `<img src="CANARY/3">`, `<img src=x onerror="fetch('CANARY/4')">`,
	`<svg onload="fetch('CANARY/5')"><image href="CANARY/6"/></svg>`, `<svg><script href="CANARY/7"/></svg>`, `<svg><use href="CANARY/8#a"/></svg>`,
	`<iframe src="CANARY/9"></iframe>`, `<iframe srcdoc="&lt;script&gt;parent.fetch('CANARY/10')&lt;/script&gt;"></iframe>`, `<object data="CANARY/11"></object>`,
	`<embed src="CANARY/12">`, `<link rel="stylesheet" href="CANARY/13">`, `<link rel="prefetch" href="CANARY/14">`, `<link rel="preconnect" href="CANARY/15">`,
	`<link rel="dns-prefetch" href="CANARY/16">`, `<link rel="icon" href="CANARY/17">`, `<meta http-equiv="refresh" content="0;url=CANARY/18">`,
	`<base href="CANARY/19/"><img src="relative.png">`, `<style>@import "CANARY/20";</style>`, `<style>@import url(CANARY/21);</style>`,
	`<style>body{background:url(CANARY/22)}</style>`, `<style>body{background:\75\72\6c(CANARY/23)}</style>`, `<style>@font-face{font-family:x;src:url(CANARY/24)}*{font-family:x}</style>`,
	`<div style="background-image:url(CANARY/25)">x</div>`, `<div style="background:\75rl('CANARY/26')">x</div>`, `<div style="content:image-set('CANARY/27' 1x)">x</div>`,
	`<div style="list-style:url(CANARY/28);display:list-item">x</div>`, `<div style="cursor:url(CANARY/29),auto">x</div>`, `<table background="CANARY/30"><tr><td background="CANARY/31">x</td></tr></table>`,
	`<body background="CANARY/32" onload="fetch('CANARY/33')">`, `<video src="CANARY/34" poster="CANARY/35" autoplay></video>`, `<audio src="CANARY/36" autoplay></audio>`,
	`<video><source src="CANARY/37"><track src="CANARY/38" default></video>`, `<picture><source srcset="CANARY/39"><img srcset="CANARY/40 2x" src="CANARY/41"></picture>`,
	`<input type="image" src="CANARY/42">`, `<form action="CANARY/43"><input autofocus onfocus="fetch('CANARY/44')"></form>`, `<button formaction="javascript:fetch('CANARY/45')" autofocus>x</button>`,
	`<a href="javascript:fetch('CANARY/46')" id="a">x</a>`, `<a href="&#106;avascript:fetch('CANARY/47')">x</a>`, `<a href="java&#9;script:fetch('CANARY/48')">x</a>`,
	`<a href="data:text/html,<script>fetch('CANARY/49')</script>">x</a>`, `<details open ontoggle="fetch('CANARY/50')"><summary>x</summary></details>`, `<marquee onstart="fetch('CANARY/51')">x</marquee>`,
	`<math><mtext><table><mglyph><style><img src=x onerror="fetch('CANARY/52')"></style></mglyph></table></mtext></math>`, `<noscript><p title="</noscript><img src=x onerror=fetch('CANARY/53')>"></noscript>`,
	`<svg></p><style><a id="</style><img src=x onerror=fetch('CANARY/54')>">`, `<template><img src="CANARY/55"></template>`, `<textarea><img src="CANARY/56"></textarea><img src=x onerror="fetch('CANARY/57')">`,
	`<xmp><img src="CANARY/58"></xmp>`, `<!--[if gte mso 9]><img src="CANARY/59"><![endif]-->`, `<!--><img src="CANARY/60">-->`,
	`<style>a{color:red}</style><style>x{}</style><img style="behavior:url(CANARY/61)" src="cid:nothing">`, `<div style="width:expression(fetch('CANARY/62'))">x</div>`,
	`<svg><animate onbegin="fetch('CANARY/63')" attributeName="x" dur="1s"/></svg>`, `<svg><foreignObject><iframe src="CANARY/64"></iframe></foreignObject></svg>`, `<frameset><frame src="CANARY/65"></frameset>`,
	`<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='CANARY/66'/></svg>">`, `<script type="speculationrules">{"prefetch":[{"urls":["CANARY/67"]}]}</script>`,
	`<style>:root{--a:url(CANARY/68)}p{background:var(--a)}</style><p>x</p>`, `<style>p::before{content:url("CANARY/69")}</style>`, `<a ping="CANARY/70" href="https://shop.example/" attributionsrc="CANARY/71">x</a>`,
	`<img lowsrc="CANARY/72" dynsrc="CANARY/73">`, `<isindex action="javascript:fetch('CANARY/74')" type="image" src="CANARY/75">`, `<portal src="CANARY/76"></portal>`,
}

// canary counts the requests that mail was to make.
type canary struct {
	*httptest.Server

	mu   sync.Mutex
	seen []string
}

func startCanary(t *testing.T) *canary {
	c := &canary{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.seen = append(c.seen, r.URL.Path)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *canary) paths() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.seen...)
}

// hostileMail has every trick in its html, and some where a careless page would show them as markup.
func hostileMail(canary string) string {
	const loud = `<img src=x onerror=fetch('CANARY/header')><script>fetch('CANARY/header')</script>`
	mail := `From: "` + strings.ReplaceAll(loud, `"`, "") + `" <evil@sender.example>
To: Support <support@in.example.com>
Subject: ` + loud + `
X-Trick: "><svg onload=fetch('CANARY/field')>
Message-ID: <"><script>fetch('CANARY/id')</script>@sender.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8

` + loud + `</div></pre></textarea>` + loud + `

On Monday <script>fetch('CANARY/text')</script> wrote:
> ` + loud + `
--inner
Content-Type: text/html; charset=utf-8

<html><head>` + strings.Join(tricks, "\n") + `</head><body>` + strings.Join(tricks, "\n") + `</body></html>
--inner--
--outer
Content-Type: text/html; name="<img src=x onerror=fetch('CANARY/name')>.html"
Content-Disposition: attachment; filename="<img src=x onerror=fetch('CANARY/name')>.html"

<script>fetch('CANARY/attachment')</script>
--outer
Content-Type: image/svg+xml; name=a.svg
Content-ID: <nothing>
Content-Disposition: inline

<svg xmlns="http://www.w3.org/2000/svg" onload="fetch('CANARY/svg')"/>
--outer--
`
	return strings.ReplaceAll(mail, "CANARY", canary)
}

// testHostileMail: no text of a mail runs anything or has anything fetched, on any page. Pictures are fetched where somebody asks
// for them, and nothing else is even then.
func testHostileMail(t *testing.T, browser chrome) {
	if len(tricks) < 60 {
		t.Fatalf("%d tricks", len(tricks))
	}
	c := startCanary(t)
	b, dev := startDashboard(t, browser, devOptions{})
	id := sendRaw(t, dev.smtp, hostileMail(c.URL))
	for _, path := range pagesOf(id) {
		b.show(path)
		b.until("document.readyState == 'complete'")
	}
	b.show("/messages/" + id + "/html") // alone, not within the frame
	b.until("document.readyState == 'complete'")
	b.show("/messages?q=evil")
	b.untilText("evil@sender.example")
	if seen := c.paths(); len(seen) > 0 {
		t.Errorf("the mail made requests: %q", seen)
	}
	// What the sanitiser leaves has nothing that a policy would have to stop.
	b.clean("favicon")

	b.show("/messages/" + id + "?show=html&images=remote")
	b.until("document.readyState == 'complete'")
	for _, path := range c.paths() {
		if path != "/3" && path != "/41" && path != "/53" && path != "/60" && path != "/72" {
			t.Errorf("with pictures wanted, %s was fetched", path)
		}
	}
	if len(c.paths()) == 0 {
		t.Error("the pictures that were asked for were not fetched, so that the count says nothing")
	}
}
