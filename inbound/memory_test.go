package inbound

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound/guard"
)

// refuser is a spool that takes nothing.
type refuser struct{}

func (refuser) Accept(context.Context, *Envelope, Body) ([]string, error) {
	return nil, ReplyStorageTrouble
}

func (refuser) Acknowledged([]string) {}

// TestMemoryComesBack: however a message ends, its memory is given back and its file is closed.
func TestMemoryComesBack(t *testing.T) {
	small, large := strings.Repeat("x", 50_000), strings.Repeat("x", 500_000)
	for name, session := range map[string]string{
		"refused by the spool": "BDAT 50000 LAST\r\n" + small,
		"reset":                "BDAT 50000\r\n" + small + "RSET\r\n",
		"hello":                "BDAT 50000\r\n" + small + "EHLO a\r\n",
		"quit":                 "BDAT 50000\r\n" + small + "QUIT\r\n",
		"gone between chunks":  "BDAT 50000\r\n" + small,
		"gone inside a chunk":  "BDAT 60000\r\n" + small,
		"gone inside the data": "DATA\r\n" + small,
		"gone, in a file":      "BDAT 600000\r\n" + large,
		"refused, in a file":   "BDAT 500000 LAST\r\n" + large,
	} {
		t.Run(name, func(t *testing.T) {
			files := openFiles(t)
			s, err := NewServer(Config{
				Hostname: "mx.example.com", Spool: refuser{}, TempDir: t.TempDir(), MemoryPerMessage: 100_000,
				Recipients: func(Path) Decision { return Decision{} },
			})
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error)
			go func() { served <- s.Serve(context.Background(), l, Listener{Name: "mx"}) }()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprint(c, "EHLO a\r\nMAIL FROM:<> SIZE=60000\r\nRCPT TO:<a@b>\r\n"+session); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, bufio.NewReader(c)); err != nil { // until the server has closed too
				t.Fatal(err)
			}
			c.Close()
			if err := s.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			if err := <-served; err != nil {
				t.Fatal(err)
			}
			if used := s.memory.Used() + s.files.Used(); used != 0 {
				t.Errorf("%d octets are still counted", used)
			}
			if now := openFiles(t); now > files {
				t.Errorf("%d temporary files are open, were %d", now, files)
			}
		})
	}
}

// TestRefusedContentIsDropped: what is only read on for the sake of the dialogue is not kept.
func TestRefusedContentIsDropped(t *testing.T) {
	cfg, mem := Config{MaxMessageSize: 100, MaxLineLength: 1000, MemoryPerMessage: 1 << 20}, guard.NewShares(1<<20)
	c := newContent(&cfg, space{memory: mem}, &transaction{limit: cfg.MaxMessageSize})
	c.write([]byte(strings.Repeat("x", 100)))
	if mem.Used() == 0 {
		t.Error("memory is not counted")
	}
	c.write([]byte("x"))
	c.write([]byte(strings.Repeat("x", 500)))
	if used := mem.Used(); used != 0 || c.refusal == nil || c.refusal.Text != refuseTooLarge.atMost(100).Text || c.size != 601 {
		t.Errorf("%d octets are kept, refusal %v, size %d", used, c.refusal, c.size)
	}
}

// openFiles counts the unlinked temporary files this process holds open; 0 where the system does not tell.
func openFiles(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	for _, entry := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && strings.Contains(name, "letterhook-body-") {
			n++
		}
	}
	return n
}
