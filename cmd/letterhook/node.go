package main

import (
	"cmp"
	"fmt"
	"net"
	"os"

	"github.com/letterhook/letterhook/dispatch"
)

// ledger is where nodes that share a database agree whose each lane is; nil: this one is alone.
func (s *server) ledger() dispatch.Ledger {
	if !s.store.Shared() {
		return nil
	}
	return s.store
}

// nodeName is the name of this node, for people.
func (s *server) nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = s.cfg.Hostname
	}
	return cmp.Or(s.cfg.Node, fmt.Sprintf("%s/%d", host, os.Getpid()))
}

// addressOf is empty for a listener that there is not.
func addressOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}
