package access_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/admin/access"
)

// TestFormsOfStrangers: nobody who has proved nothing fills memory or the folder of temporary files with a form that never ends.
func TestFormsOfStrangers(t *testing.T) {
	h := newHouse(t, nil)
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprint(conn, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	sent, chunk := 0, strings.Repeat("x", 1<<20)
	head := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n"
	if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(head), head); err != nil {
		t.Fatal(err)
	}
	for ; sent < 100; sent++ {
		if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(chunk), chunk); err != nil {
			break // it was closed
		}
	}
	if sent >= 100 {
		t.Error("100 MB of a form were taken")
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) > 0 {
		t.Errorf("the folder of temporary files has %v (%v)", files, err)
	}
}

// TestBodiesThatFit come whole.
func TestBodiesThatFit(t *testing.T) {
	h := newHouse(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, token := h.key(t, nil)
	form := "key=" + token + "&pad=" + strings.Repeat("x", 500<<10)
	if _, err := fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusOK || len(response.Cookies()) != 1 {
		t.Errorf("%s", response.Status)
	}
}

// TestOrigins: a page of the public URL is our own whatever Host a proxy in front asks for, and no other is.
func TestOrigins(t *testing.T) {
	h := newHouse(t, func(c *access.Config) { c.Origin = "https://mail.example.com" })
	_, token := h.key(t, nil)
	for origin, want := range map[string]int{"https://mail.example.com": 200, "https://evil.example": 403, "http://mail.example.com": 403} {
		response, _ := h.ask(t, http.MethodPost, "/", "Origin", origin, "Authorization", "Bearer "+token, "Host", "10.0.0.5:8080")
		if response.StatusCode != want {
			t.Errorf("%s: %s, want %d", origin, response.Status, want)
		}
	}
}
