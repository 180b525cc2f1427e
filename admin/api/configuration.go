package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// Configuration is how the API reaches what decides about accounts, domains, endpoints and routes: the operator's file and what came by
// the API, merged.
type Configuration struct {
	// Directory is the current snapshot.
	Directory func() *storage.Directory
	// Check says what of the settings would not hold, by their ids. It changes nothing.
	Check func(context.Context, []storage.Setting) (map[string][]problem.Fault, error)
	// Reload makes what the store holds the current snapshot, before it returns.
	Reload func(context.Context) error
}

// newSetting is the id of a setting that has none yet, while it is checked.
const newSetting = "new"

// change makes one change of the configuration. edit says what, from what there is; it may be called again when somebody else was
// faster. A change that does not hold, or that would break something else, changes nothing.
func (s *service) change(ctx context.Context, edit func(*storage.Configuration) (storage.SettingChange, error)) error {
	const tries = 8
	for range tries {
		c, err := s.Store.Configuration(ctx)
		if err != nil {
			return err
		}
		change, err := edit(&c)
		if err != nil {
			return err
		}
		if t := change.Put; t != nil && t.ID == "" {
			if err := s.taken(ctx, &c, t); err != nil {
				return err
			}
		}
		if err := s.holds(ctx, c.Settings, &change); err != nil {
			return err
		}
		_, err = s.Store.ChangeConfiguration(ctx, c.Revision, []storage.SettingChange{change})
		switch {
		case errors.Is(err, storage.ErrStale):
			continue
		case errors.Is(err, storage.ErrTaken):
			return errTaken(change.Put)
		case err != nil:
			return err
		}
		return s.Configuration.Reload(ctx)
	}
	return tooFast()
}

func tooFast() error {
	return problem.New(http.StatusServiceUnavailable, "The configuration changes too fast. Try again.")
}

// holds says what would be wrong after a change that was not before.
func (s *service) holds(ctx context.Context, before []storage.Setting, change *storage.SettingChange) error {
	after := slices.Clone(before)
	own := newSetting
	if t := change.Put; t != nil && t.ID == "" {
		added := *t
		added.ID = newSetting
		after = append(after, added)
	} else {
		if own = change.Delete; t != nil {
			own = t.ID
		}
		i := slices.IndexFunc(after, func(other storage.Setting) bool { return other.ID == own })
		switch {
		case i < 0:
			return notFound()
		case t != nil:
			after[i] = *t
		default:
			after = slices.Delete(after, i, i+1)
		}
	}
	faults, err := s.Configuration.Check(ctx, after)
	if err != nil || len(faults) == 0 {
		return err
	}
	if mine := faults[own]; len(mine) > 0 {
		for i := range mine {
			mine[i].Location = bodyLocation(mine[i].Location)
		}
		return invalid(mine...)
	}
	known, err := s.Configuration.Check(ctx, before)
	if err != nil {
		return err
	}
	for _, t := range after {
		if broken := faults[t.ID]; len(broken) > 0 && len(known[t.ID]) == 0 {
			return problem.New(http.StatusConflict, fmt.Sprintf("The %s %q needs it: %s. Change that first.", t.Kind, t.Name, broken[0].Message))
		}
	}
	return nil
}

func bodyLocation(key string) string {
	if key == "" {
		return "body"
	}
	return "body." + key
}

// taken answers a name that something of the kind has already; nil: none has.
func (s *service) taken(ctx context.Context, c *storage.Configuration, t *storage.Setting) error {
	for i := range c.Settings {
		other := &c.Settings[i]
		if other.Kind == t.Kind && other.Name == t.Name && other.Account == t.Account {
			return errTaken(t)
		}
	}
	switch t.Kind {
	case storage.SettingAccount:
		known, err := s.Store.KnownAccounts(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(known, func(a storage.KnownAccount) bool { return a.Declared && a.Name == t.Name }) {
			return errTaken(t)
		}
	case storage.SettingEndpoint:
		for _, e := range s.Configuration.Directory().Endpoints {
			if e.Account == t.Account && e.Name == t.Name && !e.Disabled {
				return problem.New(http.StatusConflict, "The name is taken: it is declared in "+e.Source+".")
			}
		}
	case storage.SettingDomain:
		for _, d := range s.Configuration.Directory().Domains() {
			if d.Name == t.Name && d.Source != "" {
				return errTaken(t)
			}
		}
	case storage.SettingRoute:
		for _, d := range s.Configuration.Directory().Domains() {
			for _, r := range d.Routes {
				if d.Name+" "+r.Match == t.Name {
					return errTaken(t)
				}
			}
		}
	}
	return nil
}

func errTaken(t *storage.Setting) error {
	if t != nil && t.Kind == storage.SettingSuppression {
		return problem.New(http.StatusConflict, "That is suppressed already. To change it, remove it first.")
	}
	return problem.New(http.StatusConflict, "The name is taken.")
}

// find gives a setting that the principal may see.
func find(c *storage.Configuration, p access.Principal, kind storage.SettingKind, id string) *storage.Setting {
	for i := range c.Settings {
		if t := &c.Settings[i]; t.Kind == kind && t.ID == id && p.Sees(t.Account) {
			return t
		}
	}
	return nil
}

// declaredByFile answers a change of what the operator's file says.
func declaredByFile(what, source string) error {
	return problem.New(http.StatusConflict, fmt.Sprintf("This %s is declared in %s, so it can only be changed there.", what, source))
}

// ETagged is the part of an answer that a change may refer to.
type ETagged struct {
	ETag string `header:"ETag" doc:"Send it as If-Match with a change, which is then refused if somebody else was faster."`
}

// IfMatch is the part of a request that guards against changes by others.
type IfMatch struct {
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The ETag of what the change is meant for. Another one is answered 412."`
}

// tag is the entity tag of a setting.
func tag(t *storage.Setting) string { return fmt.Sprintf(`"%s.%d"`, t.ID, t.Revision) }

// fileTag is the entity tag of something that the file declares; it is never changed here.
func fileTag(id string) string { return fmt.Sprintf(`"%s.file"`, id) }

// check compares with the setting as it stands.
func (m *IfMatch) check(t *storage.Setting) error {
	if m.IfMatch == "" || m.IfMatch == "*" || m.IfMatch == tag(t) {
		return nil
	}
	return problem.New(http.StatusPreconditionFailed, "Somebody has changed it since. Read it again.")
}

// body writes settings as they are stored.
func body(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // only what was read from JSON comes here
	}
	return text
}

// unbody reads settings as they are stored.
func unbody[T any](t *storage.Setting) (v T, err error) {
	if err := json.Unmarshal(t.Body, &v); err != nil {
		return v, fmt.Errorf("setting %s: %w", t.ID, err)
	}
	return v, nil
}

// patched applies a merge patch (RFC 7396) to settings.
func patched[T any](old T, patch map[string]any) (merged T, err error) {
	var values map[string]any
	if err := json.Unmarshal(body(old), &values); err != nil {
		return merged, err
	}
	text := body(mergePatch(values, patch))
	if err := json.Unmarshal(text, &merged); err != nil {
		return merged, invalid(fault("body", "a value has the wrong type"))
	}
	return merged, nil
}

func mergePatch(target, patch map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for name, value := range patch {
		switch section, ok := value.(map[string]any); {
		case value == nil:
			delete(target, name)
		case ok:
			inner, _ := target[name].(map[string]any)
			target[name] = mergePatch(inner, section)
		default:
			target[name] = value
		}
	}
	return target
}
