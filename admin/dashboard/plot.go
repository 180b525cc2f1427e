package dashboard

import (
	"net/url"
	"strconv"

	"github.com/letterhook/letterhook/storage"
)

// longestBound stands for the last bound of durations, which is none, in milliseconds.
const longestBound = 60_000

// within is the bound in milliseconds within which so many percent of attempts ended; nil where none was made.
func within(took []storage.Tally, percent int64) *int64 {
	var all, seen int64
	for _, t := range took {
		all += t.N
	}
	if all == 0 {
		return nil
	}
	for _, t := range took {
		if seen += t.N; seen*100 < all*percent {
			continue
		}
		bound, err := strconv.ParseInt(t.Name, 10, 64)
		if err != nil {
			return nil // the names are the store's own
		}
		bound = min(bound, longestBound)
		return &bound
	}
	return nil
}

// shownURL is a URL without what it may hold of secrets: user, password, and the values of its query.
func shownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "a URL that cannot be read"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.RawQuery != "" {
		return shown.String() + "?…"
	}
	return shown.String()
}
