package dispatch

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/storage"
)

// masked stands in the place of a secret.
const masked = "***"

// leastSecret is the shortest text that is masked: shorter ones would stand in ordinary text too.
const leastSecret = 6

// leastValue is likewise for header fields of the endpoint's own whose name does not say that they hold a secret.
const leastValue = 16

// mask takes our own secrets out of what a receiver answered, should it have sent them back to us.
func (r *Result) mask(ep *storage.Endpoint, authorization string) {
	words := secretWords(ep, authorization)
	if len(words) == 0 {
		return
	}
	m := strings.NewReplacer(words...)
	r.Detail.Error, r.Detail.Body = m.Replace(r.Detail.Error), m.Replace(r.Detail.Body)
	for name, value := range r.Detail.Header {
		r.Detail.Header[name] = m.Replace(value)
	}
}

// secretWords are what no log may show of an endpoint, each with what stands in its place.
func secretWords(ep *storage.Endpoint, authorization string) (words []string) {
	add := func(secret string) {
		if len(secret) >= leastSecret {
			words = append(words, secret, masked)
		}
	}
	basic := func(user, password string) {
		add(base64.StdEncoding.EncodeToString([]byte(user + ":" + password)))
		add(password)
	}
	credentials := func(field string) {
		_, token, _ := strings.Cut(field, " ")
		add(token)
	}
	a := &ep.Access
	add(a.Bearer)
	if a.Username != "" {
		basic(a.Username, a.Password)
	}
	if a.OAuth != nil {
		add(a.OAuth.Secret)
	}
	credentials(authorization)
	for name, value := range ep.Headers {
		switch {
		case strings.EqualFold(name, "Authorization"):
			credentials(value)
		case namesSecret(name), len(value) >= leastValue && !slices.Contains(openFields, http.CanonicalHeaderKey(name)):
			add(value)
		}
	}
	u, err := url.Parse(ep.URL)
	if err != nil {
		return words
	}
	if u.User != nil {
		password, _ := u.User.Password()
		basic(u.User.Username(), password)
	}
	if u.RawQuery != "" {
		for pair := range strings.SplitSeq(u.RawQuery, "&") { // a redirect often repeats it
			name, value, named := strings.Cut(pair, "=")
			if !named {
				value = name
			}
			add(value)
		}
		for _, values := range u.Query() {
			for _, value := range values {
				add(value)
			}
		}
	}
	return words
}
