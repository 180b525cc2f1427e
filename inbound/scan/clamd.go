package scan

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/letterhook/letterhook/inbound"
)

// clamd speaks the protocol of ClamAV's daemon: one INSTREAM for each connection.
type clamd struct{ target }

const (
	clamdChunk = 64 << 10
	clamdReply = 4 << 10 // octets; the name of a signature is far shorter
)

// ask sends a message in chunks, each after its length in four octets, and an empty one at the end.
func (c clamd) ask(ctx context.Context, m *message) (*finding, error) {
	return c.converse(ctx, func(conn net.Conn) (*finding, error) {
		sent := c.send(conn, m)
		if isOurs(sent) {
			return nil, sent
		}
		reply, err := readReply(conn)
		switch {
		case err != nil && sent != nil: // who has heard enough answers and closes, and that would have said more
			return nil, fmt.Errorf("sending: %w", sent)
		case err != nil:
			return nil, fmt.Errorf("reading the reply: %w", err)
		}
		return parseClamd(reply)
	})
}

func (c clamd) send(conn net.Conn, m *message) error {
	if _, err := io.WriteString(conn, "zINSTREAM\x00"); err != nil {
		return err
	}
	content := m.open()
	chunk := make([]byte, 4+min(m.size, clamdChunk)+4)
	for {
		n, err := content.Read(chunk[4 : len(chunk)-4])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			_, err := conn.Write([]byte{0, 0, 0, 0})
			return err
		}
		binary.BigEndian.PutUint32(chunk, uint32(n))
		if _, err := conn.Write(chunk[:4+n]); err != nil {
			return err
		}
	}
}

// readReply reads up to the NUL that ends a reply.
func readReply(r io.Reader) (string, error) {
	reply, err := bufio.NewReader(io.LimitReader(r, clamdReply)).ReadString(0)
	if errors.Is(err, io.EOF) && reply != "" {
		return reply, nil
	}
	return reply, err
}

// parseClamd reads "stream: OK", "stream: NAME FOUND" or "... ERROR", each ended by NUL.
func parseClamd(reply string) (*finding, error) {
	line, ended := strings.CutSuffix(reply, "\x00")
	verdict, isVerdict := strings.CutPrefix(line, "stream: ")
	name, found := strings.CutSuffix(verdict, " FOUND")
	switch {
	case strings.HasPrefix(line, "INSTREAM size limit exceeded"):
		return nil, errTooLarge
	case !ended || !isVerdict:
	case verdict == "OK":
		return &finding{virus: &inbound.VirusResult{Engine: ClamAV}}, nil
	case found && name != "":
		return &finding{virus: &inbound.VirusResult{Engine: ClamAV, Infected: true, Signature: word(name)}}, nil
	}
	return nil, fmt.Errorf("%w: %q", errAnswer, word(line))
}
