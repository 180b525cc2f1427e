package dispatch

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// wayIdle is how long a pool that nothing uses any more is kept.
const wayIdle = time.Hour

// way is what requests must have in common to share connections. A pooled connection is not judged again: one opened for an
// endpoint with AllowPrivate must never serve an endpoint without it, nor one opened with a certificate an endpoint that has
// another.
type way struct {
	private  bool
	proxy    string
	identity [sha256.Size]byte // of certificate, key and authorities; zero: none of them
}

func wayOf(ep *storage.Endpoint) way {
	a := &ep.Access
	w := way{private: ep.AllowPrivate, proxy: a.Proxy}
	if len(a.Certificate)+len(a.Key)+len(a.Authorities) > 0 {
		h := sha256.New()
		for _, part := range [][]byte{a.Certificate, a.Key, a.Authorities} {
			fmt.Fprintf(h, "%d ", len(part))
			h.Write(part)
		}
		h.Sum(w.identity[:0])
	}
	return w
}

// ways are the pools of connections: two for nearly all endpoints, and one for each certificate, bundle and proxy.
type ways struct {
	dial func(ctx context.Context, network, addr string, private bool) (net.Conn, error)

	mu   sync.Mutex
	open map[way]*opened
}

type opened struct {
	client    *http.Client
	transport *http.Transport
	used      time.Time
}

// errIdentity says that certificates of an endpoint cannot be used.
var errIdentity = errors.New("the certificates of the endpoint cannot be used")

// client gives the client for an endpoint.
func (w *ways) client(ep *storage.Endpoint) (*http.Client, error) {
	key, now := wayOf(ep), time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.open[key]
	if o == nil {
		var err error
		if o, err = w.make(key, &ep.Access); err != nil {
			return nil, err
		}
		w.dropIdle(now)
		w.open[key] = o
	}
	o.used = now
	return o.client, nil
}

// dropIdle forgets the pools of certificates and proxies that are no longer used. Attempts under way finish all the same.
func (w *ways) dropIdle(now time.Time) {
	for key, o := range w.open {
		if now.Sub(o.used) > wayIdle {
			o.transport.CloseIdleConnections()
			delete(w.open, key)
		}
	}
}

func (w *ways) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.open {
		o.transport.CloseIdleConnections()
	}
}

func (w *ways) make(key way, a *storage.Access) (*opened, error) {
	config, err := clientTLS(a)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: nil, // never from the environment: the guard would see the proxy's address only
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return w.dial(ctx, network, addr, key.private)
		},
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConns:           2000,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		WriteBufferSize:        32 << 10,
		DisableCompression:     true,
	}
	if key.proxy != "" {
		proxy, err := url.Parse(key.proxy)
		if err != nil {
			return nil, &proxyError{text: "the URL of the proxy cannot be used"}
		}
		throughProxy(transport, proxy)
	}
	return &opened{transport: transport, client: &http.Client{
		Transport:     pool{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// pool is a transport without CloseIdleConnections, which go-retryablehttp would call after every failure: it would
// close the connections to all the healthy endpoints too.
type pool struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper]. A connection whose receiver switches protocols is given up: nobody asked for that, and
// net/http leaves it to the caller then, so that no deadline would end the reading of it.
func (p pool) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.RoundTripper.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body.Close()
		resp.Body = http.NoBody
	}
	return resp, err
}

func clientTLS(a *storage.Access) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(a.Authorities) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(a.Authorities) {
			return nil, errIdentity
		}
	}
	if len(a.Certificate) > 0 {
		pair, err := tls.X509KeyPair(a.Certificate, a.Key)
		if err != nil {
			return nil, errors.Join(errIdentity, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
