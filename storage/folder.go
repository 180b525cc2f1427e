package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeFolder makes a folder for the owner alone, with every parent that is missing. When it returns, the names of all that
// it made are on disk: what is later synced within cannot be lost with a name above it.
func MakeFolder(path string) error {
	path, err := filepath.Abs(path)
	if err == nil {
		err = makeFolder(path, syncFolder)
	}
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	return nil
}

// makeFolder makes an absolute path, and syncs those folders that got a new entry by it.
func makeFolder(path string, sync func(path string) error) error {
	old := path // the lowest folder that exists
	for {
		_, err := os.Stat(old)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		old = filepath.Dir(old)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	for path != old {
		path = filepath.Dir(path)
		if err := sync(path); err != nil {
			return err
		}
	}
	return nil
}

// makeFile makes an empty file for the owner alone, unless it is there. SQLite would let everybody read the one that it
// makes; the files beside a database get its permissions.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
