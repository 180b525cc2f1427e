package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Role is a part of what a server does. Nodes that share a database may divide them.
type Role string

// The roles of a node.
const (
	RoleSMTP     Role = "smtp"     // takes mail
	RoleDispatch Role = "dispatch" // makes attempts, and keeps house
	RoleAdmin    Role = "admin"    // serves the public HTTP listener: links, API, dashboard
)

// Has says whether the node has the role. Without any named it has all.
func (c *Config) Has(role Role) bool { return len(c.Roles) == 0 || slices.Contains(c.Roles, role) }

// ParseRoles reads a list of roles with commas between them.
func ParseRoles(text string) ([]Role, error) {
	var roles []Role
	for word := range strings.SplitSeq(text, ",") {
		role := Role(strings.TrimSpace(word))
		if err := role.check(); err != nil {
			return nil, err
		}
		roles = append(roles, role)
	}
	return roles, nil
}

func (r Role) check() error {
	switch r {
	case RoleSMTP, RoleDispatch, RoleAdmin:
		return nil
	}
	return fmt.Errorf("%q is none of smtp, dispatch, admin", string(r))
}

// Divided says what keeps a node from having some of the roles only: the others must reach the rows and the raw messages. It is nil
// where nothing does, or the node has all roles.
func (c *Config) Divided() error {
	all := c.Has(RoleSMTP) && c.Has(RoleDispatch) && c.Has(RoleAdmin)
	switch {
	case all:
		return nil
	case c.Storage.Database == "" && c.Storage.DatabaseFile == "":
		return errors.New("without a database that nodes share (storage.database) one node has all of them")
	case c.Storage.Blobs != BlobsS3 || !c.Storage.PacksInBlobs:
		return errors.New("other nodes cannot read raw messages in data_dir: storage.blobs must be s3, with packs_in_blobs")
	}
	return nil
}

func (v *validator) roles() {
	if err := v.Divided(); err != nil {
		v.faultf("roles", "%v", err)
	}
	seen := map[Role]bool{}
	for i, r := range v.Roles {
		key := fmt.Sprintf("roles[%d]", i)
		if err := r.check(); err != nil {
			v.faultf(key, "%v", err)
		} else if seen[r] {
			v.faultf(key, "stands twice")
		}
		seen[r] = true
	}
}
