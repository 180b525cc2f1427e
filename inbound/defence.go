package inbound

import (
	"context"
	"net/netip"
	"time"

	"github.com/letterhook/letterhook/inbound/guard"
)

// Defence is what a [Server] does against abuse beyond the limits of a single connection. A source is an IPv4 address or an
// IPv6 /48, and one /64 in that has half of each budget ([guard.Scopes]). The zero value of a field is its default.
type Defence struct {
	// Exempt are the networks of clients that the rates, the delays, the lists and greylisting leave alone: relays of our
	// own, this machine. Limits of a connection and caps hold for them too.
	Exempt []netip.Prefix

	// ConnectRate is the budget of connections of one source. 300 in a minute.
	ConnectRate guard.Rate
	// ConnectRateTotal is the budget of connections of all sources. 500 in a second.
	ConnectRateTotal guard.Rate
	// UnknownRate is the budget of recipients refused with 5yz of one source, over all its connections. From half of it on
	// each answer takes longer, up to Tarpit; beyond it every RCPT is answered 450 4.7.1, known or not, save those for
	// postmaster and abuse. An accepted message gives one back, for who sends much is wrong now and then. 100 in an
	// hour.
	UnknownRate guard.Rate
	// ErrorRate is the budget of faulty commands of one source, over all its connections; beyond it the next one closes the
	// connection. An accepted message gives one back. 200 in an hour.
	ErrorRate guard.Rate

	// UserLoginRate is the budget of failed logins of one user, whether it exists or not, from all sources together. Beyond it AUTH
	// is answered 454 4.7.0 without a look at the password, save where that user has logged in since the server
	// started. 100 in a day.
	UserLoginRate guard.Rate

	// Tarpit is the longest that an answer to an unknown recipient is held back. 10 seconds; negative: none is.
	Tarpit time.Duration
	// GreetDelay is how long the greeting of listeners of the kind MX is held back; who speaks before it is sent away with
	// 421 4.7.0. It does not hold with implicit TLS, where the client speaks first. 0: not at all.
	GreetDelay time.Duration
	// MaxDelayed bounds the connections that are held back at a time. They do not count for MaxConnections: one more is
	// not held back, and is closed if it was for a tarpit. 1000.
	MaxDelayed int

	// MinDataRate is how many octets of a message must come in a second, on average over the time that we wait for them. A
	// message may lag behind that by DataIdleTimeout. 1024; negative: none.
	MinDataRate int64
	// TempTotal bounds the octets of all messages in temporary files while they are received and accepted. A source may hold
	// as much as it leaves free ([guard.Shares]); beyond it a message is answered 452 4.3.1. The same rule divides
	// MemoryTotal. 4 GiB.
	TempTotal int64

	// Levers are what an operator pulls in an incident. Nil: some that are all off and forget what they were.
	Levers *guard.Levers

	// Reputation, when not nil, asks lists about a client of a listener of the kind MX. It is asked at most once for a
	// connection, before its first recipient is accepted, and may block: that connection waits. nil means that nobody was
	// asked. It must return when the context ends and be safe for concurrent use.
	Reputation func(ctx context.Context, client netip.Addr) *Reputation
	// Greylist, when not nil, says whether a recipient whose domain or listener wants greylisting is put off now. The
	// envelope is what the session has said so far, with that recipient alone. It must not block and be safe for
	// concurrent use.
	Greylist func(*Envelope) bool
}

// withDefaults fills in what is zero.
func (d Defence) withDefaults() Defence {
	for _, rate := range []struct{ field, value *guard.Rate }{
		{&d.ConnectRate, &guard.Rate{Count: 300, Per: time.Minute}},
		{&d.ConnectRateTotal, &guard.Rate{Count: 500, Per: time.Second}},
		{&d.UnknownRate, &guard.Rate{Count: 100, Per: time.Hour}},
		{&d.ErrorRate, &guard.Rate{Count: 200, Per: time.Hour}},
		{&d.UserLoginRate, &guard.Rate{Count: 100, Per: 24 * time.Hour}},
	} {
		if *rate.field == (guard.Rate{}) {
			*rate.field = *rate.value
		}
	}
	setDefault(&d.Tarpit, 10*time.Second)
	setDefault(&d.MaxDelayed, 1000)
	setDefault(&d.MinDataRate, 1024)
	setDefault(&d.TempTotal, 4<<30)
	if d.Levers == nil {
		d.Levers, _ = guard.OpenLevers("") // without a file nothing can fail
	}
	return d
}

// exempts says whether a client is left alone. A unix socket is no stranger's.
func (d *Defence) exempts(client netip.Addr) bool {
	for _, network := range d.Exempt {
		if network.Contains(client) {
			return true
		}
	}
	return !client.IsValid()
}

// limits are the budgets of a source. A failed login is forgiven each minute.
func (c *Config) limits() guard.Limits {
	return guard.Limits{
		guard.Connects: c.Defence.ConnectRate,
		guard.Logins:   {Count: c.MaxAuthFailures, Per: time.Duration(max(c.MaxAuthFailures, 1)) * time.Minute},
		guard.Unknown:  c.Defence.UnknownRate,
		guard.Errors:   c.Defence.ErrorRate,
	}
}
