package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// ask has the API do something for whoever made the request r: what the pages change, they change as its clients do, under the same
// rules and with the same line in the audit log. in is sent as JSON, nil: nothing; out is read from the answer, nil: nothing.
func (d *dashboard) ask(r *http.Request, method, path string, in, out any) error {
	_, err := d.askIf(r, method, path, "", in, out)
	return err
}

// askIf is ask for something that is as it was when it had the entity tag; empty: whatever it is now. It gives the tag of the answer.
func (d *dashboard) askIf(r *http.Request, method, path, tag string, in, out any) (newTag string, err error) {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return "", fmt.Errorf("asking the API: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(r.Context(), method, api.Prefix+path, &body)
	if err != nil {
		return "", fmt.Errorf("asking the API: %w", err)
	}
	if tag != "" {
		request.Header.Set("If-Match", tag)
	}
	request.RequestURI, request.RemoteAddr, request.Host = request.URL.RequestURI(), r.RemoteAddr, r.Host
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	a := &answer{header: http.Header{}, status: http.StatusOK}
	d.API.ServeHTTP(a, request)
	if a.status >= http.StatusBadRequest {
		return "", a.fault()
	}
	if out != nil {
		if err := json.Unmarshal(a.body.Bytes(), out); err != nil {
			return "", fmt.Errorf("reading the answer of the API: %w", err)
		}
	}
	return a.header.Get("ETag"), nil
}

// askAll asks for a list and gives all of its pages.
func askAll[T any](d *dashboard, r *http.Request, path string) (all []T, err error) {
	joint := "?"
	if strings.Contains(path, "?") {
		joint = "&"
	}
	for cursor := ""; ; {
		var one api.Page[T]
		if err := d.ask(r, http.MethodGet, path+joint+"limit=200&cursor="+url.QueryEscape(cursor), nil, &one); err != nil {
			return nil, err
		}
		all = append(all, one.Items...)
		if cursor = one.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// answer is an answer of the API.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// fault turns a problem into what a page says of it.
func (a *answer) fault() error {
	var p problem.Problem
	if err := json.Unmarshal(a.body.Bytes(), &p); err != nil {
		return fmt.Errorf("reading a problem of the API: %w", err)
	}
	switch a.status {
	case http.StatusForbidden:
		return errNoPermission
	case http.StatusNotFound:
		return storage.ErrNotFound
	}
	if a.status >= http.StatusInternalServerError && a.status != http.StatusServiceUnavailable { // that one says what to wait for
		return fmt.Errorf("the API answered %d: %s", a.status, p.Detail)
	}
	texts := make([]string, 0, len(p.Errors))
	for _, f := range p.Errors {
		texts = append(texts, strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(f.Location, "body"), ".")+" "+f.Message))
	}
	if len(texts) > 0 {
		return badInput("%s: %s.", strings.TrimSuffix(p.Detail, "."), strings.Join(texts, "; "))
	}
	return badInput("%s", p.Detail)
}
