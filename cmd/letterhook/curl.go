package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/dispatch/format"
	"github.com/letterhook/letterhook/storage"
)

// printCurl prints the next attempt of a delivery as a command for a shell.
func printCurl(ctx context.Context, at *place, id string, reveal bool, w, messages io.Writer) error {
	path, err := at.file()
	if err != nil {
		return err
	}
	c, err := config.Load(path, os.Environ())
	if err != nil {
		return err
	}
	opened, err := openFolder(ctx, c, folderOptions{beside: true, log: slog.New(slog.NewTextHandler(messages, nil))})
	if err != nil {
		return err
	}
	r, err := repeat(ctx, c, opened, id, reveal)
	if err = errors.Join(err, opened.store.Close()); err != nil {
		return err
	}
	if r.NeedsIdentity {
		fmt.Fprintln(messages, "The endpoint wants a client certificate: add --cert and --key.")
	}
	if r.NeedsToken {
		fmt.Fprintln(messages, "The endpoint wants a token of its token endpoint: add -H 'Authorization: Bearer ...'.")
	}
	_, err = io.WriteString(w, curlCommand(r))
	return err
}

// file is the configuration file that a command is about; the endpoint of dev stands in none.
func (p *place) file() (string, error) {
	if _, err := p.load(); err != nil { // a server is in use, for one
		return "", err
	}
	if path := p.path(); path != "" {
		return path, nil
	}
	return "", &exitError{exitUsage, errors.New("--curl needs the configuration that the endpoint stands in: --config")}
}

func repeat(ctx context.Context, c *config.Config, opened *folder, id string, reveal bool) (*dispatch.Repetition, error) {
	rows, err := opened.store.Deliveries(ctx, storage.DeliveryFilter{ID: id})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("delivery %s: %w", id, storage.ErrNotFound)
	}
	known, err := readEndpoints(ctx, opened.store)
	if err != nil {
		return nil, err
	}
	ep, err := declaredEndpoint(c, known[rows[0].Endpoint])
	if err != nil {
		return nil, err
	}
	directory := &storage.Directory{Endpoints: map[string]*storage.Endpoint{ep.ID: ep}}
	d, err := dispatch.New(dispatch.Config{
		Store: opened.store, Blobs: opened.blobs, Links: opened.links, Formats: format.All(), Hostname: c.Hostname,
		Directory: func() *storage.Directory { return directory }, LinkLifetime: c.Storage.LinkLifetime.Std(), Version: version(),
	})
	if err != nil {
		return nil, err
	}
	return d.Repeat(ctx, &rows[0].Delivery, reveal)
}

// declaredEndpoint finds an endpoint of the store in a configuration.
func declaredEndpoint(c *config.Config, known storage.KnownEndpoint) (*storage.Endpoint, error) {
	var found []storage.Endpoint
	for i := range c.Endpoints {
		if c.Endpoints[i].Name == known.Name {
			found = append(found, endpoint(c, &c.Endpoints[i]))
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("endpoint %s is not in the configuration", known.ID)
	case 1:
		found[0].ID, found[0].Account = known.ID, known.Account
		return &found[0], nil
	}
	return nil, fmt.Errorf("several accounts have an endpoint %q", known.Name)
}

// curlCommand writes a request for a shell (POSIX). A body that is text stands there as it is, any other in base64.
func curlCommand(r *dispatch.Repetition) string {
	var b strings.Builder
	if utf8.Valid(r.Body) && !bytes.ContainsRune(r.Body, 0) {
		fmt.Fprintf(&b, "printf %%s %s |\n", quote(string(r.Body)))
	} else {
		fmt.Fprintf(&b, "printf %%s %s | base64 -d |\n", base64.StdEncoding.EncodeToString(r.Body))
	}
	fmt.Fprintf(&b, "curl -sS -i -X POST %s", quote(r.URL))
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(&b, " \\\n  -H %s", quote(name+": "+value))
		}
	}
	if r.Proxy != "" {
		fmt.Fprintf(&b, " \\\n  --proxy %s", quote(r.Proxy))
	}
	b.WriteString(" \\\n  -H 'Expect:' --data-binary @-\n")
	return b.String()
}

// quote makes one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
