package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/dispatch/signature"
)

// receiver is a webhook receiver as a user of Letterhook would write one: it verifies each request with the library of
// Standard Webhooks, then prints the event. dev has one built in, listen is one.
type receiver struct {
	webhooks []*standardwebhooks.Webhook // one for each secret
	secrets  []string
	failure  failure
	delay    time.Duration
	json     bool         // print the body as it came, one line per request
	got      func(string) // called with the webhook-id of each verified event that was answered 2xx; may be nil

	mu       sync.Mutex // guards out and requests
	out      io.Writer
	requests int
}

// failure says which requests a receiver fails, to try what the sender makes of it.
type failure struct {
	first  int // so many requests from the start; negative: all
	status int
}

// parseFailure reads "3" (the first three requests get 503), "410" (every request gets it) or "3:410".
func parseFailure(s string) (failure, error) {
	if s == "" {
		return failure{}, nil
	}
	wrong := fmt.Errorf("--fail is a number of requests, a status or number:status, not %q", s)
	number, status, both := strings.Cut(s, ":")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return failure{}, wrong
	}
	switch {
	case both:
		code, err := strconv.Atoi(status)
		if err != nil || code < 200 || code > 599 {
			return failure{}, wrong
		}
		return failure{n, code}, nil
	case n >= 200 && n <= 599:
		return failure{-1, n}, nil
	default:
		return failure{n, http.StatusServiceUnavailable}, nil
	}
}

func newReceiver(out io.Writer, secrets ...string) (*receiver, error) {
	r := &receiver{secrets: secrets, out: out}
	for _, secret := range secrets {
		webhook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return nil, fmt.Errorf("reading the secret: %w", err)
		}
		r.webhooks = append(r.webhooks, webhook)
	}
	return r, nil
}

// ServeHTTP takes one event.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		http.Error(w, "events are posted", http.StatusMethodNotAllowed)
		return
	}
	body, err := readBody(w, req)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		}
		return // else the peer is gone
	}
	if r.delay > 0 {
		timer := time.NewTimer(r.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-req.Context().Done():
			return
		}
	}
	status, verified := r.answer(req.Header, body)
	w.WriteHeader(status)
	if verified && status < 300 && r.got != nil {
		r.got(req.Header.Get("Webhook-Id"))
	}
}

// maxReceived bounds a body, as it comes and decompressed, in octets.
const maxReceived = 64 << 20

// readBody reads what the signature covers: the body without compression.
func readBody(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	body := io.Reader(http.MaxBytesReader(w, req.Body, maxReceived))
	if strings.EqualFold(req.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("decompressing: %w", err)
		}
		body = http.MaxBytesReader(w, z, maxReceived)
	}
	return io.ReadAll(body)
}

