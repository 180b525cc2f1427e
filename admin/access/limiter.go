package access

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/jellydator/ttlcache/v3"
	"golang.org/x/time/rate"

	"github.com/letterhook/letterhook/admin/problem"
)

// maxBuckets bounds the memory of a limiter: of more names than that, those asked for longest ago begin afresh.
const maxBuckets = 10_000

// limiter holds each of many names to a rate.
type limiter struct {
	name    string // of the policy, in headers
	rate    float64
	burst   int
	now     func() time.Time
	buckets *ttlcache.Cache[string, *rate.Limiter]
}

func newLimiter(name string, perSecond float64, burst int, now func() time.Time) *limiter {
	// A bucket that is full again is like a new one.
	full := time.Duration(float64(burst)/perSecond*float64(time.Second)) + time.Second
	return &limiter{name: name, rate: perSecond, burst: burst, now: now, buckets: ttlcache.New(
		ttlcache.WithTTL[string, *rate.Limiter](full), ttlcache.WithCapacity[string, *rate.Limiter](maxBuckets),
	)}
}

func (l *limiter) bucket(name string) *rate.Limiter {
	item, _ := l.buckets.GetOrSetFunc(name, func() *rate.Limiter { return rate.NewLimiter(rate.Limit(l.rate), l.burst) })
	return item.Value()
}

// take counts one request and tells the peer how many are left (draft-ietf-httpapi-ratelimit-headers). It is false when there was none
// left; the request is then answered.
func (l *limiter) take(w http.ResponseWriter, name string) bool {
	b, now := l.bucket(name), l.now()
	ok := b.AllowN(now, 1)
	left := max(0, math.Floor(b.TokensAt(now)))
	window := math.Ceil(float64(l.burst) / l.rate)
	again := math.Ceil((float64(l.burst) - left) / l.rate)
	w.Header().Set("RateLimit-Policy", fmt.Sprintf(`"%s";q=%d;w=%.0f`, l.name, l.burst, window))
	w.Header().Set("RateLimit", fmt.Sprintf(`"%s";r=%.0f;t=%.0f`, l.name, left, again))
	if !ok {
		tooMany(w, time.Duration((1-b.TokensAt(now))/l.rate*float64(time.Second)))
	}
	return ok
}

func tooMany(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(max(1, math.Ceil(wait.Seconds())))))
	problem.Write(w, http.StatusTooManyRequests, "Too many requests. Wait as long as Retry-After says.")
}

// ClientHost is the address that a request came from.
func ClientHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// clientAddress is what a client is counted by: its IPv4 address, or the /64 of an IPv6 one, all of which a single host may have.
func clientAddress(r *http.Request) string {
	host := ClientHost(r)
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}
