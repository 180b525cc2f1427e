package scan

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/letterhook/letterhook/inbound"
)

// rspamd speaks HTTP to rspamd's normal worker, which closes the connection after its answer. The codec of net/http is
// used without its client, whose connections would be of no use here.
//
// https://docs.rspamd.com/developers/protocol
type rspamd struct {
	target
	hostname string
	ownScore float64
}

const (
	rspamdReply = 1 << 20 // octets, header and all
	// rspamdRecipients bounds the octets of forward-paths in a request.
	rspamdRecipients = 32 << 10
)

// ask posts a message with what the session said of it.
func (r rspamd) ask(ctx context.Context, m *message) (*finding, error) {
	return r.converse(ctx, func(conn net.Conn) (*finding, error) {
		req, err := r.request(m)
		if err != nil {
			return nil, err
		}
		sent := req.Write(conn)
		if isOurs(sent) {
			return nil, sent
		}
		answer, err := readAnswer(conn, req)
		switch {
		case errors.Is(err, errAnswer):
			return nil, err
		case err != nil && sent != nil: // as with clamd
			return nil, fmt.Errorf("sending: %w", sent)
		case err != nil:
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		f, err := parseRspamd(answer)
		if err != nil {
			return nil, err
		}
		judge(f.spam, r.ownScore)
		return f, nil
	})
}

func (r rspamd) request(m *message) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodPost, "http://rspamd/checkv2", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	if m.size > 0 {
		req.Body, req.ContentLength = io.NopCloser(m.open()), m.size
	}
	req.Close = true
	r.describe(req.Header, m)
	return req, nil
}

// readAnswer gives the body of a response.
func readAnswer(r io.Reader, req *http.Request) ([]byte, error) {
	bounded := &io.LimitedReader{R: r, N: rspamdReply}
	fault := func(err error) error {
		var broken net.Error
		switch {
		case err == nil:
			return nil
		case bounded.N <= 0:
			return fmt.Errorf("%w: the answer is too long", errAnswer)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &broken):
			return err
		}
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	res, err := http.ReadResponse(bufio.NewReader(bounded), req)
	if err != nil {
		return nil, fault(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %d", errAnswer, res.StatusCode)
	}
	answer, err := io.ReadAll(res.Body)
	return answer, fault(err)
}

// describe gives rspamd the envelope.
func (r rspamd) describe(header http.Header, m *message) {
	header.Set("User-Agent", "Letterhook")
	set := func(name, value string) {
		if value != "" {
			header[name] = []string{fieldValue(value)}
		}
	}
	env := m.env
	set("From", "<"+env.ReversePath.String()+">")
	set("Helo", env.Helo)
	if env.RemoteIP.IsValid() {
		set("Ip", env.RemoteIP.String())
	}
	set("Hostname", env.RemoteHost)
	set("User", env.AuthUser)
	set("Queue-Id", m.id)
	set("Mta-Name", r.hostname)
	if env.TLS != nil {
		set("Tls-Version", env.TLS.Version)
		set("Tls-Cipher", env.TLS.CipherSuite)
	}
	room := rspamdRecipients
	for i := range env.Recipients {
		path := "<" + fieldValue(env.Recipients[i].Path.String()) + ">"
		if room -= len(path); room < 0 {
			break
		}
		header["Rcpt"] = append(header["Rcpt"], path)
	}
}

// fieldValue makes a field of HTTP of any string.
func fieldValue(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

// rspamdAnswer is what we want of the answer.
type rspamdAnswer struct {
	Score    *float64 `json:"score"`
	Required float64  `json:"required_score"`
	Action   string   `json:"action"`
	Symbols  map[string]struct {
		Score float64 `json:"score"`
	} `json:"symbols"`
	Messages struct {
		SMTP string `json:"smtp_message"`
	} `json:"messages"`
}

// The actions of rspamd that mean something here.
const (
	rspamdReject     = "reject"
	rspamdSoftReject = "soft reject"
)

// parseRspamd reads the answer to checkv2.
func parseRspamd(text []byte) (*finding, error) {
	var answer rspamdAnswer
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if answer.Score == nil || answer.Action == "" {
		return nil, fmt.Errorf("%w: score or action is missing", errAnswer)
	}
	result := &inbound.SpamResult{
		Engine: Rspamd, Score: *answer.Score, Required: answer.Required, Action: word(answer.Action),
		IsSpam:  isSpamAction(answer.Action),
		Symbols: make([]inbound.SpamSymbol, 0, len(answer.Symbols)),
	}
	for name, symbol := range answer.Symbols {
		result.Symbols = append(result.Symbols, inbound.SpamSymbol{Name: word(name), Score: symbol.Score})
	}
	result.Symbols = trimSymbols(result.Symbols)
	return &finding{spam: result, text: word(answer.Messages.SMTP)}, nil
}

// isSpamAction says whether rspamd takes a message for spam. Its "greylist" and "soft reject" ask for time, no more.
func isSpamAction(action string) bool {
	switch action {
	case rspamdReject, "rewrite subject", "add header", "quarantine", "discard":
		return true
	}
	return false
}