// verify is nil when the request verifies with any of the secrets.
func (r *receiver) verify(header http.Header, body []byte) error {
	var errs []error
	for _, webhook := range r.webhooks {
		err := webhook.Verify(body, header)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errs[0] // they differ in nothing that matters: what does is explained beside it
}

// answer verifies, prints and chooses the status. The printing is done before the answer, so that what was answered
// 2xx has been shown.
func (r *receiver) answer(header http.Header, body []byte) (status int, verified bool) {
	err := r.verify(header, body)
	var mistakes []signature.Finding
	if err != nil {
		mistakes = signature.Explain(&signature.Request{Header: header, Body: body}, r.secrets, time.Now()).Findings
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	status = http.StatusNoContent
	switch {
	case err != nil:
		status = http.StatusUnauthorized
	case r.failure.first < 0 || r.requests <= r.failure.first:
		status = r.failure.status
	}
	if r.json {
		r.printLine(header, body, status, err, mistakes)
	} else {
		fmt.Fprint(r.out, describe(header, body, status, err, mistakes))
	}
	return status, err == nil
}

// printLine writes a request as one line of JSON.
func (r *receiver) printLine(header http.Header, body []byte, status int, verification error, mistakes []signature.Finding) {
	line := struct {
		ID       string          `json:"id"`
		Attempt  string          `json:"attempt"`
		Verified bool            `json:"verified"`
		Status   int             `json:"status"`
		Event    json.RawMessage `json:"event"`
		// Mistakes say why it does not verify.
		Mistakes []signature.Finding `json:"mistakes,omitempty"`
	}{header.Get("Webhook-Id"), header.Get("Letterhook-Attempt"), verification == nil, status, nil, mistakes}
	if json.Valid(body) {
		line.Event = body
	}
	if err := printJSON(r.out, line); err != nil {
		fmt.Fprintf(r.out, "%v\n", err)
	}
}

// shownText is how many lines of a mail's text are shown.
const shownText = 12

// describe writes an event for people.
func describe(header http.Header, body []byte, status int, verification error, mistakes []signature.Finding) string {
	var b strings.Builder
	field := func(name, format string, args ...any) {
		if value := printable(fmt.Sprintf(format, args...), false); value != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", name, value)
		}
	}
	var event struct {
		Type string     `json:"type"`
		Data *shownMail `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		event.Type = "not an event"
	}
	verdict := "signature verified"
	if verification != nil {
		verdict = "SIGNATURE NOT VERIFIED: " + verification.Error()
	}
	fmt.Fprintf(&b, "\n%s  %s  %s\n", printable(event.Type, false), printable(header.Get("Webhook-Id"), false), verdict)
	field("attempt", "%s, answered %d", header.Get("Letterhook-Attempt"), status)
	for _, m := range mistakes {
		field("mistake", "%s: %s", m.Code, m.Text)
	}
	if event.Data != nil && verification == nil {
		event.Data.show(&b, field)
	}
	return b.String()
}

// shownMail is the part of an event's data that is shown. It is read as any receiver would read it, not with the
// sender's own types.
type shownMail struct {
	Size     int64 `json:"size"`
	Envelope *struct {
		MailFrom string   `json:"mail_from"`
		RcptTo   []string `json:"rcpt_to"`
		RemoteIP string   `json:"remote_ip"`
	} `json:"envelope"`
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	From    []struct {
		Name    string `json:"name"`
		Address string `json:"address"`
	} `json:"from"`
	Text        *string `json:"text"`
	Attachments []struct {
		Filename    *string `json:"filename"`
		ContentType string  `json:"content_type"`
		Size        int64   `json:"size"`
		URL         *string `json:"url"`
		Omitted     *string `json:"omitted"`
	} `json:"attachments"`
	Raw struct {
		URL *string `json:"url"`
	} `json:"raw"`
	Parse struct {
		Defects []struct {
			Code string `json:"code"`
		} `json:"defects"`
		LimitsHit []string `json:"limits_hit"`
	} `json:"parse"`
}

func (m *shownMail) show(b *strings.Builder, field func(name, format string, args ...any)) {
	if e := m.Envelope; e != nil {
		field("envelope", "<%s> to %s, from %s", e.MailFrom, strings.Join(e.RcptTo, ", "), e.RemoteIP)
	}
	for _, a := range m.From {
		field("from", "%s", strings.TrimSpace(a.Name+" <"+a.Address+">"))
	}
	field("subject", "%s", m.Subject)
	field("kind", "%s, %s", m.Kind, plural(m.Size, "octet"))
	for _, a := range m.Attachments {
		field("attachment", "%s (%s, %s) %s", or(a.Filename, "unnamed"), a.ContentType, plural(a.Size, "octet"), or(a.URL, or(a.Omitted, "")))
	}
	for _, d := range m.Parse.Defects {
		field("defect", "%s", d.Code)
	}
	for _, l := range m.Parse.LimitsHit {
		field("limit hit", "%s", l)
	}
	field("raw", "%s", or(m.Raw.URL, ""))
	if m.Text == nil {
		return
	}
	lines := strings.Split(strings.TrimRight(printable(*m.Text, true), "\n"), "\n")
	for _, line := range lines[:min(shownText, len(lines))] {
		fmt.Fprintf(b, "  | %s\n", line)
	}
	if len(lines) > shownText {
		fmt.Fprintf(b, "  | (%s more)\n", plural(len(lines)-shownText, "line"))
	}
}

// or is *s, or other where there is none.
func or(s *string, other string) string {
	if s == nil {
		return other
	}
	return *s
}
