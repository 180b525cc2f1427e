package dispatch

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// exchange is the request of one attempt, and what it takes to be let in.
type exchange struct {
	sender        *Sender
	post          *Post
	body          *sealed
	trace         *trace
	retryUntil    time.Time
	authorization string        // value of the Authorization field; empty: none of ours
	request       *http.Request // the last one; nil: none was made
}

var errURL = errors.New("making the request")

// make makes the request. A token that is answered 401 before its time is given up for a fresh one, once.
func (x *exchange) make(ctx context.Context) (*http.Response, error) {
	ep := x.post.Endpoint
	client, err := x.sender.ways.client(ep)
	if err != nil {
		return nil, err
	}
	if ep.Access.Proxy != "" {
		if err := x.sender.guard.checkLiterals(ep); err != nil {
			return nil, err
		}
	}
	if ep.Access.OAuth != nil {
		return x.withToken(ctx, client)
	}
	x.authorization = fixedAuthorization(&ep.Access)
	return x.do(ctx, client)
}

func (x *exchange) withToken(ctx context.Context, client *http.Client) (resp *http.Response, err error) {
	for fresh := false; ; fresh = true {
		refused := x.authorization
		if x.authorization, err = x.sender.tokens.authorization(ctx, client, x.post.Endpoint, refused); err != nil {
			return nil, err
		}
		resp, err = x.do(ctx, client)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || fresh {
			return resp, err
		}
		keepBody(resp.Body)
		resp.Body.Close()
		x.trace.reset()
	}
}

// do sends the request, and once more if it went to a pooled connection that had died meanwhile. That is all that
// go-retryablehttp is asked for; every longer wait belongs to the schedule, which survives a crash.
func (x *exchange) do(ctx context.Context, client *http.Client) (*http.Response, error) {
	ctx = x.trace.attach(ctx)
	open := func() (io.Reader, error) { return x.body.open(ctx), nil }
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, x.post.Endpoint.URL, open)
	if err != nil {
		return nil, errors.Join(errURL, withoutURL(err))
	}
	req.ContentLength = x.body.length
	x.sender.setHeader(req.Request, x.post, x.body, x.authorization)
	x.request = req.Request
	retrying := retryablehttp.Client{
		HTTPClient: client,
		RetryMax:   1,
		CheckRetry: func(_ context.Context, _ *http.Response, err error) (bool, error) {
			return err != nil && x.trace.diedInPool() && isBrokenConnection(err) && time.Now().Before(x.retryUntil), nil
		},
		Backoff: func(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
			return 50*time.Millisecond + rand.N(150*time.Millisecond)
		},
		// Without it the library drops the last answer and its body.
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
		PrepareRetry: func(req *http.Request) error {
			x.trace.reset()
			sign(req.Header, x.post, x.body)
			return nil
		},
	}
	return retrying.Do(req)
}

// explain turns the error of the exchange into an outcome and a text for the tenant.
func (x *exchange) explain(ctx context.Context, err error) (outcome, text string) {
	if errors.Is(err, errURL) {
		return OutcomeURL, "the URL of the endpoint cannot be used"
	}
	if errors.Is(err, errIdentity) {
		return OutcomeTLS, errIdentity.Error()
	}
	if token, ok := errors.AsType[*tokenError](err); ok {
		return OutcomeToken, token.text
	}
	if x.post.Endpoint.Access.Proxy != "" && !isBlocked(err) {
		if outcome, text, ok := explainProxy(err, x.trace.phase()); ok {
			return outcome, text
		}
	}
	return explain(ctx, err, x.trace.phase())
}

// explainStatus is explainStatus for an answer that may be the proxy's own.
func (x *exchange) explainStatus(resp *http.Response) (outcome, text string) {
	if x.post.Endpoint.Access.Proxy != "" && resp.StatusCode == http.StatusProxyAuthRequired {
		return OutcomeProxy, "the proxy answered 407"
	}
	return explainStatus(resp)
}

func isBlocked(err error) bool {
	_, ok := errors.AsType[*BlockedError](err)
	return ok
}
