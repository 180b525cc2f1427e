package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// proxyPauses are how long an endpoint rests after trouble with its proxy: the first time, the second ...; the last is repeated.
var proxyPauses = []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute}

// proxyError is the answer of a proxy that does not let a request through.
type proxyError struct {
	status int
	text   string
}

// Error implements error.
func (e *proxyError) Error() string { return e.text }

// destination says that the trouble lies behind the proxy. Proxies tell of a host that they cannot reach with a status of a
// gateway (RFC 9110 section 15.6).
func (e *proxyError) destination() bool {
	switch e.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// throughProxy has a transport send everything through a proxy. The address of the proxy is the operator's word and not judged.
func throughProxy(t *http.Transport, proxy *url.URL) {
	t.Proxy = http.ProxyURL(proxy)
	t.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		return &proxyError{resp.StatusCode, fmt.Sprintf("the proxy answered %d", resp.StatusCode)}
	}
}

// explainProxy is explain for an error that the proxy of the endpoint has to do with; false: it has not.
func explainProxy(err error, phase string) (outcome, text string, ok bool) {
	if refusal, found := errors.AsType[*proxyError](err); found {
		if refusal.destination() {
			return OutcomeUnreachable, "the host cannot be reached: " + refusal.text, true
		}
		return OutcomeProxy, refusal.text, true
	}
	if op, found := errors.AsType[*net.OpError](err); found && op.Op == "proxyconnect" {
		return OutcomeProxy, "the proxy cannot be reached", true
	}
	// Before the TLS session with the host everything is said to the proxy. Who hangs there cannot be told.
	if phase == phaseConnect && !isTimeout(context.Background(), err) {
		return OutcomeProxy, "the proxy broke the connection or gave no proper answer", true
	}
	return "", "", false
}

// checkLiterals judges the hosts that stand in the URLs of an endpoint as addresses, where no socket will show them: the guard sees
// the proxy's alone. What a name leads to is for the proxy to judge.
func (g *Guard) checkLiterals(ep *storage.Endpoint) error {
	if err := g.checkLiteral(ep.URL, ep.AllowPrivate); err != nil || ep.Access.OAuth == nil {
		return err
	}
	if err := g.checkLiteral(ep.Access.OAuth.TokenURL, ep.AllowPrivate); err != nil {
		_, text := explain(context.Background(), err, "")
		return &tokenError{text: "no token: " + text, cause: err}
	}
	return nil
}

func (g *Guard) checkLiteral(raw string, private bool) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.Join(errURL, withoutURL(err))
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 section 6.3
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil && isOddAddress(host):
		return &BlockedError{Reason: "an address in an unusual form"}
	case err != nil:
		return nil
	}
	port := uint64(80)
	if u.Scheme == "https" {
		port = 443
	}
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return errors.Join(errURL, err)
		}
	}
	return g.Check(netip.AddrPortFrom(addr, uint16(port)), private || g.allowsHost(host))
}
