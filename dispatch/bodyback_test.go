package dispatch

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestSendGivesTheBodyBack only when the transport cannot be reading it any more: the memory then holds the mail of another.
func TestSendGivesTheBodyBack(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	early := tcpServer(t, func(_ int, conn net.Conn) { // answers before it reads more than the header
		bufio.NewReaderSize(conn, 16).ReadByte()
		io.WriteString(conn, "HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n")
		<-t.Context().Done()
	})
	twice := tcpServer(t, func(n int, conn net.Conn) { // the second request of a connection dies in the pool
		r := bufio.NewReader(conn)
		for i := 1; ; i++ {
			if _, _, err := readRequest(r); err != nil || n == 1 && i == 2 {
				return
			}
			io.WriteString(conn, "HTTP/1.1 204 X\r\n\r\n")
		}
	})
	tests := map[string]struct {
		url   string
		size  int
		sends int
		want  int
	}{
		"taken":                    {srv.URL, 20_000, 2, 2},
		"answered before the body": {early, 64 << 20, 1, 0},
		"tried again":              {twice, 20_000, 2, 1},
		"no connection":            {"http://127.0.0.1:1", 20_000, 1, 0},
	}
	for name, tt := range tests {
		s, back := localSender(t), 0
		for range tt.sends {
			p := postTo(tt.url)
			p.Form = &Form{MediaType: "application/json", Body: make([]byte, tt.size), sent: func() { back++ }}
			s.Send(t.Context(), p)
		}
		if back != tt.want {
			t.Errorf("%s: given back %d times, want %d", name, back, tt.want)
		}
		s.Close()
	}
}
