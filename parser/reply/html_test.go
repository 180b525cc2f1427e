package reply_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/letterhook/letterhook/parser/reply"
)

// pages are replies as programs write them in HTML. want is the cut; empty where nothing is to be cut.
var pages = []struct{ name, html, want string }{
	{
		"Gmail",
		`<div dir="ltr">Sounds good.<div><br></div><div>Ann</div></div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">El lun, 1 may 2023 a las 10:00, Bob (&lt;<a href="mailto:bob@example.com">bob@example.com</a>&gt;) escribió:<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex"><div>Shall we meet?</div></blockquote></div>`,
		`<div dir="ltr">Sounds good.<div><br></div><div>Ann</div></div><br>`,
	},
	{
		"Gmail, answers between the lines",
		`<div class="gmail_quote"><div class="gmail_attr">On Mon, 1 May 2023, Bob wrote:<br></div><blockquote class="gmail_quote">Coming?</blockquote><div>Yes.</div><blockquote class="gmail_quote">Cake?</blockquote><div>No.</div></div>`,
		`<div class="gmail_quote"><blockquote class="gmail_quote">Coming?</blockquote><div>Yes.</div><blockquote class="gmail_quote">Cake?</blockquote><div>No.</div></div>`,
	},
	{
		"Gmail, text moved to the right",
		`<div>Please order:</div><blockquote style="margin:0 0 0 40px;border:none;padding:0px"><div>10 chairs</div></blockquote>`, "",
	},
	{
		"Apple Mail",
		`<html><body style="word-wrap: break-word;">Yes please.<br><div><br><blockquote type="cite"><div>On 1 May 2023, at 10:00, Bob &lt;bob@example.com&gt; wrote:</div><br><div>Coffee?</div></blockquote></div><br></body></html>`,
		`<html><body style="word-wrap: break-word;">Yes please.<br></body></html>`,
	},
	{
		"Outlook for Windows in a language that no table has",
		`<html><head><style>p {margin:0}</style></head><body><div class="WordSection1"><p class="MsoNormal">Mahalo.<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'><p class="MsoNormal"><b>Mai:</b> Bob<br><b>I:</b> Ann</p></div></div><p class="MsoNormal">Apopo?</p></div></body></html>`,
		`<html><head><style>p {margin:0}</style></head><body><div class="WordSection1"><p class="MsoNormal">Mahalo.<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p></div></body></html>`,
	},
	{
		"Outlook, German, without the drawn line",
		`<div><p>Passt.</p><p><b>Von:</b> Bob &lt;bob@example.de&gt;<br><b>Gesendet:</b> Montag, 1. Mai 2023 10:00<br><b>An:</b> Ann<br><b>Betreff:</b> Termin</p><p>Morgen?</p></div>`,
		`<div><p>Passt.</p></div>`,
	},
	{
		"Outlook on the web",
		`<body dir="ltr"><div>Fine with me.</div><div id="Signature"><p>Ann Jones</p></div><div id="appendonsend"></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><b>Lati:</b> Bob<br></div><div>Tomorrow?</div></body>`,
		`<body dir="ltr"><div>Fine with me.</div></body>`,
	},
	{
		"Thunderbird",
		`<body>Ja.<br><div class="moz-cite-prefix">Am 01.05.23 um 10:00 schrieb Bob:<br></div><blockquote type="cite" cite="mid:x@example.de">Morgen?</blockquote><div class="moz-signature">-- <br>Ann</div></body>`,
		`<body>Ja.<br></body>`,
	},
	{
		"Yahoo",
		`<div class="ydp1"><div>ok</div></div><div id="ydp2yahoo_quoted_1" class="yahoo_quoted"><div>On Monday, May 1, 2023, Bob wrote:</div><div>Tomorrow?</div></div>`,
		`<div class="ydp1"><div>ok</div></div>`,
	},
	{
		"Proton",
		`<div>Works for me.</div><div class="protonmail_signature_block"><div>Sent with <a href="https://proton.me/">Proton Mail</a> secure email.</div></div><div class="protonmail_quote">On Monday, May 1st, 2023 at 10:00 AM, Bob &lt;bob@example.com&gt; wrote:<br><blockquote class="protonmail_quote" type="cite">Tomorrow?</blockquote></div>`,
		`<div>Works for me.</div>`,
	},
	{
		"QQ",
		`<div>好的</div><div><br></div><div style="font-size: 12px;">------------------&nbsp;原始邮件&nbsp;------------------</div><div style="background:#efefef;"><div><b>发件人:</b>&nbsp;"bob"&lt;bob@example.com&gt;;</div><div><b>发送时间:</b>&nbsp;2023年5月1日</div><div><b>收件人:</b>&nbsp;"ann";</div><div><b>主题:</b>&nbsp;订单</div></div><div>请确认</div>`,
		`<div>好的</div><div><br></div>`,
	},
	{
		"Pre-formatted",
		"<pre>Yes.\n\nOn 1 May 2023 at 10:00, Bob wrote:\n&gt; No?\n</pre>",
		"<pre>Yes.\n\n</pre>",
	},
	{
		"Elements that never end",
		`<div><p>Yes<p>&gt; No?<li>&gt; More`,
		`<div><p>Yes`,
	},
	{
		"Outlook, new",
		`<html><body><div class="elementToProof">Fine.</div><div id="appendonsend"></div><div id="mail-editor-reference-message-container" class="ms-outlook-mobile-reference-message skipProofing"><hr style="display: inline-block; width: 98%;"><div id="divRplyFwdMsg"><b>From:</b> Bob</div><div>Tomorrow?</div></div></body></html>`,
		`<html><body><div class="elementToProof">Fine.</div></body></html>`,
	},
	{
		"Outlook mobile",
		`<div dir="ltr">Fine.</div><div><br></div><div id="ms-outlook-mobile-signature" dir="ltr">Sent from <a href="https://aka.ms/o0ukef">Outlook for iOS</a></div><hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri"><b>From:</b> Bob &lt;bob@example.com&gt;<br><b>Sent:</b> Monday<br><b>To:</b> Ann<br><b>Subject:</b> Plan</font></div><div>Tomorrow?</div>`,
		`<div dir="ltr">Fine.</div><div><br></div>`,
	},
	{
		"Gmail mobile",
		`<div dir="auto">Fine.<div dir="auto"><br></div><div dir="auto">Ann</div></div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Mon, 1 May 2023, 10:00 Bob, &lt;<a href="mailto:bob@example.com">bob@example.com</a>&gt; wrote:<br></div><blockquote class="gmail_quote"><p>Tomorrow?</p></blockquote></div>`,
		`<div dir="auto">Fine.<div dir="auto"><br></div><div dir="auto">Ann</div></div><br>`,
	},
	{
		"Samsung",
		`<div dir="auto">Fine.</div><div dir="auto"><br></div><div id="composer_signature" dir="auto"><div style="font-size:12px">Sent from my Galaxy</div></div><div dir="auto"><br></div><div><br></div><div align="left" dir="auto" style="font-size:100%"><div>-------- Original message --------</div><div>From: Bob &lt;bob@example.com&gt; </div><div>Date: 01/05/2023  10:00  (GMT+01:00) </div><div>To: Ann &lt;ann@example.com&gt; </div><div>Subject: Plan </div><div><br></div></div><p>Tomorrow?</p>`,
		`<div dir="auto">Fine.</div><div dir="auto"><br></div>`,
	},
	{
		"Spark",
		`<html><body><div name="messageBodySection"><div dir="auto">Fine.</div></div><div name="messageSignatureSection"><br><div>Ann</div></div><div name="messageReplySection">On 1 May 2023, 10:00 +0200, Bob &lt;bob@example.com&gt;, wrote:<br><blockquote type="cite">Tomorrow?</blockquote></div></body></html>`,
		`<html><body><div name="messageBodySection"><div dir="auto">Fine.</div></div><div name="messageSignatureSection"><br><div>Ann</div></div></body></html>`,
	},
	{
		"Notes",
		`<font size=2 face="sans-serif">Fine.</font><br><br><br><br><font size=1 color=#5f5f5f face="sans-serif">From: &nbsp; &nbsp; &nbsp; &nbsp;</font><font size=1 face="sans-serif">Bob Smith/ACME</font><br><font size=1 color=#5f5f5f face="sans-serif">To: &nbsp; &nbsp; &nbsp; &nbsp;</font><font size=1 face="sans-serif">Ann Jones/ACME@ACME</font><br><font size=1 color=#5f5f5f face="sans-serif">Date: &nbsp; &nbsp; &nbsp; &nbsp;</font><font size=1 face="sans-serif">05/01/2023 10:00 AM</font><br><font size=1 color=#5f5f5f face="sans-serif">Subject: &nbsp; &nbsp; &nbsp; &nbsp;</font><font size=1 face="sans-serif">Plan</font><br><hr noshade><br><font>Tomorrow?</font>`,
		`<font size=2 face="sans-serif">Fine.</font><br><br><br><br>`,
	},
	{
		"eM Client",
		`<div>Fine.</div><div><br></div><div>------ Original Message ------</div><div>From "Bob" &lt;<a href="mailto:bob@example.com">bob@example.com</a>&gt;</div><div>To "Ann" &lt;ann@example.com&gt;</div><div>Date 5/1/2023 10:00:00 AM</div><div>Subject Plan</div><div><br></div><blockquote cite="x" class="cite2"><div>Tomorrow?</div></blockquote>`,
		`<div>Fine.</div><div><br></div>`,
	},
	{
		"Word Mac",
		`<div class="WordSection1"><p class="MsoNormal">Fine.</p><p class="MsoNormal">&nbsp;</p><div style="border:none;border-top:solid #B5C4DF 1.0pt;padding:3.0pt 0in 0in 0in"><p class="MsoNormal"><b>From: </b>Bob &lt;bob@example.com&gt;<br><b>Date: </b>Monday, May 1, 2023 at 10:00 AM<br><b>To: </b>Ann<br><b>Subject: </b>Plan</p></div><p class="MsoNormal">Tomorrow?</p></div>`,
		`<div class="WordSection1"><p class="MsoNormal">Fine.</p><p class="MsoNormal">&nbsp;</p></div>`,
	},
	{
		"Yahoo iOS",
		`<html><body>Fine.<br><br><div id="ymail_android_signature"><a href="https://x">Sent from Yahoo Mail for iPhone</a></div><br><br><p class="yahoo-quoted-begin" style="font-size: 15px; color: #715FFA;">On Monday, May 1, 2023, 10:00 AM, Bob &lt;bob@example.com&gt; wrote:</p><blockquote class="iosymail"><div>Tomorrow?</div></blockquote></body></html>`,
		`<html><body>Fine.<br><br></body></html>`,
	},
	{
		"Thunderbird, German",
		`<html><body><p>Ja.<br></p><div class="moz-cite-prefix">Am 01.05.2023 um 10:00 schrieb Bob:<br></div><blockquote type="cite" cite="mid:x"><p>Morgen?</p></blockquote></body></html>`,
		`<html><body><p>Ja.<br></p></body></html>`,
	},
	{
		"Thunderbird answers between",
		`<html><body><div class="moz-cite-prefix">Am 01.05.2023 um 10:00 schrieb Bob:<br></div><blockquote type="cite"><p>Morgen?</p></blockquote><p>Ja.</p><blockquote type="cite"><p>Um zehn?</p></blockquote><p>Nein.</p></body></html>`,
		`<html><body><blockquote type="cite"><p>Morgen?</p></blockquote><p>Ja.</p><blockquote type="cite"><p>Um zehn?</p></blockquote><p>Nein.</p></body></html>`,
	},
	{
		"Outlook, an answer within the quote",
		`<div><p>Hi Bob,</p><p><b>From:</b> Bob Smith &lt;bob@example.com&gt;<br><b>Sent:</b> Monday, May 1, 2023 10:00 AM<br><b>To:</b> Ann Jones<br><b>Subject:</b> Plan</p><p>Tomorrow?</p><p><b><i>[Ann Jones] Yes.</i></b></p><p>Bye, Bob</p></div>`,
		`<div><p>Hi Bob,</p><p>Tomorrow?</p><p><b><i>[Ann Jones] Yes.</i></b></p></div>`,
	},
	{
		"Apple Mail, a forward",
		`<html><body>FYI<br><div><br><blockquote type="cite"><div>Begin forwarded message:</div><br><div><b>From: </b>Bob</div><div><b>Subject: </b>Plan</div><div>Hi</div></blockquote></div></body></html>`,
		`<html><body>FYI<br></body></html>`,
	},
	{
		"Proton, without a signature",
		`<div style="font-family: Arial">Fine.</div><div class="protonmail_signature_block protonmail_signature_block-empty"></div><div class="protonmail_quote">        On Monday, May 1st, 2023 at 10:00, Bob &lt;bob@example.com&gt; wrote:<br><br><blockquote class="protonmail_quote" type="cite">Tomorrow?</blockquote><br></div>`,
		`<div style="font-family: Arial">Fine.</div>`,
	},
	{
		"GMX",
		`<html><head></head><body><div style="font-family: Verdana;font-size: 12.0px;"><div>Ja.</div><div>&nbsp;<div name="quote" style="margin:10px 5px 5px 10px; padding: 10px 0 10px 10px; border-left:2px solid #C3D9E5;"><div style="margin:0 0 10px 0;"><b>Gesendet:</b>&nbsp;Montag, 01. Mai 2023 um 10:00 Uhr<br/><b>Von:</b>&nbsp;Bob &lt;bob@example.com&gt;<br/><b>An:</b>&nbsp;ann@gmx.de<br/><b>Betreff:</b>&nbsp;Plan</div><div name="quoted-content">Morgen?</div></div></div></div></body></html>`,
		`<html><head></head><body><div style="font-family: Verdana;font-size: 12.0px;"><div>Ja.</div></div></body></html>`,
	},
	{"Nothing quoted", `<p>Good morning</p><p>Bob</p>`, ""},
	{"Nothing but a quote", `<blockquote>Good morning</blockquote>`, ""},
	{"A forwarded mail alone", `<div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>From: Bob &lt;b@example.com&gt;<br>Subject: x<br>To: a</div><div>Hi</div></div>`, ""},
}

