package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// forwarder posts the requests of a server to an application on this machine.
type forwarder struct {
	o       *listenOptions
	out     io.Writer
	client  *http.Client
	secrets [][]byte // that sign; none: the server has signed

	asked  apiclient.ListenParams
	last   string              // id of the last message that is done with
	done   map[string]struct{} // requests that were made, by webhook-id
	order  []string            // of done
	posted int                 // with an answer of 2xx
}

// rememberedRequests is how many requests are remembered, so that none is made twice when the server sends it again.
const rememberedRequests = 10_000

// forwardPatience is how long the application may take: somebody may be looking at it with a debugger.
const forwardPatience = 10 * time.Minute

func (o *listenOptions) runForward(ctx context.Context, out, messages io.Writer) error {
	if err := dispatch.CheckURL(o.forward); err != nil {
		return &exitError{exitUsage, fmt.Errorf("--forward: %w", err)}
	}
	c, url, err := o.at.live()
	if err != nil {
		return err
	}
	f := &forwarder{
		o: o, out: out, done: map[string]struct{}{}, asked: apiclient.ListenParams{Recipient: o.recipient, Route: o.route, Sign: o.asEndpoint},
		client: &http.Client{Timeout: forwardPatience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	if f.asked.AccountID, err = farAccount(ctx, c, o.account); err != nil {
		return err
	}
	if o.endpoint != "" {
		if f.asked.Endpoint, err = farEndpoint(ctx, c, o.endpoint); err != nil {
			return err
		}
	}
	signer := "the secrets of " + o.endpoint
	if !o.asEndpoint {
		if signer, err = f.readSecrets(); err != nil {
			return err
		}
	}
	return stay(ctx, messages, func(ctx context.Context) (*http.Response, error) {
		f.asked.After = f.last
		return c.Listen(ctx, f.asked)
	}, func(r *bufio.Reader) error {
		return f.read(ctx, r, func() {
			if signer != "" {
				fmt.Fprintf(messages, "Listening to %s. Mail is posted to %s, signed with %s\n", url, o.forward, signer)
				signer = ""
			}
		})
	})
}

// readSecrets gives those of the flag, or one of the user's own that stays the same from run to run.
func (f *forwarder) readSecrets() (names string, err error) {
	secrets := f.o.secrets
	if len(secrets) == 0 {
		own, err := ownSecret()
		if err != nil {
			return "", err
		}
		secrets = []string{own}
	}
	for _, secret := range secrets {
		key, err := dispatch.ParseSecret(secret)
		if err != nil {
			return "", &exitError{exitUsage, fmt.Errorf("--secret: %w", err)}
		}
		f.secrets = append(f.secrets, key)
	}
	return strings.Join(secrets, " and "), nil
}

func ownSecret() (string, error) {
	path := contexts.Path()
	if path == "" {
		return "", &exitError{exitUsage, errors.New("there is no HOME to keep a secret in: say --secret")}
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("keeping the secret: %w", err)
	}
	keys, err := storage.EnsureKeys(filepath.Join(dir, "listen.key"))
	if err != nil {
		return "", fmt.Errorf("keeping the secret: %w", err)
	}
	return dispatch.FormatSecret(keys[0]), nil
}

// read does what the lines of a server say.
func (f *forwarder) read(ctx context.Context, r *bufio.Reader, listening func()) error {
	for {
		text, err := readLine(r)
		if err != nil {
			return err
		}
		var line apiclient.Heard
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("reading what the server sent: %w", err)
		}
		switch line.Type {
		case "listening":
			listening()
		case "skipped":
			fmt.Fprintf(f.out, "%s  skipped: %s\n", printable(line.MessageID, false), printable(line.Reason, false))
		case "request":
			if err := f.forward(ctx, &line); err != nil {
				return err
			}
		}
		if line.MessageID != "" {
			f.last = line.MessageID
		}
	}
}

// forward makes one request, unless it was made already.
func (f *forwarder) forward(ctx context.Context, line *apiclient.Heard) error {
	if _, made := f.done[line.WebhookID]; made {
		return nil
	}
	f.remember(line.WebhookID)
	began := time.Now()
	code, err := f.post(ctx, line)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.show(line, code, time.Since(began), err)
	if err == nil && code/100 == 2 {
		if f.posted++; f.o.count > 0 && f.posted >= f.o.count {
			return errDone
		}
	}
	return nil
}

func (f *forwarder) remember(id string) {
	f.done[id] = struct{}{}
	if f.order = append(f.order, id); len(f.order) > rememberedRequests {
		delete(f.done, f.order[0])
		f.order = f.order[1:]
	}
}

// post gives the status of the answer.
func (f *forwarder) post(ctx context.Context, line *apiclient.Heard) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.o.forward, bytes.NewReader(line.Body))
	if err != nil {
		return 0, err
	}
	for name, value := range line.Header {
		req.Header.Set(name, value)
	}
	if len(f.secrets) > 0 {
		signed := line.Body
		if strings.EqualFold(req.Header.Get("Content-Encoding"), "gzip") {
			if signed, err = inflate(line.Body); err != nil {
				return 0, err
			}
		}
		now := time.Now()
		req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		req.Header.Set("webhook-signature", dispatch.Sign(line.WebhookID, now, signed, f.secrets))
	}
	response, err := f.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // so that the connection is used again
	return response.StatusCode, err
}

func inflate(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	return io.ReadAll(io.LimitReader(z, maxLine))
}

// show tells what the application answered.
func (f *forwarder) show(line *apiclient.Heard, code int, took time.Duration, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if f.o.json {
		v := struct {
			ID      string          `json:"id"`
			Message string          `json:"message_id"`
			Status  int             `json:"status"` // 0: there was no answer
			TookMS  int64           `json:"took_ms"`
			Error   string          `json:"error,omitempty"`
			Event   json.RawMessage `json:"event"` // null where the body is no JSON
		}{line.WebhookID, line.MessageID, code, took.Milliseconds(), text, nil}
		if json.Valid(line.Body) {
			v.Event = line.Body
		}
		if err := printJSON(f.out, v); err != nil {
			fmt.Fprintf(f.out, "%v\n", err)
		}
		return
	}
	answer := orWord(status(code), "no answer: "+text)
	fmt.Fprintf(f.out, "%s  %s  %s  in %s  %s\n", clock(time.Now()), line.WebhookID, printable(answer, false), took.Round(time.Millisecond), printable(gist(line.Body), false))
}

// gist is who writes about what, where the body is an event.
func gist(body []byte) string {
	var event struct {
		Data struct {
			Subject  string `json:"subject"`
			Envelope struct {
				MailFrom string   `json:"mail_from"`
				RcptTo   []string `json:"rcpt_to"`
			} `json:"envelope"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &event) != nil || len(event.Data.Envelope.RcptTo) == 0 {
		return ""
	}
	return fmt.Sprintf("<%s> to %s: %s", event.Data.Envelope.MailFrom, firstOf(event.Data.Envelope.RcptTo), event.Data.Subject)
}
