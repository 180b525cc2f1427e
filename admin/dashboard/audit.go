package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// note has the delivery heed what somebody changed, and writes it into the audit log. became is shown as JSON and holds no secret; nil: it is gone, or there is
// nothing to tell.
func (d *dashboard) note(r *http.Request, v *access.Principal, account, action, object string, became any) error {
	d.Wake()
	text := ""
	if became != nil {
		b, err := json.Marshal(became)
		if err != nil {
			return fmt.Errorf("noting %s: %w", action, err)
		}
		text = string(b)
	}
	return d.Store.Audit(r.Context(), storage.AuditLine{
		Account: account, Actor: v.Key, Name: v.Name, Address: v.Address, Action: action, Object: object, Became: text,
	})
}
