package bench

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A Receiver is a webhook endpoint on loopback that remembers which tokens arrived under which ids.
type Receiver struct {
	URL    string
	server *http.Server
	verify *standardwebhooks.Webhook // nil: signatures are not looked at

	mu       sync.Mutex
	arrivals map[string]*Arrival // by token
	requests int
	badSigns int
	arrived  chan struct{} // closed and replaced at each request
	status   func(token string) int
	observe  func(header http.Header, body []byte)
	hanging  int // endpoints /hook/0 to /hook/N-1 never answer
}

// Arrival is what is known of one message that arrived.
type Arrival struct {
	First time.Time      // when its first request was read whole
	IDs   map[string]int // requests by webhook-id; more than one key is a message delivered under two ids
}

// NewReceiver starts a receiver. With a secret ("whsec_...") it verifies every request with the Standard Webhooks
// library; a request that does not verify counts as bad and is answered 401. The caller closes it.
func NewReceiver(secret string) (*Receiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Receiver{URL: "http://" + l.Addr().String() + "/hook", arrivals: map[string]*Arrival{}, arrived: make(chan struct{})}
	if secret != "" {
		if r.verify, err = standardwebhooks.NewWebhook(secret); err != nil {
			return nil, err
		}
	}
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(l) }()
	return r, nil
}

// Close stops the receiver.
func (r *Receiver) Close() error { return r.server.Close() }

// Answer makes the receiver answer with the status that f gives for a token; nil: with 204 again.
func (r *Receiver) Answer(f func(token string) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = f
}

// Observe hands every request that verifies to f, before it is counted and answered. f may be called from several
// goroutines at once and must not change what it gets, but may keep it.
func (r *Receiver) Observe(f func(header http.Header, body []byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observe = f
}

func (r *Receiver) observer() func(http.Header, []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.observe
}

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, err := readBody(req)
	if err != nil {
		return
	}
	if r.verify != nil {
		if err := r.verify.Verify(body, req.Header); err != nil {
			r.mu.Lock()
			r.badSigns++
			r.mu.Unlock()
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
	}
	if f := r.observer(); f != nil {
		f(req.Header, body)
	}
	if r.hangs(req.URL.Path) {
		<-req.Context().Done() // until the client gives up
		return
	}
	w.WriteHeader(r.note(tokenOf(body), req.Header.Get("webhook-id"), time.Now()))
}

// readBody reads a body at once where its length is known: growing into it would cost the receiver more than all the rest.
func readBody(req *http.Request) ([]byte, error) {
	const most = 1 << 20
	if req.ContentLength <= 0 || req.ContentLength > most {
		return io.ReadAll(req.Body)
	}
	body := make([]byte, req.ContentLength)
	_, err := io.ReadFull(req.Body, body)
	return body, err
}

// Hang makes the first n of the endpoints URL/0, URL/1 ... never answer.
func (r *Receiver) Hang(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hanging = n
}

func (r *Receiver) hangs(path string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(path, "/hook/"))
	r.mu.Lock()
	defer r.mu.Unlock()
	return err == nil && n < r.hanging
}

// note records an arrival and says how to answer it.
func (r *Receiver) note(token, id string, at time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusNoContent
	if r.status != nil {
		status = r.status(token)
	}
	r.requests++
	if status < 300 && token != "" { // without one it is no mail of the load
		a := r.arrivals[token]
		if a == nil {
			a = &Arrival{First: at, IDs: map[string]int{}}
			r.arrivals[token] = a
		}
		a.IDs[id]++
	}
	close(r.arrived)
	r.arrived = make(chan struct{})
	return status
}

// tokenOf finds the token of a message in the event's JSON without decoding it.
func tokenOf(body []byte) string {
	i := bytes.Index(body, []byte(tokenPrefix))
	if i < 0 {
		return ""
	}
	rest := body[i:]
	end := bytes.IndexFunc(rest, func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
	if end < 0 {
		end = len(rest)
	}
	return string(rest[:end])
}

// Tally is the state of a receiver.
type Tally struct {
	Tokens     int // different messages that arrived
	Requests   int
	BadSigns   int // requests whose signature did not verify
	Duplicates int // requests beyond the first of a message
	TwoIDs     int // messages that arrived under more than one id
}

// Tally counts.
func (r *Receiver) Tally() Tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := Tally{Tokens: len(r.arrivals), Requests: r.requests, BadSigns: r.badSigns}
	for _, a := range r.arrivals {
		n := 0
		for _, c := range a.IDs {
			n += c
		}
		t.Duplicates += n - 1
		if len(a.IDs) > 1 {
			t.TwoIDs++
		}
	}
	return t
}

// Arrival returns what is known of a token; ok is false when it did not arrive yet.
func (r *Receiver) Arrival(token string) (a Arrival, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.arrivals[token]; p != nil {
		ids := make(map[string]int, len(p.IDs))
		maps.Copy(ids, p.IDs)
		return Arrival{First: p.First, IDs: ids}, true
	}
	return Arrival{}, false
}

// Next returns a channel that is closed at the next request.
func (r *Receiver) Next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.arrived
}
