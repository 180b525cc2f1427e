package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newHealthCommand() *cobra.Command {
	var address string
	var ready, overTLS bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running server whether it is well (for container health checks)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			return askHealth(cmd.Context(), address, path, overTLS)
		},
	}
	cmd.Flags().StringVar(&address, "address", "127.0.0.1:9025", "`address` of the server's private HTTP listener")
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it takes mail, not only whether it runs")
	cmd.Flags().BoolVar(&overTLS, "tls", false, "the listener speaks TLS (http.private.tls); its certificate is not verified")
	return cmd
}

// askHealth is nil when the server answers 200. Over TLS the server is asked under its address, which no certificate
// names, so none is verified.
func askHealth(ctx context.Context, address, path string, overTLS bool) error {
	response, err := askPrivate(ctx, http.MethodGet, address, path, overTLS, http.NoBody)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1000))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return fmt.Errorf("%s: %s", response.Status, printable(strings.TrimSpace(string(text)), false))
}

// askPrivate asks the private listener of a running server, and waits for five seconds at most. The caller closes the body.
func askPrivate(ctx context.Context, method, address, path string, overTLS bool, body io.Reader) (*http.Response, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--address: %w", err)}
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	scheme, transport := "http", http.DefaultTransport.(*http.Transport).Clone()
	if overTLS {
		scheme, transport.TLSClientConfig = "https", &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see above
	}
	transport.DisableKeepAlives = true
	req, err := http.NewRequestWithContext(ctx, method, scheme+"://"+net.JoinHostPort(host, port)+path, body)
	if err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	req.Host = "localhost" // by another name admin.FromHere refuses
	req.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	return response, nil
}
