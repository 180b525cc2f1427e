package main

import (
	"fmt"
	"slices"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// noteRefusal has the store count a refusal and record what explains it, once for each account that it concerns.
func (s *server) noteRefusal(r *inbound.Refusal) {
	for _, account := range s.accountsOf(r) {
		noted := storage.Refusal{
			Account: account, Sender: r.ReversePath.String(), Recipient: recipientOf(r, account).String(),
			Reason: r.Reason, Code: r.Reply.Code,
		}
		if r.RemoteIP.IsValid() {
			noted.Remote = r.RemoteIP.String()
		}
		s.store.NoteRefusal(noted, func() storage.RefusalDetail { return detailOf(r, account) })
	}
}

// accountsOf are those whose recipients were refused, or that of the one recipient that was; one that is nobody's at least.
func (s *server) accountsOf(r *inbound.Refusal) []string {
	directory := s.directory.Load()
	if r.ForwardPath != (inbound.Path{}) && !slices.ContainsFunc(r.Recipients, func(other inbound.Recipient) bool { return other.Path == r.ForwardPath }) {
		return []string{directory.Account(r.ForwardPath)}
	}
	var accounts []string
	for i := range r.Recipients {
		if a := r.Recipients[i].Account; !slices.Contains(accounts, a) {
			accounts = append(accounts, a)
		}
	}
	if len(accounts) == 0 {
		accounts = []string{""}
	}
	return accounts
}

// recipientOf is the first recipient of the account.
func recipientOf(r *inbound.Refusal, account string) inbound.Path {
	for i := range r.Recipients {
		if r.Recipients[i].Account == account && r.Recipients[0].Path == r.ForwardPath {
			return r.Recipients[i].Path
		}
	}
	return r.ForwardPath
}

// detailOf is what explains a refusal to an account.
func detailOf(r *inbound.Refusal, account string) storage.RefusalDetail {
	d := storage.RefusalDetail{
		Reply:    fmt.Sprintf("%d.%d.%d %s", r.Reply.Status[0], r.Reply.Status[1], r.Reply.Status[2], r.Reply.Text),
		Listener: r.Listener, Helo: r.Helo, TLS: r.TLS, Found: r.Found(), Recipients: []string{}, Session: r.Session(),
	}
	own := []inbound.Path{recipientOf(r, account)}
	for i := range r.Recipients {
		if r.Recipients[i].Account == account {
			own = append(own, r.Recipients[i].Path)
			d.Recipients = append(d.Recipients, r.Recipients[i].Path.String())
		}
	}
	if account != "" { // nobody's are the operator's to see
		d.Session = inbound.SessionFor(d.Session, own)
	}
	return d
}
