package scan_test

import (
	"bytes"
	"crypto/sha256"
	"net"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/scan"
)

// body is a message that lies in memory. After given is set nobody may read it.
type body struct {
	t       testing.TB
	content []byte
	given   atomic.Bool
}

func newBody(t testing.TB, content string) *body { return &body{t: t, content: []byte(content)} }

func (b *body) ReadAt(p []byte, off int64) (int, error) {
	if b.given.Load() {
		b.t.Error("the message was read after Scan had returned")
	}
	return bytes.NewReader(b.content).ReadAt(p, off)
}

func (b *body) Size() int64      { return int64(len(b.content)) }
func (b *body) SHA256() [32]byte { return sha256.Sum256(b.content) }
func (b *body) Bytes() []byte    { return b.content }

func path(t testing.TB, s string) inbound.Path {
	t.Helper()
	p, err := inbound.ParsePath(s, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// envelope is what a session said.
func envelope(t testing.TB) *inbound.Envelope {
	t.Helper()
	return &inbound.Envelope{
		ReversePath: path(t, "ann@sender.example"),
		Recipients: []inbound.Recipient{
			{Path: path(t, "one@in.example.com")}, {Path: path(t, `"two three"@in.example.com`)},
		},
		Helo: "mail.sender.example", ESMTP: true, RemoteIP: netip.MustParseAddr("2001:db8::7"), RemoteHost: "mail.sender.example",
		AuthUser: "ann", TLS: &inbound.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256"},
		ReceivedAt: time.Date(2026, 11, 21, 18, 30, 0, 0, time.UTC),
	}
}

// peer is a connection from a scanner's side.
type peer struct {
	net.Conn
	done <-chan struct{} // closed when the test ends
}

// listen serves each connection by a function until the test ends, and gives the address.
func listen(t testing.TB, network string, handle func(peer)) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(peer{c, t.Context().Done()})
			}()
		}
	}()
	return l.Addr().String()
}

// engines are the scanners by the way that each is configured.
var engines = map[string]func(*scan.Options) scan.Config{
	scan.Rspamd:       func(o *scan.Options) scan.Config { return scan.Config{Rspamd: o} },
	scan.ClamAV:       func(o *scan.Options) scan.Config { return scan.Config{ClamAV: o} },
	scan.SpamAssassin: func(o *scan.Options) scan.Config { return scan.Config{SpamAssassin: o} },
}

func scanners(t testing.TB, cfg scan.Config) *scan.Scanners {
	t.Helper()
	cfg.Hostname = "mx.example.com"
	s, err := scan.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
