package main

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestScreenshots makes the pictures of the documentation: make screenshots. It is no test.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("LETTERHOOK_SCREENSHOTS")
	if folder == "" {
		t.Skip("make screenshots runs it")
	}
	browser := startBrowser(t)
	good, bad := startHook(t, http.StatusOK), startHook(t, http.StatusServiceUnavailable)
	s := serveFile(t, strings.Replace(emptyConfig, "accounts: [{name: main}]", `accounts: [{name: main}]
endpoints:
  - {name: app, url: "`+good.URL+`/hooks/mail", allow_private: true, stored_secrets: true}
  - {name: archive, url: "`+bad.URL+`/archive", allow_private: true, stored_secrets: true}
domains:
  - name: in.example.com
    routes:
      - {match: support, endpoints: [app]}
      - {match: "reply+*", endpoints: [app]}
      - {match: "order-*", endpoints: [app, archive]}
      - {match: "/o-(?P<order>[0-9]+)/", endpoints: [app]}
      - {match: noreply, refuse: "Nobody reads this"}
      - {match: "*", endpoints: [archive]}`, 1))
	smtp := s.smtpListeners[0].Addr().String()
	for i, subject := range []string{"Invoice 2026-117", "Where is my parcel?", "Out of office", "Your order has shipped", "Meeting notes", "Re: Contract"} {
		to := []string{"support", "reply+k3y", "order-4711", "support", "o-42", "support"}[i] + "@in.example.com"
		send(t, smtp, sendOptions{from: []string{"billing@shop.example", "ann@sender.example", "bob@mail.example"}[i%3], to: []string{to}, subject: subject, text: "Hello,\n\nthis is a mail.\n"})
	}
	id := sendRaw(t, smtp, replyMail)
	refused := sendOptions{server: smtp, helo: "mail.sender.example", tls: "auto", count: 1, connections: 1, from: "ann@sender.example", to: []string{"noreply@in.example.com"}, subject: "x", text: "x\n"}
	_ = refused.run(t.Context(), nil, nil, new(bytes.Buffer)) // it is refused, which is wanted
	b := openTab(t, browser, "http://"+s.public.Addr().String())
	b.show("/messages/" + id)
	b.untilText("app: delivered")
	for b.show("/refusals"); b.text(`document.querySelectorAll("a[data-row]").length`) == "0"; {
		b.show("/refusals")
	}
	refusal := b.text(`document.querySelector("a[data-row]").getAttribute("href")`)
	for _, theme := range []string{"light", "dark"} {
		b.do(`document.cookie = "letterhook_theme=` + theme + `; path=/"`)
		for name, path := range map[string]string{
			"overview": "/", "messages": "/messages", "message": "/messages/" + id, "text": "/messages/" + id + "?show=text", "endpoint": "/endpoints/" + endpointID(t, s.server, "archive"),
			"domains": "/domains?address=o-42@in.example.com", "domain": "/domains/in.example.com", "refusal": refusal, "settings": "/settings?pull=drain-on", "start": "/start",
			"nothing-found": "/messages?q=nothing+fits", "not-there": "/nothing",
		} {
			if theme == "dark" && name != "overview" && name != "message" {
				continue // two are enough to show it
			}
			b.show(path)
			b.until("document.readyState == 'complete'")
			b.shoot(filepath.Join(folder, name+"-"+theme+".png"))
		}
	}
	b.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	for name, path := range map[string]string{"phone-messages": "/messages", "phone-message": "/messages/" + id, "phone-endpoints": "/endpoints"} {
		b.show(path)
		b.shoot(filepath.Join(folder, name+".png"))
	}
	routes, _, ids := routesHouse(t, "support", "order-*", "invoice-*", "*")
	editor := openTab(t, browser, strings.TrimSuffix(routes.base, "/api/v1"))
	for name, path := range map[string]string{"routes": "/domains/shop.example?address=order-4711%40shop.example", "route": "/domains/shop.example/routes/" + ids["order-*"]} {
		editor.show(path)
		editor.shoot(filepath.Join(folder, name+"-light.png"))
	}
	operator := makeKey(t, routes.serving, "laptop", keyOptions{scopes: scopeNames()})
	for _, one := range []map[string]any{
		{"recipient": "old-list@in.example.com", "action": "discard", "note": "nobody reads it since the move"},
		{"sender": "newsletter@shop.example", "until": time.Now().AddDate(0, 0, -3).UTC()},
		{"sender": "billing@trader.example", "until": time.Now().AddDate(0, 0, 30).UTC(), "note": "sends each invoice a hundred times, ticket 42"},
		{"sender": "@spam.example", "note": "never was a customer"},
	} {
		one["account_id"] = routes.accounts["acme"]
		routes.do(t, operator, "POST", "/suppressions", one)
	}
	editor.show("/suppressions")
	editor.shoot(filepath.Join(folder, "suppressions-light.png"))
	editor.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	editor.show("/suppressions")
	editor.shoot(filepath.Join(folder, "phone-suppressions.png"))
	_, base := serveGuarded(t)
	out := openTab(t, browser, base)
	out.show("/")
	out.shoot(filepath.Join(folder, "login.png"))
}

// shoot keeps what the window shows. A palette keeps the pictures small.
func (b *tab) shoot(path string) {
	b.t.Helper()
	raw, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.fail(err)
	}
	shown, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	small := image.NewPaletted(shown.Bounds(), paletteOf(shown))
	draw.Draw(small, small.Bounds(), shown, shown.Bounds().Min, draw.Src)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// paletteOf is the most used colours of a picture.
func paletteOf(shown image.Image) color.Palette {
	counts := map[color.RGBA]int{}
	for y := shown.Bounds().Min.Y; y < shown.Bounds().Max.Y; y++ {
		for x := shown.Bounds().Min.X; x < shown.Bounds().Max.X; x++ {
			counts[color.RGBAModel.Convert(shown.At(x, y)).(color.RGBA)]++
		}
	}
	used := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int { return cmp.Compare(counts[b], counts[a]) })
	colours := make(color.Palette, 0, 256)
	for _, c := range used[:min(len(used), cap(colours))] {
		colours = append(colours, c)
	}
	return colours
}
