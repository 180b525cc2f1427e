package scan

import (
	"errors"
	"fmt"
	"io"

	"github.com/letterhook/letterhook/inbound"
)

// message is what a scanner is asked about.
type message struct {
	env     *inbound.Envelope
	content io.ReaderAt
	size    int64
	id      string // for the log of the scanner
}

// open gives a reader of the whole content. Its errors satisfy isOurs.
func (m *message) open() io.Reader {
	return contentReader{io.NewSectionReader(m.content, 0, m.size)}
}

type contentReader struct{ r io.Reader }

// Read implements [io.Reader].
func (c contentReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &contentError{err}
	}
	return n, err
}

// contentError says that the message could not be read.
type contentError struct{ err error }

func (e *contentError) Error() string { return fmt.Sprintf("reading the message: %v", e.err) }
func (e *contentError) Unwrap() error { return e.err }

// isOurs says whether an error tells nothing about the scanner.
func isOurs(err error) bool {
	var content *contentError
	return errors.As(err, &content)
}
