package config

import (
	"slices"
	"testing"
)

func TestRoles(t *testing.T) {
	for text, want := range map[string][]Role{
		"smtp":                {RoleSMTP},
		"smtp, dispatch":      {RoleSMTP, RoleDispatch},
		"admin,dispatch,smtp": {RoleAdmin, RoleDispatch, RoleSMTP},
		"smtp,web":            nil, "": nil, ",": nil,
	} {
		roles, err := ParseRoles(text)
		if (err == nil) != (want != nil) || !slices.Equal(roles, want) {
			t.Errorf("%q: %v, %v", text, roles, err)
		}
	}
	for _, role := range []Role{RoleSMTP, RoleDispatch, RoleAdmin} {
		if c := (&Config{}); !c.Has(role) {
			t.Errorf("a node without roles lacks %s", role)
		}
		if c := (&Config{Roles: []Role{RoleSMTP}}); c.Has(role) != (role == RoleSMTP) {
			t.Errorf("a node for mail has %s: %t", role, c.Has(role))
		}
	}
}

func TestDividedRolesNeedWhatNodesShare(t *testing.T) {
	for _, c := range []struct {
		roles   []Role
		storage Storage
		fine    bool
	}{
		{nil, Storage{}, true},
		{[]Role{RoleAdmin, RoleSMTP, RoleDispatch}, Storage{}, true},
		{[]Role{RoleSMTP}, Storage{Blobs: BlobsS3, PacksInBlobs: true}, false},
		{[]Role{RoleSMTP}, Storage{Database: "postgres://db", Blobs: BlobsFolder}, false},
		{[]Role{RoleSMTP}, Storage{Database: "postgres://db", Blobs: BlobsS3}, false},
		{[]Role{RoleSMTP}, Storage{Database: "postgres://db", Blobs: BlobsS3, PacksInBlobs: true}, true},
		{[]Role{RoleDispatch, RoleAdmin}, Storage{DatabaseFile: "/run/db", Blobs: BlobsS3, PacksInBlobs: true}, true},
	} {
		if err := (&Config{Roles: c.roles, Storage: c.storage}).Divided(); (err == nil) != c.fine {
			t.Errorf("%v with %+v: %v", c.roles, c.storage, err)
		}
	}
}
