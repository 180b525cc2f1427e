package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/letterhook/letterhook/storage"
)

// tokenError says that an endpoint's token could not be got. Its text is for the owner of the endpoint and holds nothing that
// the token endpoint said but its error code.
type tokenError struct {
	status int // of the token endpoint; 0: it gave no answer
	text   string
	cause  error // nil when it answered
}

// Error implements error.
func (e *tokenError) Error() string { return e.text }

// Unwrap gives the cause.
func (e *tokenError) Unwrap() error { return e.cause }

// forGood says that the answer looks as if somebody had to mend the credentials or the URL.
func (e *tokenError) forGood() bool {
	return e.status >= 300 && e.status < 500 && e.status != http.StatusTooManyRequests && e.status != http.StatusRequestTimeout
}

// tokens keeps the tokens of endpoints until they expire, one for each set of credentials.
type tokens struct {
	mu   sync.Mutex
	held map[[sha256.Size]byte]*grant
}

type grant struct {
	turn  chan struct{} // capacity 1: held by whoever looks at token or gets one
	token *oauth2.Token
	used  time.Time // under the mutex of tokens
}

func (t *tokens) grant(o *storage.OAuthClient, w way) *grant {
	key, now := grantKey(o, w), time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.held[key]
	if g == nil {
		for old, other := range t.held {
			if now.Sub(other.used) > wayIdle {
				delete(t.held, old)
			}
		}
		g = &grant{turn: make(chan struct{}, 1)}
		t.held[key] = g
	}
	g.used = now
	return g
}

// grantKey covers everything that the token endpoint decides by.
func grantKey(o *storage.OAuthClient, w way) [sha256.Size]byte {
	text, err := json.Marshal(struct {
		Client   *storage.OAuthClient
		Private  bool
		Proxy    string
		Identity []byte
	}{o, w.private, w.proxy, w.identity[:]})
	if err != nil {
		panic(err) // strings, maps of strings and octets
	}
	return sha256.Sum256(text)
}

// authorization gives the value of the Authorization field. refused is the one that the endpoint has just answered 401 to; empty:
// none. Of many attempts that need a token at once one gets it and the others wait.
func (t *tokens) authorization(ctx context.Context, client *http.Client, ep *storage.Endpoint, refused string) (string, error) {
	o := ep.Access.OAuth
	g := t.grant(o, wayOf(ep))
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return "", &tokenError{text: "no token in time", cause: ctx.Err()}
	}
	if g.token.Valid() {
		if value := headerOf(g.token); value != refused {
			return value, nil
		}
	}
	g.token = nil
	token, err := fetchToken(ctx, client, o)
	if err != nil {
		return "", explainToken(ctx, err)
	}
	g.token = token
	return headerOf(token), nil
}

func headerOf(t *oauth2.Token) string { return t.Type() + " " + t.AccessToken }

func fetchToken(ctx context.Context, client *http.Client, o *storage.OAuthClient) (*oauth2.Token, error) {
	c := clientcredentials.Config{
		ClientID: o.ID, ClientSecret: o.Secret, TokenURL: o.TokenURL, Scopes: o.Scopes, AuthStyle: oauth2.AuthStyleInHeader,
		EndpointParams: url.Values{},
	}
	for name, value := range o.Params {
		c.EndpointParams.Set(name, value)
	}
	if o.SecretInBody {
		c.AuthStyle = oauth2.AuthStyleInParams
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	token, err := c.Token(ctx)
	if err != nil && isBrokenConnection(err) {
		token, err = c.Token(ctx) // the connection may have died in the pool; a token too many does no harm
	}
	if err == nil && strings.ContainsFunc(headerOf(token), func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, errors.New("the token holds characters that no header field can carry (RFC 6750 section 2.1)")
	}
	return token, err
}

// explainToken is explain for the request of a token.
func explainToken(ctx context.Context, err error) error {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response != nil {
		e := &tokenError{status: answer.Response.StatusCode}
		e.text = fmt.Sprintf("the token endpoint answered %d", e.status)
		if isErrorCode(answer.ErrorCode) {
			e.text += " (" + answer.ErrorCode + ")"
		}
		return e
	}
	err = withoutURL(err)
	if _, ok := errors.AsType[*proxyError](err); ok {
		return err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return err
	}
	_, text := explain(ctx, err, phaseAnswer)
	return &tokenError{text: "no token: " + text, cause: err}
}

// isErrorCode accepts the words that RFC 6749 section 5.2 has, and others of their kind; anything else may hold what nobody
// should read.
func isErrorCode(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}
