package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
	missing, err := MissingFolders(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	for _, made := range missing {
		if err := sync(filepath.Dir(made)); err != nil {
			return err
		}
	}
	return nil
}

// MissingFolders are those that [MakeFolder] would make for a path, the lowest first.
func MissingFolders(path string) (missing []string, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	for {
		_, err := os.Stat(path)
		if err == nil {
			return missing, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		missing, path = append(missing, path), filepath.Dir(path)
	}
}

// RemoveUnused removes folders of which the first was to be a data folder, the others those above it, when no store came to lie there: nothing
// is in it but folders that are empty, and its lock, which nobody has.
func RemoveUnused(made []string) error {
	if len(made) == 0 {
		return nil
	}
	var inside []string
	used := false
	err := filepath.WalkDir(made[0], func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != made[0]:
			inside = append(inside, path)
		case !entry.IsDir() && path != filepath.Join(made[0], lockName):
			used = true
			return fs.SkipAll
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) || used {
		return nil
	}
	if err != nil {
		return err
	}
	lock, err := lockFolder(made[0]) // whoever waits for it finds no folder to make a file in
	if errors.Is(err, ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	slices.Reverse(inside)
	for _, path := range slices.Concat(inside, []string{lock.Name()}, made) {
		if err := os.Remove(path); err != nil {
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
