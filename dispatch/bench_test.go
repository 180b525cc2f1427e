package dispatch

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// tenKB is a mail of 10 KB, text and html.
func tenKB() []byte {
	text := strings.Repeat("Dear Sir or Madam, the figures are as follows: 12, 14, 18.\r\n", 75)
	html := "<html><body>" + strings.Repeat("<p class=\"c\">Dear Sir or Madam, the figures: 12, 14.</p>\r\n", 78) + "</body></html>\r\n"
	return []byte("From: Ann <ann@sender.example>\r\nTo: in@in.example\r\nSubject: Figures\r\nMessage-ID: <x@sender.example>\r\n" +
		"Date: Sat, 21 Nov 2026 18:29:55 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text + "\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + html + "\r\n--b--\r\n")
}

func BenchmarkParse(b *testing.B) {
	raw := tenKB()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRenderAndSign(b *testing.B) {
	h := build(b, storage.Endpoint{Name: "one"})
	defer h.close()
	d := h.dispatcher(nil)
	raw := tenKB()
	m := sampleMail(raw)
	c, err := d.open(b.Context(), m, bytes.NewReader(raw), int64(len(raw)), &share{from: d.desk})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		ev, err := d.event(b.Context(), m, c, "ep_1", epoch)
		if err != nil {
			b.Fatal(err)
		}
		body, err := d.native.render.render(ev, 0, false)
		if err != nil {
			b.Fatal(err)
		}
		Sign(m.ID, epoch, body, [][]byte{testSecret})
	}
}

// BenchmarkAcceptToDelivered takes mails as fast as the store does, from 32 senders, and waits until all are delivered and
// recorded; receiver and all run in this process.
func BenchmarkAcceptToDelivered(b *testing.B) {
	var got atomic.Int64
	all := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if got.Add(1) == int64(b.N) {
			close(all)
		}
	}))
	defer srv.Close()
	h := build(b, storage.Endpoint{Name: "one", URL: srv.URL})
	defer h.close()
	stop := h.start(h.dispatcher(func(c *Config) { c.Log = nil }))
	defer stop()
	raw := tenKB()
	env := sampleMail(raw).Envelope
	env.Recipients = env.Recipients[:1]
	env.Recipients[0].Account, env.Recipients[0].Endpoints = h.directory.Endpoints[h.ids["one"]].Account, []string{h.ids["one"]}
	var sent atomic.Int64
	b.SetParallelism(16)
	b.ReportAllocs()
	b.ResetTimer()
	begun := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			own := bytes.Replace(raw, []byte("Figures"), fmt.Appendf(nil, "F%d", sent.Add(1)), 1)
			ids, err := h.store.Accept(b.Context(), &env, hashed{body{bytes.NewReader(own), own}, sha256.Sum256(own)})
			if err != nil {
				b.Error(err)
				return
			}
			h.store.Acknowledged(ids)
		}
	})
	accepted := time.Since(begun)
	<-all
	stop()
	b.ReportMetric(float64(b.N)/accepted.Seconds(), "accepted/s")
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "delivered/s")
}

// hashed is a body whose hash is known.
type hashed struct {
	body
	sum [32]byte
}

func (h hashed) SHA256() [32]byte { return h.sum }