func TestCutHTML(t *testing.T) {
	for _, p := range pages {
		if got, tooLarge := reply.CutHTML(p.html); got != p.want || tooLarge {
			t.Errorf("%s: too large %v\n\t%s\nwant\n\t%s", p.name, tooLarge, got, p.want)
		}
	}
}

// balance is the number of elements that were opened and not closed, each name for itself.
func balance(t *testing.T, document string) map[string]int {
	t.Helper()
	open := map[string]int{}
	z := html.NewTokenizer(strings.NewReader(document))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return open
		case html.StartTagToken:
			name, _ := z.TagName()
			open[string(name)]++
		case html.EndTagToken:
			name, _ := z.TagName()
			open[string(name)]--
		}
	}
}

func FuzzCutHTML(f *testing.F) {
	for _, p := range pages {
		f.Add(p.html)
	}
	f.Fuzz(func(t *testing.T, document string) {
		cut, tooLarge := reply.CutHTML(document)
		if cut == "" {
			return
		}
		if tooLarge || len(cut) >= len(document) || strings.TrimSpace(cut) == "" {
			t.Errorf("%d octets of %d", len(cut), len(document))
		}
		at := 0 // the cut is made of pieces of the document, in their order
		for i := range len(cut) {
			n := strings.IndexByte(document[at:], cut[i])
			if n < 0 {
				t.Fatalf("octet %d is not of the document", i)
			}
			at += n + 1
		}
	})
}

