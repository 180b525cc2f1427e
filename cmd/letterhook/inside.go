package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/admin/reading"
	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/inbound/guard"
	"github.com/letterhook/letterhook/storage"
)

// client has f ask the server that the command is about. Where that is the data on this machine, the API is asked within this process,
// by the operator: whoever can open the data may do everything.
func (p *place) client(ctx context.Context, messages io.Writer, f func(*apiclient.Client) error) error {
	c, err := p.server()
	if err != nil {
		return err
	}
	if c == nil {
		return p.inside(ctx, messages, f)
	}
	client, err := apiclient.New(c.URL, c.Key, nil)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	return f(client)
}

// inside opens the data and serves the API of it to f alone. A server may run on the same data: it notices what is changed.
func (p *place) inside(ctx context.Context, messages io.Writer, f func(*apiclient.Client) error) error {
	c, declare, err := p.loadWhole()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(messages, &slog.HandlerOptions{Level: slog.LevelError}))
	opened, err := openFolder(ctx, c, folderOptions{beside: true, log: slog.New(slog.NewTextHandler(messages, nil))})
	if err != nil {
		return err
	}
	warnOfStanding(ctx, opened.store, messages)
	s := &server{cfg: c, current: c, declare: declare, log: log, store: opened.store}
	if err := s.preview(ctx); err != nil {
		return errors.Join(err, opened.store.Close())
	}
	client, err := apiclient.New("http://localhost", "", within{withoutLevers(api.New(s.insideConfig(log)))})
	if err == nil {
		err = f(client)
	}
	return errors.Join(err, opened.store.Close())
}

// loadWhole gives the configuration with its accounts and domains. Faults of endpoints are passed over, as their secrets may be known
// to the server alone.
func (p *place) loadWhole() (*config.Config, func(*config.Config) storage.Declaration, error) {
	c, err := p.load()
	if err != nil {
		return nil, nil, err
	}
	switch path := p.path(); path {
	case "": // that of dev stands in no file
		c.Endpoints = []config.Endpoint{{Name: devName, Account: devName, URL: "http://127.0.0.1/", AllowPrivate: true, Concurrency: devConcurrency, Source: devSource}}
		return c, devDeclaration, nil
	default:
		whole, err := config.LoadRouting(path, os.Environ())
		return whole, declare, err
	}
}

// preview makes the directory that a server would have, and changes nothing.
func (s *server) preview(ctx context.Context) error {
	stored, err := s.store.Configuration(ctx)
	if err != nil {
		return err
	}
	list, _, err := storedOf(ctx, s.store, s.current, stored.Settings)
	if err != nil {
		return err
	}
	merged, _ := s.current.With(list)
	declared := s.declare(merged)
	if declared.Suppressions, err = api.Suppressions(stored.Settings); err != nil {
		return err
	}
	directory, err := s.store.Preview(ctx, declared)
	if err != nil {
		return fmt.Errorf("reading accounts, domains and endpoints: %w", err)
	}
	s.merged.Store(merged)
	s.directory.Store(directory)
	return nil
}

// reapply makes what was changed hold, as a running server does by itself within a second.
func (s *server) reapply(ctx context.Context) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	return s.route(ctx, s.current)
}

// insideConfig is what the API has beside a server. The levers are the running server's.
func (s *server) insideConfig(log *slog.Logger) api.Config {
	return api.Config{
		Store: s.store, Version: version(), Log: log, Desk: reading.New(s.store, version()),
		Configuration: api.Configuration{Directory: s.directory.Load, Check: s.checkSettings, Reload: s.reapply},
		LookupTXT:     s.lookupTXT, CheckDNS: s.checkDomainDNS,
		Levers: func() guard.State { return guard.State{} },
		Pull: func(guard.Change) (guard.State, error) {
			return guard.State{}, &guard.BadChangeError{Reason: "the levers are those of a running server"}
		},
		Nodes: s.nodesBeside,
	}
}

// withoutLevers refuses to say what the levers stand at: nobody here knows, and that they are off would be a guess.
func withoutLevers(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.HandleFunc("GET "+apiclient.Prefix+"/levers", func(w http.ResponseWriter, _ *http.Request) {
		problem.New(http.StatusNotImplemented, "the levers are those of a running server: letterhook lever show").Write(w)
	})
	return mux
}

// within carries requests to a handler of the same process.
type within struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t within) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := access.With(r.Context(), access.Principal{Scopes: access.Scopes(), Name: cliName})
	r = r.Clone(ctx)
	r.RequestURI = r.URL.RequestURI()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	a := &answerWithin{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(a, r)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.header,
		Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}, nil
}

// answerWithin is an answer of the handler.
type answerWithin struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (a *answerWithin) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answerWithin) WriteHeader(status int) { a.status = status }

// Write implements [http.ResponseWriter].
func (a *answerWithin) Write(p []byte) (int, error) { return a.body.Write(p) }
