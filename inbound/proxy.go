package inbound

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/pires/go-proxyproto"
)

const (
	proxyTimeout = 10 * time.Second // for the whole header; a proxy sends it at once
	maxProxyV1   = 107              // octets of a header of version 1, line end included
	maxProxyV2   = 4096             // octets behind the first 16 of version 2: addresses, and what it says of TLS
)

// proxySignature begins a header of version 2.
const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// meetClient reads the PROXY header, by which the proxy says who the client is. It is read here and not while accepting:
// a proxy that says nothing must keep nobody else waiting. From here on the client's address is the only one there is;
// only the proxy's own connections (LOCAL, for health checks) keep their own.
func (c *conn) meetClient() {
	c.behindProxy = false
	client, err := c.readProxyHeader()
	if err != nil {
		c.silent, c.dead = true, true
		if err != io.EOF && !errors.Is(err, errStopping) { // no octet at all is how some look whether a port is open
			c.logRefused(refuseProxy, []error{err})
		}
		return
	}
	if client != nil {
		c.mu.Lock()
		c.addr, c.remote = client, addrOf(client)
		c.mu.Unlock()
	}
	if refusal := c.srv.countSource(c); refusal != nil {
		c.out = c.out[:0]     // in place of the greeting
		c.silent = c.implicit // nothing may be said in clear there
		c.refuse(refusal)
	}
}

// readProxyHeader reads the header and not one octet behind it, so that nothing has to be put back. It gives the address of
// the client, nil where the header names none.
func (c *conn) readProxyHeader() (*net.TCPAddr, error) {
	c.due = time.Now().Add(proxyTimeout)
	defer func() { c.due = time.Time{} }()
	if err := c.arm(); err != nil {
		return nil, err
	}
	octets := make([]byte, len(proxySignature), maxProxyV1)
	if _, err := io.ReadFull(c.wire, octets); err != nil {
		return nil, err
	}
	var err error
	if string(octets) == proxySignature {
		octets, err = c.readProxyV2(octets)
	} else {
		octets, err = c.readProxyV1(octets)
	}
	if err != nil {
		return nil, err
	}
	header, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(octets), len(octets)))
	if err != nil {
		return nil, fmt.Errorf("PROXY header: %w", err)
	}
	switch addr := header.SourceAddr.(type) {
	case *net.TCPAddr:
		if header.Command == proxyproto.PROXY {
			return addr, nil
		}
	case *net.UDPAddr:
		return nil, errors.New("PROXY header: not of TCP")
	}
	return nil, nil
}

// readProxyV1 reads to the end of the line.
func (c *conn) readProxyV1(octets []byte) ([]byte, error) {
	if !bytes.HasPrefix(octets, []byte("PROXY ")) {
		return nil, errors.New("no PROXY header")
	}
	for octets[len(octets)-1] != '\n' {
		if len(octets) == maxProxyV1 {
			return nil, errors.New("PROXY header: line too long")
		}
		octets = octets[:len(octets)+1]
		if _, err := io.ReadFull(c.wire, octets[len(octets)-1:]); err != nil {
			return nil, fmt.Errorf("PROXY header: %w", err)
		}
	}
	return octets, nil
}

// readProxyV2 reads the rest of the first 16 octets and as many more as the last two of them say.
func (c *conn) readProxyV2(octets []byte) ([]byte, error) {
	octets = octets[:16]
	if _, err := io.ReadFull(c.wire, octets[len(proxySignature):]); err != nil {
		return nil, fmt.Errorf("PROXY header: %w", err)
	}
	size := int(binary.BigEndian.Uint16(octets[14:]))
	if size > maxProxyV2 {
		return nil, errors.New("PROXY header: too long")
	}
	rest := make([]byte, size)
	if _, err := io.ReadFull(c.wire, rest); err != nil {
		return nil, fmt.Errorf("PROXY header: %w", err)
	}
	return append(octets, rest...), nil
}
