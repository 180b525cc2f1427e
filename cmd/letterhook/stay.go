package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
)

const (
	stayFirst  = 500 * time.Millisecond // before asking again
	stayMost   = 15 * time.Second
	staySilent = time.Minute // a server that says nothing for so long is gone: it says something every 15 seconds
)

// live gives the client of a running server: that of the context in use, or that of dev on this machine.
func (p *place) live() (*apiclient.Client, string, error) {
	server, err := p.server()
	if err != nil {
		return nil, "", err
	}
	if server == nil {
		server = &contexts.Context{URL: devURL}
	}
	c, err := apiclient.New(server.URL, server.Key, nil)
	if err != nil {
		return nil, "", &exitError{exitUsage, err}
	}
	return c, server.URL, nil
}

// devURL is where dev listens unless it is told otherwise.
const devURL = "http://127.0.0.1:8080"

// stay reads what a server sends without end, and asks it again when it was cut off, until ctx ends or the server says that it will not.
// An error of read that is [errDone] ends it too. Whoever was never let in hears why.
func stay(ctx context.Context, messages io.Writer, open func(context.Context) (*http.Response, error), read func(*bufio.Reader) error) error {
	pause, connected := stayFirst, false
	for {
		err := stayOnce(ctx, open, func(r *bufio.Reader) error {
			if connected && pause > stayFirst {
				fmt.Fprintln(messages, "Connected again.")
			}
			pause, connected = stayFirst, true
			return read(r)
		})
		status := apiclient.Status(err)
		switch {
		case errors.Is(err, errDone) || ctx.Err() != nil:
			return nil
		case !connected || status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
			return err
		}
		if pause == stayFirst {
			fmt.Fprintf(messages, "Cut off (%s); asking again.\n", printable(err.Error(), false))
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		pause = min(2*pause, stayMost)
	}
}

// errDone ends what would go on.
var errDone = errors.New("done")

func stayOnce(ctx context.Context, open func(context.Context) (*http.Response, error), read func(*bufio.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := open(ctx)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	err = read(bufio.NewReaderSize(&watched{response.Body, cancel}, 64<<10))
	if err == nil || errors.Is(err, io.EOF) {
		return errors.New("the server ended it")
	}
	return err
}

// watched gives up on a server that is silent.
type watched struct {
	io.Reader

	giveUp func()
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	timer := time.AfterFunc(staySilent, w.giveUp)
	defer timer.Stop()
	return w.Reader.Read(p)
}

// maxLine bounds a line of a server, in octets.
const maxLine = 64 << 20

// readLine reads one line, without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, errors.New("the server says a line without end")
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, err
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
}

// readEvents reads server-sent events and gives each to got.
func readEvents(r *bufio.Reader, got func(event string, data []byte) error) error {
	event, data := "", []byte(nil)
	for {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0:
			if data != nil {
				if err := got(event, data); err != nil {
					return err
				}
			}
			event, data = "", nil
		case string(name) == "event":
			event = string(value)
		case string(name) == "data":
			data = append(data, value...)
		}
	}
}
