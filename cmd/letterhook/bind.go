package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/inbound"
)

// bindSMTP binds the listeners of the configuration, in its order, or takes those that systemd has bound: these outlive a
// restart, so that a peer who comes meanwhile waits instead of being refused.
func bindSMTP(declared []config.Listener) (_ []net.Listener, err error) {
	var bound []net.Listener
	defer func() {
		if err != nil {
			for _, l := range bound {
				l.Close()
			}
		}
	}()
	handed, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("taking the sockets of systemd: %w", err)
	}
	for i := range declared {
		l, err := bind(&declared[i], handed)
		if err != nil {
			return nil, fmt.Errorf("listening for SMTP on %s: %w", declared[i].Name, err)
		}
		bound = append(bound, l)
	}
	return bound, nil
}

// bind binds one listener.
func bind(l *config.Listener, handed map[string][]net.Listener) (net.Listener, error) {
	if name := l.Systemd(); name != "" {
		if n := len(handed[name]); n != 1 {
			return nil, fmt.Errorf("systemd has bound %d sockets with FileDescriptorName=%s, and one is wanted", n, name)
		}
		return handed[name][0], nil
	}
	if path := l.Unix(); path != "" {
		return bindUnix(path)
	}
	return net.Listen("tcp", l.Address)
}

// bindUnix binds a unix socket that every user may connect to: who may reach it is for its folder to say. The socket of a
// server that was killed is removed first, one that somebody listens on is not.
func bindUnix(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("%s: %w", path, syscall.EADDRINUSE)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("removing a socket that nobody listens on: %w", err)
			}
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("letting others connect: %w", err)
	}
	return l, nil
}

// smtpListener is a listener of the configuration as inbound calls it.
func smtpListener(declared *config.Listener) inbound.Listener {
	l := inbound.Listener{Name: declared.Name}
	switch declared.Kind {
	case config.KindSubmission:
		l.Kind = inbound.Submission
	case config.KindLMTP:
		l.Kind = inbound.LMTP
	default:
		l.Kind = inbound.MX
	}
	switch declared.TLS {
	case config.TLSStartTLS:
		l.TLS = inbound.TLSStartTLS
	case config.TLSImplicit:
		l.TLS = inbound.TLSImplicit
	default:
		l.TLS = inbound.TLSNone
	}
	for _, network := range declared.ProxyProtocol {
		l.Proxies = append(l.Proxies, network.Prefix)
	}
	l.Greylist = declared.Greylist
	return l
}

// ownAddresses are the addresses that no delivery may go to.
func (s *server) ownAddresses() []netip.AddrPort {
	var own []netip.AddrPort
	for _, l := range append([]net.Listener{s.public, s.private, s.challenges}, s.smtpListeners...) {
		if l == nil {
			continue
		}
		if address, ok := l.Addr().(*net.TCPAddr); ok {
			own = append(own, address.AddrPort())
		}
	}
	return own
}

func (s *server) smtpAddresses() []string {
	addresses := make([]string, len(s.smtpListeners))
	for i, l := range s.smtpListeners {
		addresses[i] = l.Addr().String()
	}
	return addresses
}
