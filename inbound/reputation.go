package inbound

import "log/slog"

// Reputation is what lists say of a client. It is stored with the envelope. Every string is printable ASCII of bounded
// length.
type Reputation struct {
	// Listings are the lists that hold the client, in the order of the configuration.
	Listings []Listing `json:"listings"`
	// Allowed says that a list of those to be let in holds the client: no other list does anything then.
	Allowed bool `json:"allowed"`
	// Refuse is what the lists together want done with recipients other than postmaster and abuse; nil: nothing.
	Refuse *Reply `json:"-"`
}

// Listing is a list that holds a client.
type Listing struct {
	List string `json:"list"`           // the zone, or the name of a list of our own
	Kind string `json:"kind"`           // block or allow
	Code string `json:"code,omitempty"` // what the zone answered, for example "127.0.0.4"; empty for a list of our own
}

// attrs are what the log shall know.
func (r *Reputation) attrs() []slog.Attr {
	if r == nil || len(r.Listings) == 0 {
		return nil
	}
	words := make([]string, len(r.Listings))
	for i, l := range r.Listings {
		words[i] = l.Kind + ":" + l.List
	}
	return []slog.Attr{slog.Any("listed", words)}
}
