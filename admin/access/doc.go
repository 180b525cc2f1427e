// Package access says who asks: it knows the keys of the API, the logins of browsers and the scopes, and holds everybody to a rate.
//
// The promise of this package: a key is known by what only its holder has, and what is stored lets nobody in; an ended key lets nobody
// in from the next request on, nor do the logins that stand on it; and a browser acts for its user only at the bidding of our own pages.
package access
