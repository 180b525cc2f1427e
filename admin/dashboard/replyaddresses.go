package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/storage"
)

// mintable are the local parts of a domain that reply addresses can be minted for here. Those of a wildcard need a name first.
func mintable(known *storage.KnownDomain) (locals []string) {
	if len(known.ReplyKeys) == 0 || strings.HasPrefix(known.Name, "*") {
		return nil
	}
	for _, route := range known.Routes {
		if local, ok := strings.CutSuffix(route.Match, "+*"); ok && route.Token != storage.TokenIgnored && !slices.Contains(locals, local) {
			locals = append(locals, local)
		}
	}
	return locals
}

// mintReplyAddress makes a reply address and shows it on the page of its domain.
func (d *dashboard) mintReplyAddress(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	expires, err := behindDay(r.PostFormValue("expires"))
	if err != nil {
		return err
	}
	in := map[string]any{"domain": r.PathValue("name"), "local": r.PostFormValue("local"), "data": strings.TrimSpace(r.PostFormValue("data"))}
	if expires != nil {
		in["expires_at"] = expires
	}
	var made api.ReplyAddress
	if err := d.ask(r, http.MethodPost, "/reply-addresses", in, &made); err != nil {
		return err
	}
	return d.showDomain(w, r, v, func(p *domainPage) { p.Minted = &made })
}
