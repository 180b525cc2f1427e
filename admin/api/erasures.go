package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// Erasure is what was erased.
type Erasure struct {
	Messages    int      `json:"messages"`
	Attachments int      `json:"attachments"`
	Deliveries  int      `json:"deliveries" doc:"That were pending, and are dead now."`
	Warnings    []string `json:"warnings" nullable:"false" doc:"Where something of it may be left, for people."`
}

// NewErasure says what is to be erased: one of both.
type NewErasure struct {
	Message string `json:"message_id,omitempty" maxLength:"100" doc:"One message."`
	Address string `json:"address,omitempty" maxLength:"400" doc:"A mail address: every message of which it is the reverse-path, a forward-path or the address in the From field, and refusals that name it." example:"ann@example.com"`
	Account string `json:"account_id,omitempty" maxLength:"100" doc:"For the operator: in this account alone; left out: in all."`
}

func (s *service) registerErasures() {
	register(s, operation{
		method: http.MethodPost, path: "/erasures", id: "create-erasure", tag: tagMessages, scope: access.ScopeAdmin, summary: "Destroy a message, or all from and to an address, now",
		about: "There is no way back. Keys are destroyed, so that nobody can open raw bytes any more; attachments, envelope, summary and search go with them; what was pending is dead. " +
			"It answers when that is done, which with an address takes a walk over all messages. What did not come to an end can be asked for again.",
	}, s.createErasure)
}

func (s *service) createErasure(ctx context.Context, p access.Principal, in *struct{ Body NewErasure }) (*output[Erasure], error) {
	account, err := accountOf(p, in.Body.Account)
	if err != nil {
		return nil, err
	}
	what := storage.Erasure{Account: account, Message: in.Body.Message, Address: in.Body.Address, Patience: vacuumPatience}
	if (what.Message == "") == (what.Address == "") {
		return nil, invalid(fault("body", "give one of message_id and address"))
	}
	line := s.line(p, account, "message.erase", what.Message, nil, nil)
	if what.Address != "" {
		path, err := inbound.ParsePath(what.Address, true)
		if err != nil || path.Domain == "" {
			return nil, invalid(fault("body.address", "is not a mail address"))
		}
		line = s.line(p, account, "address.erase", AddressMark(what.Address), nil, nil)
	} else {
		m, err := s.Store.Mail(ctx, what.Message)
		if err != nil {
			return nil, err
		}
		if account != "" && m.Account != account {
			return nil, notFound()
		}
		line.Account = m.Account
	}
	// Before it is done: what was erased without a line would never be told.
	if err := s.Store.Audit(ctx, line); err != nil {
		return nil, err
	}
	erased, err := s.Store.Erase(ctx, what)
	if err != nil {
		return nil, err
	}
	return &output[Erasure]{Erasure{
		Messages: erased.Messages, Attachments: erased.Attachments, Deliveries: erased.Deliveries, Warnings: s.leftovers(ctx, &erased),
	}}, nil
}

// AddressMark stands for an address in the audit log, which keeps no address that is to be forgotten: who knows it can tell that it was meant.
func AddressMark(address string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(address)))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// vacuumPatience bounds the wait for what the database does last: nothing depends on it, and a proxy before this server gives up a
// request that is not answered in a minute.
const vacuumPatience = 30 * time.Second

// leftoversPatience bounds the question to a bucket.
const leftoversPatience = 10 * time.Second

// leftovers are where something of what was erased may be left.
func (s *service) leftovers(ctx context.Context, erased *storage.Erased) []string {
	warnings := []string{}
	switch {
	case erased.Messages == 0 || erased.Checkpointed:
	case erased.Vacuumed:
		warnings = append(warnings, "The files and the log of PostgreSQL hold octets of what stood there until others are written over them.")
	default:
		warnings = append(warnings, "The log of the database still holds what stood there; it goes with the next hours of mail. PostgreSQL holds the old rows too, until VACUUM has ended.")
	}
	ctx, cancel := context.WithTimeout(ctx, leftoversPatience)
	defer cancel()
	switch keeps, err := s.Store.KeepsVersions(ctx); {
	case err != nil:
		s.Log.Warn("whether the bucket keeps old versions could not be learnt", "error", err)
		warnings = append(warnings, "Whether the bucket keeps old versions of what is deleted could not be learnt.")
	case keeps:
		warnings = append(warnings, "The bucket keeps old versions: deleted attachments are in them until a lifecycle rule removes noncurrent versions.")
	}
	return warnings
}
