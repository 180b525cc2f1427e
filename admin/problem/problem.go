// Package problem writes errors in the form of RFC 9457, for everything that is served to strangers.
//
// The promise of this package: what a peer reads is a text that was written for it. The text of an error is never among it.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// ContentType is the media type of a [Problem].
const ContentType = "application/problem+json"

// Problem is an error in the form of RFC 9457. Its type is always about:blank (section 4.2.1): the status says it all, and the
// detail what to do about it.
type Problem struct {
	Type   string  `json:"type" doc:"Always about:blank: the status says it all." example:"about:blank"`
	Title  string  `json:"title" doc:"The words of the status."`
	Status int     `json:"status" doc:"The HTTP status." minimum:"100" maximum:"599"`
	Detail string  `json:"detail" doc:"What is wrong here, for people."`
	Errors []Fault `json:"errors,omitempty" doc:"All that is wrong with the request, where several things may be."`
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	Location string `json:"location,omitempty" doc:"Where in the request, for example body.url or query.limit."`
	Message  string `json:"message" doc:"What is wrong there."`
}

// New makes a problem. The detail is for strangers: what they can do about it, nothing of ours.
func New(status int, detail string, faults ...Fault) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Errors: faults}
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType has JSON named as what it is.
func (*Problem) ContentType(string) string { return ContentType }

// Write answers with a problem.
func (p *Problem) Write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and an int always encode
	}
	h := w.Header()
	for _, name := range []string{"Content-Disposition", "ETag", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Content-Type", ContentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the peer may be gone, which is its own affair
}

// Write answers with an error.
func Write(w http.ResponseWriter, status int, detail string) { New(status, detail).Write(w) }
