package config

import (
	"os"
	"strings"

	"github.com/letterhook/letterhook/storage"
)

// DatabaseURL is the URL of a PostgreSQL database. It mostly holds a password.
type DatabaseURL string

// String hides what must not be shown.
func (u DatabaseURL) String() string {
	if u == "" {
		return ""
	}
	return "postgres://(hidden)"
}

// GoString hides it too.
func (u DatabaseURL) GoString() string { return u.String() }

// completeDatabase puts the URL in a file in the place of the one in the configuration.
func (c *Config) completeDatabase(f *faults) {
	s := &c.Storage
	if s.DatabaseFile == "" {
		return
	}
	const key = "storage.database_file"
	if s.Database != "" {
		f.addf(c.at(f, key), key, "database is given too; give one of the two")
		return
	}
	text, err := os.ReadFile(s.DatabaseFile)
	if err != nil {
		f.addf(c.at(f, key), key, "%v", err)
		return
	}
	if s.Database = DatabaseURL(strings.TrimSpace(string(text))); s.Database == "" {
		f.addf(c.at(f, key), key, "%s holds no URL", s.DatabaseFile)
	}
}

func (v *validator) database() {
	s := &v.Storage
	v.between("storage.database_connections", int64(s.DatabaseConnections), 1, 1000)
	if s.Database == "" {
		return
	}
	key := "storage.database"
	if s.DatabaseFile != "" {
		key = "storage.database_file"
	}
	warning, err := storage.CheckDatabaseURL(string(s.Database))
	if err != nil {
		v.faultf(key, "%v", err)
		return
	}
	if warning != "" {
		v.Warnings = append(v.Warnings, key+": "+warning)
	}
}
