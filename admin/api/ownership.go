package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// Ownership says whether it is proved that the domain belongs to whoever asks for mail to it.
type Ownership struct {
	State  string     `json:"state" enum:"proved,pending,not_needed" doc:"Mail is taken unless it is pending."`
	Record *TXTRecord `json:"record,omitempty" doc:"What to publish as a proof, while it is pending or was not found again."`
	At     *time.Time `json:"proved_at,omitempty"`
	LostAt *time.Time `json:"lost_at,omitempty" doc:"When the proof was first missed in DNS, which is looked at several times a day; left out: it was there."`
	Until  *time.Time `json:"until,omitempty" doc:"When it is pending again, unless the proof comes back."`
}

// TXTRecord is a record for the zone of a domain.
type TXTRecord struct {
	Name  string `json:"name"`
	Type  string `json:"type" enum:"TXT"`
	Value string `json:"value"`
}

// proofLabel is where the record of a proof stands below the domain.
const proofLabel = "_letterhook."

func (d *storedDomain) ownership(name string) Ownership {
	switch {
	case d.Proof == "":
		return Ownership{State: "not_needed"}
	case d.proved() && d.LostAt.IsZero():
		return Ownership{State: "proved", At: optionalTime(d.ProvedAt)}
	}
	o := Ownership{State: "pending", Record: &TXTRecord{Name: proofName(name), Type: "TXT", Value: d.Proof}}
	if d.proved() {
		o.State, o.At, o.LostAt, o.Until = "proved", optionalTime(d.ProvedAt), optionalTime(d.LostAt), optionalTime(d.LostAt.Add(ProofGrace))
	}
	return o
}

func proofName(name string) string { return proofLabel + strings.TrimPrefix(name, "*.") }

// token makes 160 random bits as a word.
func token() string {
	var b [20]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (s *service) verifyDomain(ctx context.Context, p access.Principal, in *DomainPath) (*domainOutput, error) {
	shown, t, err := s.domain(ctx, p, in.Domain)
	if err != nil {
		return nil, err
	}
	if shown.Ownership.Record == nil {
		return &domainOutput{ETagged{etagOf(t, shown.ID)}, *shown}, nil // there is nothing to prove
	}
	record := shown.Ownership.Record
	for _, d := range s.Configuration.Directory().Domains() {
		if d.Name == shown.Name && d.Source != "" && shown.Ownership.State == "pending" {
			return nil, problem.New(http.StatusConflict, "Mail for this domain goes to somebody else already.")
		}
	}
	found, err := s.LookupTXT(ctx, record.Name)
	if err != nil {
		s.Log.Info("a proof of a domain could not be looked up", "domain", shown.Name, "error", err)
		return nil, problem.New(http.StatusConflict, fmt.Sprintf("DNS gave no answer about %s. Try again later.", record.Name))
	}
	if !slices.Contains(found, record.Value) {
		return nil, problem.New(http.StatusConflict, fmt.Sprintf("%s has no TXT record %q yet.", record.Name, record.Value))
	}
	id, err := s.editDomain(ctx, p, shown.ID, &IfMatch{}, func(t *storage.Setting, d *storedDomain) (storage.SettingChange, error) {
		d.ProvedAt, d.LostAt = s.Now(), time.Time{}
		t.Body = body(d)
		return storage.SettingChange{Put: t, Line: s.lineOf(p, t, "domain.verify", nil, namedDomain{t.Name, d.Settings.shown()})}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.getDomain(ctx, p, &DomainPath{id})
}
