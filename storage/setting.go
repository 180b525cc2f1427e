package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// SettingKind says what a [Setting] is of.
type SettingKind string

// The kinds of settings.
const (
	SettingAccount  SettingKind = "account"
	SettingDomain   SettingKind = "domain"
	SettingEndpoint SettingKind = "endpoint"
	SettingRoute    SettingKind = "route"

	SettingSuppression SettingKind = "suppression" // its Name is that of a [Suppression]
)

// SourceAPI is the Source of what a setting declared and not the operator's file.
const SourceAPI = "api"

// Setting is an account, a domain, an endpoint or a route that came by the API. What it says is for whoever makes a [Declaration] of
// it; it holds secrets, and is sealed with the instance key on disk.
type Setting struct {
	// ID is that of the account, endpoint or route itself, whether it was known before or not. A domain has one of its own, "dom_" and
	// a ULID, for several accounts may ask for the same domain.
	ID        string
	Kind      SettingKind
	Account   string // id; of an account its own
	Name      string // within its kind and account; of a route: its domain, a space and its match
	Position  int64  // order among its kind
	Revision  int64  // of the configuration that changed it last
	CreatedAt time.Time
	UpdatedAt time.Time
	Body      []byte // JSON
}

// Configuration is everything that came by the API, at one moment.
type Configuration struct {
	Revision int64 // raised by every change
	Settings []Setting
}

// SettingChange is one change of the configuration. Exactly one of Put and Delete is given.
type SettingChange struct {
	// Put makes a setting, or with the id of one that is there changes its position and body. The store fills in an ID that is empty, the
	// times and the revision.
	Put    *Setting
	Delete string // id
	Line   AuditLine
}

