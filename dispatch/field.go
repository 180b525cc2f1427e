package dispatch

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// ownFields are header fields that an endpoint cannot set: they say what the body is, frame the request, or belong to one hop
// (RFC 9110 section 7.6.1).
var ownFields = []string{
	"Host", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent", "Expect", "Date",
}

// CheckField says what is wrong with a header field that an endpoint wants sent with every request. The error does not
// repeat the value.
func CheckField(name, value string) error {
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Errorf("%q is not a header name", name)
	case slices.Contains(ownFields, canonical), strings.HasPrefix(canonical, "Webhook-"), strings.HasPrefix(canonical, "Content-"),
		strings.HasPrefix(canonical, "Proxy-"), strings.HasPrefix(canonical, "Letterhook-"):
		return fmt.Errorf("%s is set by the delivery itself", canonical)
	case !httpguts.ValidHeaderFieldValue(value):
		return errors.New("the value holds a control character")
	}
	return nil
}
