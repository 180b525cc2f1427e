package inbound_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// discard is a spool that takes everything and keeps nothing: what is left to measure is the edge.
type discard struct{}

func (discard) Accept(context.Context, *inbound.Envelope, inbound.Body) ([]string, error) {
	return []string{"msg_01kab000000000000000000000"}, nil
}
func (discard) Acknowledged([]string) {}

// BenchmarkAccept sends messages of 10 KB over kept connections, client and server in one process.
func BenchmarkAccept(b *testing.B) {
	for _, lines := range []int{13, 128, 1280} {
		size := 80 * lines
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) { benchmarkAccept(b, lines) })
	}
}

func benchmarkAccept(b *testing.B, lines int) {
	e := serve(b, func(c *inbound.Config) {
		c.Spool = discard{}
		c.MaxMessages = -1
	})
	message := "Subject: a message\r\n\r\n" + strings.Repeat(strings.Repeat("x", 78)+"\r\n", lines) + ".\r\n"
	b.SetBytes(int64(len(message)))
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", e.addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		step := func(send, want string) {
			if _, err := io.WriteString(conn, send); err != nil {
				b.Error(err)
			}
			for {
				line, err := r.ReadSlice('\n')
				if err != nil || string(line[:3]) != want {
					b.Errorf("reply %q %v, want %s", line, err, want)
					return
				}
				if line[3] == ' ' {
					return
				}
			}
		}
		step("", "220")
		step("EHLO client.example\r\n", "250")
		for pb.Next() {
			step("MAIL FROM:<ann@sender.example>\r\n", "250")
			step("RCPT TO:<bob@in.example.com>\r\n", "250")
			step("DATA\r\n", "354")
			step(message, "250")
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
