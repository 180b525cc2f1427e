package admin

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/guard"
)

// maxChange bounds the body of a pull at the levers, in octets.
const maxChange = 64 << 10

// serveLevers adds the levers of smtp to mux. They are FromHere, and what is no JSON is not listened to.
func serveLevers(mux *http.ServeMux, smtp *inbound.Server) {
	mux.Handle("GET /levers", FromHere(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, smtp.Levers())
	}))
	mux.Handle("POST /levers", FromHere(func(w http.ResponseWriter, r *http.Request) {
		change, err := readChange(r)
		if err != nil {
			writeJSON(w, http.StatusBadRequest, leverFault{err.Error()})
			return
		}
		state, err := smtp.Pull(change)
		var bad *guard.BadChangeError
		switch {
		case errors.As(err, &bad):
			writeJSON(w, http.StatusBadRequest, leverFault{bad.Reason})
		case err != nil: // a disk; the operator is told, for nobody else reads this
			writeJSON(w, http.StatusInternalServerError, leverFault{err.Error()})
		default:
			writeJSON(w, http.StatusOK, state)
		}
	}))
}

type leverFault struct {
	Error string `json:"error"`
}

// readChange reads the body strictly: a lever that is not known must not pass for one that was pulled.
func readChange(r *http.Request) (c guard.Change, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return c, errors.New("the content type must be application/json")
	}
	d := json.NewDecoder(io.LimitReader(r.Body, maxChange))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, errors.New("not a change of the levers: " + err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return c, errors.New("something follows the change")
	}
	return c, nil
}

// FromHere keeps pages out of what the private listener serves: a browser on the operator's machine reaches that too, at the bidding of any
// page. It refuses what comes from another origin and would change something, and a Host that is neither an IP address nor localhost,
// for a page may have pointed a name of its own here (DNS rebinding).
func FromHere(next http.HandlerFunc) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && !strings.EqualFold(host, "localhost") {
			writeJSON(w, http.StatusForbidden, leverFault{"ask by an IP address or as localhost"})
			return
		}
		next(w, r)
	}))
}
