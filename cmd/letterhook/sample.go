package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// sample is a mail that send makes by itself.
type sample struct {
	From    string
	To      []string
	Subject string
	Text    string
	Attach  []string // paths
	Date    time.Time
}

// bytes writes the mail (RFC 5322), with a fresh Message-ID.
func (s sample) bytes() ([]byte, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_, domain, ok := strings.Cut(s.From, "@")
	if !ok {
		domain = "letterhook.invalid"
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n",
		s.From, strings.Join(s.To, ",\r\n "), mime.QEncoding.Encode("utf-8", s.Subject), s.Date.Format(time.RFC1123Z),
		strings.ToLower(ulid.Make().String()), domain, w.Boundary())
	if err := s.body(w); err != nil {
		return nil, err
	}
	for _, path := range s.Attach {
		if err := attach(w, path); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("making the mail: %w", err)
	}
	return b.Bytes(), nil
}

// body writes the text and its html form as alternatives.
func (s sample) body(w *multipart.Writer) error {
	var b bytes.Buffer
	alternative := multipart.NewWriter(&b)
	html := "<!doctype html>\n<p>" + strings.ReplaceAll(htmlEscape(s.Text), "\n", "<br>\n") + "</p>\n"
	for _, part := range []struct{ subtype, text string }{{"plain", s.Text}, {"html", html}} {
		p, err := alternative.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {"text/" + part.subtype + "; charset=utf-8"},
			"Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return fmt.Errorf("making the mail: %w", err)
		}
		q := quotedprintable.NewWriter(p)
		if _, err := q.Write([]byte(part.text)); err != nil {
			return fmt.Errorf("making the mail: %w", err)
		}
		if err := q.Close(); err != nil {
			return fmt.Errorf("making the mail: %w", err)
		}
	}
	if err := alternative.Close(); err != nil {
		return fmt.Errorf("making the mail: %w", err)
	}
	p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"multipart/alternative; boundary=" + alternative.Boundary()}})
	if err != nil {
		return fmt.Errorf("making the mail: %w", err)
	}
	_, err = p.Write(b.Bytes())
	return err
}

func htmlEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// attach adds a file as an attachment (RFC 2183).
func attach(w *multipart.Writer, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("attaching: %w", err)
	}
	contentType := mime.TypeByExtension(filepath.Ext(path))
	if contentType == "" {
		contentType = http.DetectContentType(content)
	}
	p, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {contentType},
		"Content-Disposition":       {mime.FormatMediaType("attachment", map[string]string{"filename": filepath.Base(path)})},
		"Content-Transfer-Encoding": {"base64"},
	})
	if err != nil {
		return fmt.Errorf("attaching: %w", err)
	}
	encoded := base64.StdEncoding.EncodeToString(content)
	for len(encoded) > 0 {
		line := encoded[:min(76, len(encoded))] // RFC 2045 section 6.8
		encoded = encoded[len(line):]
		if _, err := fmt.Fprintf(p, "%s\r\n", line); err != nil {
			return fmt.Errorf("attaching: %w", err)
		}
	}
	return nil
}