// ConfigurationRevision is cheap: who asks every now and then whether something has changed reads it. On a database that nodes share it
// learns in the same statement whether another of them has readers, see [Store.FollowAll]: a server asks at least once a second.
func (s *Store) ConfigurationRevision(ctx context.Context) (revision int64, err error) {
	id := ""
	if s.feed.relay != nil {
		id = s.feed.relay.self()
	}
	if id == "" {
		err = s.read.QueryRowContext(ctx, "SELECT revision FROM configuration").Scan(&revision)
	} else {
		asked := 0
		err = s.read.QueryRowContext(ctx, "SELECT revision, "+isFollowed+" FROM configuration", id).Scan(&revision, &asked)
		if err == nil {
			s.feed.relay.learn(asked > 0)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("read the revision of the configuration: %w", err)
	}
	return revision, nil
}

// Configuration reads everything that came by the API, in the order of kinds and positions.
func (s *Store) Configuration(ctx context.Context) (c Configuration, err error) {
	// Read before the settings: what changes meanwhile is read once more then.
	if c.Revision, err = s.ConfigurationRevision(ctx); err != nil {
		return c, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, kind, account, name, position, revision, created_at, updated_at, key, body
		FROM setting ORDER BY kind, position, id`)
	if err != nil {
		return c, fmt.Errorf("read the configuration: %w", err)
	}
	err = each(rows, func() error {
		var t Setting
		var created, updated int64
		var key, sealed []byte
		if err := rows.Scan(&t.ID, &t.Kind, &t.Account, &t.Name, &t.Position, &t.Revision, &created, &updated, &key, &sealed); err != nil {
			return err
		}
		t.CreatedAt, t.UpdatedAt = unmilli(created), unmilli(updated)
		if t.Body, err = s.unsealBody(t.ID, key, sealed); err != nil {
			return fmt.Errorf("%s %s: %w", t.Kind, t.ID, err)
		}
		c.Settings = append(c.Settings, t)
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("read the configuration: %w", err)
	}
	return c, nil
}

// sealBody seals what only we read again under a key of its own, which is wrapped for a row.
func (s *Store) sealBody(id string, body []byte) (key, sealed []byte, err error) {
	k := newMessageKey()
	key, err = wrapKey(s.cfg.Keys, id, k)
	return key, seal(k, body), err
}

func (s *Store) unsealBody(id string, key, sealed []byte) ([]byte, error) {
	k, err := unwrapKey(s.cfg.Keys, id, key)
	if err != nil {
		return nil, err
	}
	return unseal(k, sealed)
}

// ChangeConfiguration makes changes durable, all or none, with their lines in the audit log, and gives the new revision. They were made
// for a configuration of the revision seen: one that has changed since gives an error that Is [ErrStale]. Ids of new settings are
// filled in. A name that is taken gives one that Is [ErrTaken].
func (s *Store) ChangeConfiguration(ctx context.Context, seen int64, changes []SettingChange) (revision int64, err error) {
	fresh := make([]bool, len(changes))
	for i := range changes {
		fresh[i] = changes[i].Put != nil && changes[i].Put.ID == ""
	}
	err = s.do(ctx, func(w *writer) error {
		now, err := w.queryInt("SELECT revision FROM configuration")
		if err != nil {
			return err
		}
		if now != seen {
			return ErrStale
		}
		revision = now + 1
		for i := range changes {
			c := &changes[i]
			if fresh[i] {
				c.Put.ID = "" // it may be run again
			}
			if c.Put != nil {
				err = s.putSetting(w, c.Put, revision)
				c.Line.Object = c.Put.ID
			} else {
				err = deleteSetting(w, c.Delete)
			}
			if err == nil {
				err = s.audit(w, c.Line)
			}
			if err != nil {
				return err
			}
		}
		_, err = w.exec("UPDATE configuration SET revision = ?", revision)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("change the configuration: %w", err)
	}
	return revision, nil
}

func deleteSetting(w *writer, id string) error {
	n, err := w.exec("DELETE FROM setting WHERE id = ?", id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

func (s *Store) putSetting(w *writer, t *Setting, revision int64) error {
	now := s.cfg.Now()
	made := t.ID == ""
	if made {
		if err := s.nameSetting(w, t); err != nil {
			return err
		}
		t.CreatedAt = now
	}
	t.UpdatedAt, t.Revision = now, revision
	key, sealed, err := s.sealBody(t.ID, t.Body)
	if err != nil {
		return err
	}
	if !made {
		n, err := w.exec("UPDATE setting SET position = ?, revision = ?, updated_at = ?, key = ?, body = ? WHERE id = ?",
			t.Position, revision, now.UnixMilli(), key, sealed, t.ID)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	}
	_, err = w.exec(`INSERT INTO setting (id, kind, account, name, position, revision, created_at, updated_at, key, body) VALUES (?,?,?,?,?,?,?,?,?,?)`,
		t.ID, string(t.Kind), t.Account, t.Name, t.Position, revision, now.UnixMilli(), now.UnixMilli(), key, sealed)
	return err
}

// nameSetting gives a new setting its id: that of what it declares, where that was known before.
func (s *Store) nameSetting(w *writer, t *Setting) (err error) {
	taken, err := w.queryInt("SELECT count(*) FROM setting WHERE kind = ? AND name = ? AND (account = ? OR kind = 'account')",
		string(t.Kind), t.Name, t.Account)
	if err != nil {
		return err
	}
	if taken > 0 {
		return ErrTaken
	}
	a := applying{store: s, w: w}
	switch t.Kind {
	case SettingAccount:
		t.ID, err = a.known(accountPrefix, "SELECT id FROM account WHERE name = ?", "INSERT INTO account (id, name, declared) VALUES (?,?,0)", t.Name)
		t.Account = t.ID
	case SettingEndpoint:
		t.ID, err = a.known(endpointPrefix, "SELECT id FROM endpoint WHERE account = ? AND name = ?",
			"INSERT INTO endpoint (id, account, name, declared) VALUES (?,?,?,0)", t.Account, t.Name)
	case SettingRoute:
		t.ID, err = s.nameRoute(&a, t)
	case SettingDomain:
		t.ID = newID(domainPrefix, s.cfg.Now())
	case SettingSuppression:
		t.ID = newID(suppressionPrefix, s.cfg.Now())
	default:
		err = errors.New("there is no such kind of setting")
	}
	return err
}

// nameRoute finds the route, whose domain and match are those of its name.
func (s *Store) nameRoute(a *applying, t *Setting) (string, error) {
	domain, text, ok := cutRouteName(t.Name)
	if !ok {
		return "", fmt.Errorf("%q names no route", t.Name)
	}
	m, err := parseMatch(text)
	if err != nil {
		return "", err
	}
	return a.known(routePrefix, "SELECT id FROM route WHERE domain = ? AND match = ?",
		"INSERT INTO route (id, domain, match, declared) VALUES (?,?,?,0)", domain, m.text)
}

// ErrTaken says that there is something of that name already.
var ErrTaken = errors.New("the name is taken")

// RouteName is the Name of the setting of a route, the same for all spellings of its domain and match.
func RouteName(domain, match string) (string, error) {
	name, err := normalDomain(domain)
	if err != nil {
		return "", err
	}
	m, err := parseMatch(match)
	if err != nil {
		return "", err
	}
	return name + " " + m.text, nil
}

// DomainName is the form in which domains are compared: lower-case A-labels (RFC 5890), with "*." in front for all below it.
func DomainName(domain string) (string, error) { return normalDomain(domain) }

func cutRouteName(name string) (domain, match string, ok bool) { return strings.Cut(name, " ") }