func TestCutHTMLIsLinear(t *testing.T) {
	for _, piece := range []string{
		"<div>", "</div>", "<p>", "<blockquote>", "<b>x", "<br>", "<hr>", "<x y>", "</x>", "&gt; a<br>", "<pre>\n", "<", "<!--", "<style>", "a\n",
		"<div><p>From: a@b.example<br>", "<table><tr><td>x", "<blockquote>a</blockquote>b", "<i></b>",
	} {
		document := "<p>Yes</p>" + strings.Repeat(piece, 1<<20/len(piece)-2) + "<blockquote>no</blockquote>"
		if cut, _ := reply.CutHTML(document); len(cut) >= len(document) {
			t.Errorf("%q: nothing was cut", piece)
		}
	}
}

// TestCutHTMLMakesNoTag: what stood apart in the document does not become a tag once what was between is cut out.
func TestCutHTMLMakesNoTag(t *testing.T) {
	for document, want := range map[string]string{
		`<div>Hi <<span class="gmail_signature">Ann</span>script>alert(1)//<div>Bye</div></div>`: `<div>Hi script>alert(1)//<div>Bye</div></div>`,
		`<div>1 <<span class="gmail_signature">Ann</span>/div><p>2</div>`:                        `<div>1 /div><p>2</div>`,
		`<div>Hi <<<span class="gmail_signature">Ann</span>script></div>`:                        `<div>Hi script></div>`,
		`<div>Hi <<i class="gmail_signature">Ann</i><<i class="gmail_signature">Ann</i>b></div>`: `<div>Hi b></div>`,
		`<div>1 <<span class="gmail_signature">Ann</span> 2</div>`:                               `<div>1 < 2</div>`,
		`<p>1 < 2</p><div class="gmail_quote">old</div><blockquote>old</blockquote>`:             "<p>1 < 2</p>",
	} {
		if got, _ := reply.CutHTML(document); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", document, got, want)
		}
	}
}

