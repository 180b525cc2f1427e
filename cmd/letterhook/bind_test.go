package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

// TestBindUnix: the socket that a killed server left is replaced, one in use and a file that is no socket are not.
func TestBindUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lmtp.sock")
	declared := []config.Listener{{Name: "lmtp", Address: "unix:" + path, Kind: config.KindLMTP}}
	first, err := bindSMTP(declared)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	if _, err := bindSMTP(declared); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a socket in use: %v", err)
	}
	first[0].(*net.UnixListener).SetUnlinkOnClose(false)
	first[0].Close()
	second, err := bindSMTP(declared)
	if err != nil {
		t.Fatalf("a socket that nobody listens on: %v", err)
	}
	second[0].Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}

	if err := os.WriteFile(path, []byte("mail"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bindSMTP(declared); err == nil {
		t.Error("a file was taken for a socket")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mail" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

// TestBindNothingHalf: when one listener cannot be bound the others are let go.
func TestBindNothingHalf(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	_, err = bindSMTP([]config.Listener{{Name: "mx", Address: addr}, {Name: "activated", Address: "systemd:mx"}})
	if err == nil || !strings.Contains(err.Error(), "listening for SMTP on activated: systemd has bound 0 sockets with FileDescriptorName=mx") {
		t.Errorf("without systemd: %v", err)
	}
	again, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the first listener was kept: %v", err)
	}
	again.Close()
}
