package dashboard

import (
	"net/http"
	"net/url"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// secretLine is a signing secret as the list shows it: what it signs with is not part of it, save for a public key.
type secretLine struct {
	ID        string
	Kind      string
	CreatedAt time.Time
	Until     time.Time
	PublicKey string
}

// madeSecret is a secret that was made just now.
type madeSecret struct {
	Text    string
	Public  bool
	Overlap string
	First   bool // there was none before
}

// overlaps are how long the secrets before a new one may go on signing.
var overlaps = map[string]time.Duration{"0": 0, "1h": time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour}

func (d *dashboard) secretsOf(r *http.Request, p *endpointPage) error {
	all, err := d.Store.Secrets(r.Context())
	if err != nil {
		return err
	}
	for i := range all[p.ID] {
		s := &all[p.ID][i]
		line := secretLine{ID: s.ID, Kind: "HMAC-SHA256", CreatedAt: s.CreatedAt, Until: s.Until}
		if s.Kind == storage.SecretEd25519 {
			line.Kind, line.PublicKey = "ed25519", dispatch.FormatPublicKey(s)
		}
		p.Secrets = append(p.Secrets, line)
	}
	return nil
}

// rotateSecret makes a new secret and shows it, this once. The page is the answer to the form and not one to come back to.
func (d *dashboard) rotateSecret(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	p, err := d.mayChange(r, v)
	if err != nil {
		return err
	}
	overlap, ok := overlaps[r.PostFormValue("overlap")]
	if !ok {
		return badInput("Choose how long the old secret goes on signing.")
	}
	kind := storage.SecretHMAC
	if r.PostFormValue("kind") == string(storage.SecretEd25519) {
		kind = storage.SecretEd25519
	}
	var made api.NewSecret
	in := map[string]any{"kind": kind, "overlap_seconds": int(overlap.Seconds())}
	if err := d.ask(r, http.MethodPost, "/endpoints/"+url.PathEscape(p.ID)+"/secrets", in, &made); err != nil {
		return err
	}
	return d.showEndpoint(w, r, v, func(p *endpointPage) error {
		p.Made = &madeSecret{Text: made.Value, Overlap: overlap.String()}
		if kind == storage.SecretEd25519 {
			p.Made.Text, p.Made.Public = made.PublicKey, true
		}
		return nil
	})
}
