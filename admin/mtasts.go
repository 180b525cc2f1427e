package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/problem"
)

// Policy is a policy of MTA-STS (RFC 8461 section 3.2): it tells senders which mail exchangers a domain has, and to deliver to none
// whose certificate they cannot verify.
type Policy struct {
	Mode   string        // "enforce", "testing" or "none"
	MX     []string      // host names, or "*." and a domain; at least one unless the mode is none
	MaxAge time.Duration // that senders remember it, in whole seconds
}

// String is the file that is served.
func (p Policy) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: STSv1\r\nmode: %s\r\n", p.Mode)
	for _, mx := range p.MX {
		fmt.Fprintf(&b, "mx: %s\r\n", mx)
	}
	fmt.Fprintf(&b, "max_age: %d\r\n", int64(p.MaxAge/time.Second))
	return b.String()
}

// Record is the TXT record at _mta-sts and the domain (section 3.1). Its id is made of the policy, so that it is another
// one whenever the policy is, which is how senders know.
func (p Policy) Record() string {
	sum := sha256.Sum256([]byte(p.String()))
	return "v=STSv1; id=" + hex.EncodeToString(sum[:10]) + ";"
}

// PolicyPath is where senders look for a policy (section 3.3).
const PolicyPath = "/.well-known/mta-sts.txt"

// Policies serves the policies of MTA-STS and leaves everything else to next. policy gives that of a host, mta-sts.example.com for
// example, in lower case.
func Policies(policy func(host string) (Policy, bool), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != PolicyPath {
			next.ServeHTTP(w, r)
			return
		}
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		p, ok := policy(strings.ToLower(strings.TrimSuffix(host, ".")))
		switch {
		case !ok:
			problem.Write(w, http.StatusNotFound, "There is no policy for this host.")
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			problem.Write(w, http.StatusMethodNotAllowed, "A policy can only be read.")
		default:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8") // section 3.2
			w.Header().Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write([]byte(p.String()))
		}
	})
}
