package dispatch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// The outcomes of an attempt. The list may grow.
const (
	OutcomeDelivered   = "delivered"   // 2xx
	OutcomeStatus      = "status"      // another status
	OutcomeRedirect    = "redirect"    // 3xx; never followed, a POST would lose its body or its secret on the way
	OutcomeTimeout     = "timeout"     // no answer within the endpoint's timeout
	OutcomeRefused     = "refused"     // nothing listens there
	OutcomeUnreachable = "unreachable" // no route, or the network is down
	OutcomeReset       = "reset"       // the connection broke before the answer
	OutcomeDNS         = "dns"         // the name does not resolve
	OutcomeTLS         = "tls"         // no TLS session, or the certificate is not good
	OutcomeBlocked     = "blocked"     // the guard refused the address
	OutcomeProtocol    = "protocol"    // the answer is not HTTP, or its header is too large
	OutcomeURL         = "url"         // the endpoint's URL cannot be used
	OutcomeToken       = "token"       // the endpoint's token endpoint gave no token, so no request was made
	OutcomeProxy       = "proxy"       // the proxy let nothing through; that is not held against the endpoint
	OutcomeUnreadable  = "unreadable"  // the stored mail could not be made ready for as long as its maximum age; no request was made

	// outcomeFiltered is a delivery that filters keep back; no attempt was made, and none is recorded.
	outcomeFiltered = "filtered"
	// outcomeCut is an attempt that our own stop ended. It is not recorded: the delivery stays as it was.
	outcomeCut = "cut"
	// outcomeUnready is one that trouble of our own kept from being made: the mail could not be read while it was sent. It
	// is not recorded either.
	outcomeUnready = "unready"
)

// explain turns the error of a request into an outcome and a text for the tenant. The text names what the endpoint's
// owner can see and mend; addresses of our network and answers of our resolver stay in the operator's log.
func explain(ctx context.Context, err error, phase string) (outcome, text string) {
	var blocked *BlockedError
	var dns *net.DNSError
	const noAddress = "the host of the URL does not lead to an address on the public internet"
	switch {
	case errors.As(err, &blocked):
		return OutcomeBlocked, noAddress
	case errors.As(err, &dns):
		return OutcomeDNS, noAddress
	case isTimeout(ctx, err):
		return OutcomeTimeout, "no answer in time; waited for " + phase
	case errors.Is(err, syscall.ECONNREFUSED):
		return OutcomeRefused, "the connection was refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN),
		errors.Is(err, syscall.ENETDOWN):
		return OutcomeUnreachable, "the host cannot be reached"
	}
	if text := explainTLS(err, phase); text != "" {
		return OutcomeTLS, text
	}
	if isBrokenConnection(err) {
		return OutcomeReset, "the connection broke while waiting for " + phase
	}
	return OutcomeProtocol, "the answer could not be understood"
}

// explainTLS returns "" for an error that has nothing to do with TLS.
func explainTLS(err error, phase string) string {
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var remote *net.OpError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &host):
		return "the certificate is for another host name"
	case errors.As(err, &authority):
		return "the certificate is signed by an unknown authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not yet valid"
	case errors.As(err, &verification):
		return "the certificate is not valid"
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return "the endpoint does not speak TLS on this port"
	case errors.As(err, &remote) && remote.Op == "remote error":
		// An alert. With TLS 1.3 that of a client certificate that is missing or bad comes after the handshake.
		return "the endpoint refused the TLS session: " + remote.Err.Error()
	case phase == phaseTLS:
		return "the TLS session could not be set up"
	}
	return ""
}

func isTimeout(ctx context.Context, err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || (errors.As(err, &timeout) && timeout.Timeout())
}

// isBrokenConnection says whether the connection died rather than answered. net/http does not export the error of a
// pooled connection that its server closed while idle.
func isBrokenConnection(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) ||
		strings.HasSuffix(err.Error(), "http: server closed idle connection")
}

// explainStatus is the counterpart of explain for an answer that came.
func explainStatus(resp *http.Response) (outcome, text string) {
	switch code := resp.StatusCode; {
	case code >= 200 && code <= 299:
		return OutcomeDelivered, ""
	case code >= 300 && code <= 399:
		return OutcomeRedirect, fmt.Sprintf("answered %d to %s; redirects are not followed", code,
			clip(clean(resp.Header.Get("Location")), 256))
	default:
		return OutcomeStatus, strings.TrimSpace(fmt.Sprintf("answered %d %s", code, http.StatusText(code)))
	}
}

// withoutURL takes the URL, which may hold a secret, out of an error of net/http.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// clean makes a stranger's text fit for JSON: valid UTF-8 without NUL.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// clip cuts s to at most n octets, on a code point boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
