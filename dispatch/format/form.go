package format

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
)

// form writes the fields of a form and can tell its media type.
type form interface {
	field(name, value string)
	// stream writes a field whose value f writes.
	stream(name string, f func(w io.Writer) error)
	end() error
}

// urlForm is application/x-www-form-urlencoded.
type urlForm struct {
	out  *sticky
	more bool
}

const urlFormType = "application/x-www-form-urlencoded"

func newURLForm(w io.Writer) *urlForm { return &urlForm{out: &sticky{w: w}} }

func (f *urlForm) field(name, value string) {
	f.stream(name, func(w io.Writer) error {
		_, err := io.WriteString(w, value)
		return err
	})
}

func (f *urlForm) stream(name string, write func(io.Writer) error) {
	if f.more {
		f.out.text("&")
	}
	f.more = true
	encoded := urlEncoded{f.out}
	_, _ = io.WriteString(encoded, name)
	f.out.text("=")
	f.out.run(func() error { return write(encoded) })
}

func (f *urlForm) end() error { return f.out.err }

// multipart is multipart/form-data (RFC 7578).
type multipart struct {
	out      *sticky
	boundary string
}

func newMultipart(w io.Writer, boundary string) *multipart {
	return &multipart{out: &sticky{w: w}, boundary: boundary}
}

// boundaryOf makes a delimiter that nobody who wrote the mail could know, since the id was made after it had come, and that
// is the same on every attempt.
func boundaryOf(c *dispatch.Copy) string {
	sum := sha256.Sum256([]byte("letterhook boundary " + c.Event.Data.ID))
	return "----letterhook" + hex.EncodeToString(sum[:16])
}

func multipartType(boundary string) string { return "multipart/form-data; boundary=" + boundary }

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", " ", "\n", " ")

func (m *multipart) field(name, value string) {
	m.stream(name, func(w io.Writer) error {
		_, err := io.WriteString(w, value)
		return err
	})
}

func (m *multipart) stream(name string, write func(io.Writer) error) {
	m.out.text("--", m.boundary, "\r\nContent-Disposition: form-data; name=\"", quoted.Replace(name), "\"\r\n\r\n")
	m.out.run(func() error { return write(m.out) })
	m.out.text("\r\n")
}

// file writes a part with a file name.
func (m *multipart) file(name, filename, mediaType string, write func(io.Writer) error) {
	m.out.text("--", m.boundary, "\r\nContent-Disposition: form-data; name=\"", quoted.Replace(name), "\"; filename=\"",
		quoted.Replace(filename), "\"\r\nContent-Type: ", mediaType, "\r\n\r\n")
	m.out.run(func() error { return write(m.out) })
	m.out.text("\r\n")
}

func (m *multipart) end() error {
	m.out.text("--", m.boundary, "--\r\n")
	return m.out.err
}
