package storage

import (
	"errors"
	"fmt"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

// The reasons why a token is not valid, as they stand in events.
const (
	tokenMalformed = "malformed"
	tokenForged    = "forged"
	tokenExpired   = "expired"
)

// ReplyMailbox is the mailbox that the tokens of reply addresses at this local-part (without its detail) and domain are
// bound to, whatever form the two are given in.
func ReplyMailbox(local, domain string) (replyaddr.Mailbox, error) {
	name, err := normalDomain(domain)
	if err != nil {
		return replyaddr.Mailbox{}, fmt.Errorf("domain %q: %w", domain, err)
	}
	return replyaddr.Mailbox{Local: normalLocalPart(local), Domain: name}, nil
}

// VerifyToken gives the verdict on the token of a reply address at the box: what stands behind the first "+" of its
// local-part, as the peer wrote it.
func VerifyToken(keys []replyaddr.Key, box replyaddr.Mailbox, token string, now time.Time) *inbound.Token {
	said, err := replyaddr.Verify(keys, box, token, now)
	verdict := &inbound.Token{Valid: err == nil, Data: said.Data, Expires: said.Expires}
	switch {
	case err == nil:
	case errors.Is(err, replyaddr.ErrExpired):
		verdict.Reason = tokenExpired
	case errors.Is(err, replyaddr.ErrForged):
		verdict.Reason = tokenForged
	default:
		verdict.Reason = tokenMalformed
	}
	return verdict
}

// badToken refuses a reply address. Whoever answers too late shall know that; of what was never good there is nothing to
// tell.
func badToken(t *inbound.Token) *inbound.Reply {
	text := "This reply address is not valid"
	if t.Reason == tokenExpired {
		text = "This reply address has expired"
	}
	return &inbound.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: text}
}
