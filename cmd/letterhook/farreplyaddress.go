package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/dispatch"
)

// mintFar has a server mint.
func (o *mintOptions) mintFar(ctx context.Context, w io.Writer, c *apiclient.Client, expires time.Time, asJSON bool) error {
	made, err := c.MintReplyAddress(ctx, apiclient.MintReplyAddressRequest{Domain: o.domain, Local: o.local, Data: o.data, ExpiresAt: expires.UTC()})
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, made)
	}
	fmt.Fprintln(w, made.Address)
	return nil
}

// verifyFar has a server say what an address is worth.
func verifyFar(ctx context.Context, w io.Writer, c *apiclient.Client, address string, asJSON bool) error {
	v, err := c.VerifyReplyAddress(ctx, apiclient.VerifyReplyAddressRequest{Address: address})
	if err != nil {
		return err
	}
	token := &dispatch.Token{Valid: v.Valid, Data: v.Data, ExpiresAt: dispatch.Time{Time: v.ExpiresAt}, Reason: &v.Reason}
	return printToken(w, token, v, asJSON)
}