func TestCutHTMLLimits(t *testing.T) {
	const page = "<p>Yes</p><blockquote>%no</blockquote>"
	for name, filling := range map[string]string{
		"size":   strings.Repeat("no ", 1<<20),
		"tokens": strings.Repeat("<i></i>", 60_000),
		"depth":  strings.Repeat("<i>", 600),
	} {
		if cut, tooLarge := reply.CutHTML(strings.Replace(page, "%", filling, 1)); cut != "" || !tooLarge {
			t.Errorf("%s: a document over the limit was cut", name)
		}
		if cut, tooLarge := reply.CutHTML(strings.Replace(page, "%", filling[:len(filling)/7/7*7], 1)); cut == "" || tooLarge {
			t.Errorf("%s: a document within the limit was not cut", name)
		}
	}
}

// Balanced markup stays balanced.
func TestCutHTMLKeepsBalance(t *testing.T) {
	for _, p := range pages {
		before := 0
		for _, n := range balance(t, p.html) {
			before += max(n, -n)
		}
		cut, _ := reply.CutHTML(p.html)
		if cut == "" || strings.Contains(p.html, "<hr") || strings.Contains(p.html, "<br") && before > 0 {
			continue
		}
		for name, n := range balance(t, cut) {
			if name != "br" && n > before {
				t.Errorf("%s: %d of %s are not closed", p.name, n, name)
			}
		}
	}
}

func BenchmarkCutHTML(b *testing.B) {
	document := "<html><body>" + strings.Repeat(`<p style="margin:0">Good morning, here are the figures.</p>`, 50) +
		`<div class="gmail_attr">On Mon, May 1, 2023 at 10:00 AM Bob &lt;bob@example.com&gt; wrote:</div><blockquote class="gmail_quote">` +
		strings.Repeat(`<p style="margin:0">Good morning, here are the figures.</p>`, 50) + "</blockquote></body></html>"
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		reply.CutHTML(document)
	}
}
