// Package apiclient asks the HTTP API of a server. generated.go is made from the document that describes the API, which package api
// makes from the operations: what the client can ask and what the server answers are the same text.
//
// The promise of this package: an answer that is none of success is a [*ProblemError] with what the server said; no key is sent to another
// host than the one it is for, not even by a redirect; and a POST that is sent twice by the network is carried out once.
package apiclient

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

//go:generate sh -c "go run ./document > openapi.json"
//go:generate oapi-codegen -config oapi-codegen.yaml openapi.json

// Prefix is the path below the URL of a server that the API lies at.
const Prefix = "/api/v1"

const (
	maxAnswer  = 64 << 20 // octets of an answer that is read whole
	maxProblem = 1 << 20
)

// Client asks one server. Safe for concurrent use.
type Client struct {
	base string
	key  string
	http *http.Client
}

// New makes a client of the server at a URL, the public one, with a key of it; without a key it is asked as anybody may. A nil transport
// is the usual one.
func New(server, key string, transport http.RoundTripper) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not the URL of a server, like https://mail.example.com", server)
	}
	return &Client{
		base: strings.TrimSuffix(strings.TrimSuffix(u.String(), "/"), Prefix) + Prefix, key: key,
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// ProblemError is an answer that is none of success (RFC 9457).
type ProblemError struct {
	Problem

	RetryAfter time.Duration // 0: not said
}

// Error says it for people, with everything that is wrong with the request.
func (p *ProblemError) Error() string {
	text := p.Detail
	if text == "" {
		text = fmt.Sprintf("the server answered %d %s", p.Status, http.StatusText(int(p.Status)))
	}
	for _, f := range p.Errors {
		text += "\n  " + strings.TrimSpace(f.Location+" "+f.Message)
	}
	return text
}

// request is one that is to be made.
type request struct {
	method, path string
	query        url.Values
	body         any
}

// add adds a parameter unless it has its zero value.
func (r *request) add(name string, value any) {
	text := ""
	switch v := value.(type) {
	case int64:
		if v != 0 {
			text = strconv.FormatInt(v, 10)
		}
	case bool:
		if v {
			text = "true"
		}
	case time.Time:
		if !v.IsZero() {
			text = v.UTC().Format(time.RFC3339Nano)
		}
	default:
		text = fmt.Sprint(v)
	}
	if text != "" {
		r.query.Set(name, text)
	}
}

// Do makes a request that has no method of its own here: path lies below [Prefix], body is written as JSON unless it is nil, and the answer is
// read into out unless that is nil.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body, out any) error {
	return c.do(ctx, &request{method: method, path: path, query: query, body: body}, out)
}

func (c *Client) do(ctx context.Context, r *request, out any) error {
	response, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer: %w", err)
	case out == nil || len(text) == 0:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// open makes a request and gives an answer of success, to be closed.
func (c *Client) open(ctx context.Context, r *request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	address := c.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	q, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		q.Header.Set("Authorization", "Bearer "+c.key)
	}
	if r.method == http.MethodPost {
		q.Header.Set("Idempotency-Key", rand.Text()) // lets the transport repeat it on a connection that broke
	}
	response, err := c.http.Do(q)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // its text has the whole URL, and so what was searched for
		}
		return nil, fmt.Errorf("asking %s: %w", c.base, err)
	}
	if response.StatusCode/100 != 2 {
		return nil, c.problem(response)
	}
	return response, nil
}

// problem reads an answer that is none of success.
func (c *Client) problem(response *http.Response) error {
	defer response.Body.Close()
	p := &ProblemError{}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	if err != nil || json.Unmarshal(text, &p.Problem) != nil || p.Detail == "" {
		p.Problem = Problem{Detail: fmt.Sprintf("%s answered %s, which is nothing that this API says. Is that the URL of a Letterhook?", c.base, response.Status)}
	}
	p.Status = int64(response.StatusCode)
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

// Status is the status of the answer that an error stands for; 0: it is none.
func Status(err error) int {
	if p, ok := errors.AsType[*ProblemError](err); ok {
		return int(p.Status)
	}
	return 0
}
