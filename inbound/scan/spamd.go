package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/inbound"
)

// spamd speaks the protocol of SpamAssassin's daemon: one SYMBOLS for each connection.
type spamd struct {
	target
	hostname string
	ownScore float64
}

const spamdReply = 64 << 10

// ask sends a message behind the trace fields, which is where SpamAssassin looks for the envelope.
func (s spamd) ask(ctx context.Context, m *message) (*finding, error) {
	return s.converse(ctx, func(conn net.Conn) (*finding, error) {
		if err := s.send(conn, m); err != nil {
			return nil, fmt.Errorf("sending: %w", err)
		}
		reply, err := io.ReadAll(io.LimitReader(conn, spamdReply+1))
		switch {
		case err != nil:
			return nil, fmt.Errorf("reading the reply: %w", err)
		case len(reply) > spamdReply:
			return nil, fmt.Errorf("%w: the answer is too long", errAnswer)
		}
		result, err := parseSpamd(reply)
		if err != nil {
			return nil, err
		}
		judge(result, s.ownScore)
		return &finding{spam: result}, nil
	})
}

func (s spamd) send(conn net.Conn, m *message) error {
	trace := inbound.TraceFields(m.env, s.hostname, m.id)
	head := fmt.Appendf(nil, "SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n", int64(len(trace))+m.size)
	if _, err := conn.Write(append(head, trace...)); err != nil {
		return err
	}
	if _, err := io.Copy(conn, m.open()); err != nil {
		return err
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// parseSpamd reads a status line, a header with the field Spam, and the names of the rules.
func parseSpamd(reply []byte) (*inbound.SpamResult, error) {
	head, body, whole := bytes.Cut(reply, []byte("\r\n\r\n"))
	lines := strings.Split(string(head), "\r\n")
	status := strings.Fields(lines[0])
	if !whole || len(status) < 2 || !strings.HasPrefix(status[0], "SPAMD/") || status[1] != "0" {
		return nil, fmt.Errorf("%w: %q", errAnswer, word(lines[0]))
	}
	result := &inbound.SpamResult{Engine: SpamAssassin, Action: "", Symbols: []inbound.SpamSymbol{}}
	seen := false
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "spam":
			if err := readSpamField(result, value); err != nil {
				return nil, err
			}
			seen = true
		case "content-length":
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err != nil || n != len(body) {
				return nil, fmt.Errorf("%w: the answer is cut off", errAnswer)
			}
		}
	}
	if !seen {
		return nil, fmt.Errorf("%w: the answer has no field Spam", errAnswer)
	}
	for name := range strings.SplitSeq(strings.TrimSpace(string(body)), ",") {
		if name = word(strings.TrimSpace(name)); name != "" {
			result.Symbols = append(result.Symbols, inbound.SpamSymbol{Name: name})
		}
	}
	result.Symbols = trimSymbols(result.Symbols)
	return result, nil
}

// readSpamField reads "True ; 12.3 / 5.0".
func readSpamField(result *inbound.SpamResult, value string) error {
	verdict, scores, _ := strings.Cut(value, ";")
	score, required, _ := strings.Cut(scores, "/")
	var faults [2]error
	result.Score, faults[0] = number(score)
	result.Required, faults[1] = number(required)
	switch strings.TrimSpace(verdict) {
	case "True":
		result.IsSpam, result.Action = true, "spam"
	case "False":
		result.Action = "ham"
	default:
		return fmt.Errorf("%w: %q", errAnswer, word(value))
	}
	if err := errors.Join(faults[:]...); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	return nil
}

// number reads a score. What JSON cannot write is none.
func number(s string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is not a score", word(s))
	}
	return n, nil
}
