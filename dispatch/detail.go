package dispatch

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/storage"
)

// tell writes down how the exchange went, beside its outcome and answer. What was delivered keeps no request: there is nothing to
// look for in it, and it can be made again.
func (x *exchange) tell(r *Result, resp *http.Response) {
	var session *tls.ConnectionState
	if resp != nil {
		session = resp.TLS
	}
	x.trace.tell(&r.Detail, session)
	if r.Outcome == OutcomeBlocked || x.post.Endpoint.Access.Proxy != "" { // nobody's business, or the proxy's
		r.Detail.RemoteAddr = ""
	}
	if r.Outcome != OutcomeDelivered && r.Outcome != outcomeCut && x.request != nil {
		r.Detail.Request = &storage.AttemptRequest{
			URL: maskURL(x.request.URL), Header: keepHeader(maskRequest(x.request, x.post.Endpoint)), Size: x.body.length,
		}
	}
}

// openFields are fields of an endpoint's own that hold no secret. All the others are taken for one.
var openFields = []string{"Accept", "Accept-Language", "Cache-Control", "Host", "Origin", "Referer"}

// secretMarks are parts of the names of fields that hold secrets.
var secretMarks = []string{"auth", "cookie", "credential", "key", "passw", "secret", "token"}

func namesSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretMarks, func(mark string) bool { return strings.Contains(name, mark) })
}

// maskRequest is the header of a request without what lets anybody in.
func maskRequest(req *http.Request, ep *storage.Endpoint) http.Header {
	shown := maps.Clone(req.Header)
	own := map[string]bool{}
	for name := range ep.Headers {
		own[http.CanonicalHeaderKey(name)] = true
	}
	if req.URL.User != nil && shown.Get("Authorization") == "" {
		shown["Authorization"] = []string{"Basic " + masked} // the transport makes it of the URL
	}
	if req.Host != "" && req.Host != req.URL.Host {
		shown["Host"] = []string{req.Host}
	}
	for name, values := range shown {
		value := strings.Join(values, ", ")
		scheme, credentials, schemed := strings.Cut(value, " ")
		switch {
		case strings.HasSuffix(name, "Signature"):
			value = cutSignatures(value)
		case name == "Authorization" && schemed && credentials != "":
			value = scheme + " " + masked
		case namesSecret(name), own[name] && !slices.Contains(openFields, name):
			value = masked
		default:
			continue
		}
		shown[name] = []string{value}
	}
	return shown
}

// cutSignatures leaves of each signature what tells it from another.
func cutSignatures(value string) string {
	words := strings.Fields(value)
	for i, word := range words {
		version, text, ok := strings.Cut(word, ",")
		if !ok {
			version, text = "", word
		} else {
			version += ","
		}
		words[i] = version + clip(text, 6) + "..."
	}
	return strings.Join(words, " ")
}

// maskURL writes a URL without user and password and without the values of its query, which often hold a key.
func maskURL(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	text := shown.String()
	if u.User != nil {
		text = strings.Replace(text, "://", "://"+masked+"@", 1)
	}
	if u.RawQuery == "" {
		return text
	}
	var pairs []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, ok := strings.Cut(pair, "=")
		switch {
		case ok:
			pair = name + "=" + masked
		case pair != "":
			pair = masked // a key without a name
		}
		pairs = append(pairs, pair)
	}
	return text + "?" + strings.Join(pairs, "&")
}
