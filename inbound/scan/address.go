package scan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// ParseAddress reads the address of a scanner, host:port or the absolute path of a Unix socket, into what [net.Dial] wants.
func ParseAddress(s string) (network, address string, err error) {
	if strings.HasPrefix(s, "/") {
		return "unix", s, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return "", "", errors.New("the address of a scanner is host:port or the path of a Unix socket")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q is not a port", port)
	}
	return "tcp", s, nil
}

// target is where a scanner listens.
type target struct{ network, address string }

// converse connects and talks until talk returns or ctx ends; then the error is that of ctx, unless there was a reply.
func (t target) converse(ctx context.Context, talk func(net.Conn) (*finding, error)) (*finding, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, t.network, t.address)
	if err != nil {
		return nil, cause(ctx, fmt.Errorf("connecting: %w", err))
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	f, err := talk(conn)
	if err != nil && !errors.Is(err, errAnswer) && !errors.Is(err, errTooLarge) {
		return nil, cause(ctx, err)
	}
	return f, err
}

// cause is err, or what ended it.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", ctx.Err(), err)
	}
	return err
}
