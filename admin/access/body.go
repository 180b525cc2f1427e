package access

import (
	"io"
	"net/http"
	"time"
)

// What may come with a request: strangers send it before anybody knows who they are.
const (
	maxBody      = 1 << 20 // octets
	bodyPatience = 30 * time.Second
)

// bound holds what comes with a request to a size and a time, so that nobody fills memory or the folder of temporary files with a form,
// or keeps a connection with one that never ends.
func bound(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Now().Add(bodyPatience)) != nil {
		control = nil // a writer of a test, which has none to set
	}
	r.Body = &boundBody{http.MaxBytesReader(w, r.Body, maxBody), control}
}

// boundBody takes the deadline away when the body has ended: the answer may take longer.
type boundBody struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read implements io.Reader.
func (b *boundBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && b.control != nil {
		_ = b.control.SetReadDeadline(time.Time{}) // the connection is gone, then
	}
	return n, err
}
