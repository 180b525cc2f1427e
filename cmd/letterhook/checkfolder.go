package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/storage"
)

// whoElse warns of others than its owner who can change what is in a data folder, or read the database. The server gives nobody else
// anything and asks nobody, so that it starts where a container's volume is open to all; a restore by hand may have opened it.
func whoElse(c *config.Config) (warnings []string) {
	info, err := os.Stat(c.DataDir)
	if err != nil {
		return nil // the first start makes it
	}
	perm := info.Mode().Perm()
	if perm&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		warnings = append(warnings, fmt.Sprintf("data_dir: %s has mode %04o, so others than its owner can take files away or put others in their place: chmod 700 it", c.DataDir, perm))
	}
	if perm&0o011 == 0 || c.Storage.Database != "" {
		return warnings
	}
	database := filepath.Join(c.DataDir, storage.DatabaseName)
	if info, err = os.Stat(database); err == nil && info.Mode().Perm()&0o077 != 0 {
		warnings = append(warnings, fmt.Sprintf("data_dir: %s has mode %04o, so others than its owner can use it: chmod 600 it", database, info.Mode().Perm()))
	}
	return warnings
}
