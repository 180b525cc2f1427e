package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

// ReplyAddress is a signed address that mail can be answered to.
type ReplyAddress struct {
	Address   string     `json:"address"`
	Data      string     `json:"data"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"To a minute."`
}

// ReplyVerdict is what a reply address is worth.
type ReplyVerdict struct {
	Valid     bool       `json:"valid"`
	Reason    string     `json:"reason,omitempty" doc:"Why not: malformed, forged or expired."`
	Data      string     `json:"data,omitempty" doc:"Of one that was genuine once."`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

func (s *service) registerReplyAddresses() {
	register(s, operation{
		method: http.MethodPost, path: "/reply-addresses", id: "mint-reply-address", tag: tagRouting, scope: access.ScopeWrite, status: http.StatusCreated,
		summary: "Mint a reply address", about: "An application can do it without asking: the algorithm is published.",
	}, s.mintReplyAddress)
	register(s, operation{
		method: http.MethodPost, path: "/reply-address-verdicts", id: "verify-reply-address", tag: tagRouting, scope: access.ScopeRead, summary: "Say what a reply address is worth",
	}, s.verifyReplyAddress)
}

// signing gives the domain that takes mail for a name, and that has keys.
func (s *service) signing(p access.Principal, name, location string) (*storage.KnownDomain, error) {
	d := s.Configuration.Directory()
	taker := d.Explain(inbound.Path{LocalPart: "reply", Domain: name}).Domain
	for _, known := range d.Domains() {
		if known.Name != taker || !p.Sees(known.Account) {
			continue
		}
		if len(known.ReplyKeys) == 0 {
			return nil, invalid(fault(location, "the domain has no reply_keys"))
		}
		return &known, nil
	}
	return nil, invalid(fault(location, "no domain of yours takes mail for it"))
}

func (s *service) mintReplyAddress(_ context.Context, p access.Principal, in *struct {
	Body struct {
		Domain    string     `json:"domain" minLength:"1" maxLength:"255"`
		Local     string     `json:"local,omitempty" maxLength:"64" doc:"What stands in front of the +; left out: reply."`
		Data      string     `json:"data,omitempty" maxLength:"64" doc:"Text to sign into the address."`
		ExpiresAt *time.Time `json:"expires_at,omitempty" nullable:"false" doc:"Left out: never."`
	}
}) (*output[ReplyAddress], error) {
	b := &in.Body
	if b.Local == "" {
		b.Local = "reply"
	}
	box, err := storage.ReplyMailbox(b.Local, b.Domain)
	if err != nil {
		return nil, invalid(fault("body.domain", "is not a domain"))
	}
	domain, err := s.signing(p, box.Domain, "body.domain")
	if err != nil {
		return nil, err
	}
	signs := func(r storage.KnownRoute) bool { return r.Token != storage.TokenIgnored && r.Match == box.Local+"+*" }
	if !slices.ContainsFunc(domain.Routes, signs) {
		return nil, invalid(fault("body.local", "the domain has no route "+box.Local+"+* with a token: mail would not be taken for what it is"))
	}
	said := replyaddr.Token{Data: b.Data}
	if b.ExpiresAt != nil {
		if y := b.ExpiresAt.Year(); y < 1970 || y > 9000 {
			return nil, invalid(fault("body.expires_at", "is out of range"))
		}
		said.Expires = b.ExpiresAt.UTC()
	}
	address, err := replyaddr.Mint(domain.ReplyKeys[0], box, said)
	if err != nil {
		return nil, invalid(fault("body", err.Error()))
	}
	return &output[ReplyAddress]{ReplyAddress{Address: address, Data: b.Data, ExpiresAt: optionalTime(said.Expires)}}, nil
}

func (s *service) verifyReplyAddress(_ context.Context, p access.Principal, in *struct {
	Body struct {
		Address string `json:"address" minLength:"1" maxLength:"400"`
	}
}) (*output[ReplyVerdict], error) {
	path, err := inbound.ParsePath(in.Body.Address, true)
	if err != nil {
		return nil, invalid(fault("body.address", "is not a mail address"))
	}
	local, token, _ := strings.Cut(path.LocalPart, "+")
	box, err := storage.ReplyMailbox(local, path.Domain)
	if err != nil {
		return nil, invalid(fault("body.address", "has no domain"))
	}
	domain, err := s.signing(p, box.Domain, "body.address")
	if err != nil {
		return nil, err
	}
	t := storage.VerifyToken(domain.ReplyKeys, box, token, s.Now())
	return &output[ReplyVerdict]{ReplyVerdict{Valid: t.Valid, Reason: t.Reason, Data: t.Data, ExpiresAt: optionalTime(t.Expires)}}, nil
}
