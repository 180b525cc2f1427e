package storage

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// KeySize is the number of octets of an instance key and of a link key.
const KeySize = 32

// maxKeyFile bounds what is read of a file that may not be a key file at all.
const maxKeyFile = 64 << 10

// ReadKeys reads a key file: one key of [KeySize] octets per line in base64 (as "openssl rand -base64 32" prints it);
// empty lines and those that begin with "#" are skipped. The first key is the newest: it makes, all of them prove. A file
// that anyone but its owner can read or write is refused, save that a group may read one of root's: so orchestrators give secrets to
// a process that is not root.
func ReadKeys(path string) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read keys: %s is no regular file", path)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 && !lent(info, os.Geteuid()) {
		return nil, fmt.Errorf("read keys: %s has mode %04o, so others than its owner can use it: chmod 600 it", path, perm)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	keys, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("read keys: %s: %w", path, err)
	}
	return keys, nil
}

// parseKeys never puts a part of a key into an error.
func parseKeys(text []byte) ([][]byte, error) {
	var keys [][]byte
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(string(line))
		if err != nil {
			return nil, fmt.Errorf("line %d is not base64", n)
		}
		if len(key) != KeySize {
			return nil, fmt.Errorf("line %d has a key of %d octets, not %d", n, len(key), KeySize)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	return keys, nil
}

// lent says whether a file is root's, who is not we, and nobody but its group may do more than nothing, and that is to read.
func lent(info fs.FileInfo, user int) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && owner.Uid == 0 && user != 0 && info.Mode().Perm()&0o037 == 0
}

// EnsureKeys is ReadKeys for a file in the data folder: it is made with one new key and mode 0600 when it is absent. When
// EnsureKeys returns, the file and its name are on disk, so nothing is ever sealed or signed with a key that a power cut
// takes back. Two processes that start at once get the same keys.
func EnsureKeys(path string) ([][]byte, error) {
	keys, err := ReadKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKeys(path); err != nil {
			return nil, fmt.Errorf("make keys: %w", err)
		}
		keys, err = ReadKeys(path)
	}
	if err != nil {
		return nil, err
	}
	// Also when the file was there: the process that is making it may not have come to this yet.
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("make keys durable: %w", err)
	}
	return keys, nil
}

// makeKeys makes a file with one new key.
func makeKeys(path string) error {
	key := make([]byte, KeySize)
	rand.Read(key)
	return writeKeys(path, [][]byte{key})
}

// writeKeys writes the file under another name first and links it, which fails when the name is taken: no key is ever
// written over, and none is read half written.
func writeKeys(path string, keys [][]byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".keys-") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	text := []byte("# Keys of Letterhook, the newest first. What was made with a key is lost with it.\n")
	for _, key := range keys {
		text = append(base64.StdEncoding.AppendEncode(text, key), '\n')
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// KeepKeys makes sure that the file at path has all of the keys: it is made with them when it is absent, and one that lacks a key is an
// error and stays as it is.
func KeepKeys(path string, keys [][]byte) error {
	there, err := ReadKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := writeKeys(path, keys); err != nil {
			return fmt.Errorf("keep keys: %w", err)
		}
		there, err = ReadKeys(path)
	}
	if err != nil {
		return err
	}
	if !HasKeys(there, keys) {
		return fmt.Errorf("keep keys: %s lacks a key that is needed: add its line to the file, behind those that are there", path)
	}
	return syncFolder(filepath.Dir(path))
}

// HasKeys says whether every one of the keys is among others.
func HasKeys(others, keys [][]byte) bool {
	for _, key := range keys {
		if !slices.ContainsFunc(others, func(k []byte) bool { return bytes.Equal(k, key) }) {
			return false
		}
	}
	return true
}
