package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

func (o *keyOptions) createFar(ctx context.Context, w io.Writer, c *apiclient.Client, name string) error {
	account, err := farAccount(ctx, c, o.account)
	if err != nil {
		return err
	}
	settings := apiclient.KeySettings{Name: name, AccountID: account}
	for _, s := range o.scopes {
		settings.Scopes = append(settings.Scopes, apiclient.KeySettingsScopes(s))
	}
	if o.expires > 0 {
		settings.ExpiresAt = time.Now().Add(o.expires).UTC()
	}
	made, err := c.CreateKey(ctx, settings)
	if err != nil {
		return err
	}
	return printFarKey(w, made, o.json)
}

func printFarKey(w io.Writer, made *apiclient.NewKey, asJSON bool) error {
	if asJSON {
		return printJSON(w, made)
	}
	fmt.Fprintln(w, made.Token)
	return nil
}

func listFarKeys(ctx context.Context, w io.Writer, c *apiclient.Client, asJSON bool) error {
	list, err := pages(0, func(cursor string, size int64) ([]apiclient.Key, string, error) {
		p, err := c.ListKeys(ctx, apiclient.ListKeysParams{Cursor: cursor, Limit: size})
		if err != nil {
			return nil, "", err
		}
		return p.Items, p.NextCursor, nil
	})
	if err != nil {
		return err
	}
	now := time.Now()
	return printList(w, list, asJSON, "ID|NAME|ACCOUNT|SCOPES|CREATED|USED|STATE", func(k *apiclient.Key) []any {
		scopes := make([]string, len(k.Scopes))
		for i, s := range k.Scopes {
			scopes[i] = string(s)
		}
		state := "works"
		switch {
		case !k.RevokedAt.IsZero():
			state = "revoked " + moment(k.RevokedAt)
		case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
			state = "expired " + moment(k.ExpiresAt)
		case !k.ExpiresAt.IsZero():
			state = "works until " + moment(k.ExpiresAt)
		}
		return []any{k.ID, k.Name, cmp.Or(k.AccountID, "(operator)"), strings.Join(scopes, ","), moment(k.CreatedAt), moment(k.UsedAt), state}
	})
}

func rotateFarKey(ctx context.Context, w io.Writer, c *apiclient.Client, id string, overlap time.Duration, asJSON bool) error {
	var made apiclient.NewKey // asked for by hand: an overlap of 0 must be sent too
	err := c.Do(ctx, http.MethodPost, "/keys/"+url.PathEscape(id)+"/rotate", nil, map[string]any{"overlap_seconds": int64(overlap.Seconds())}, &made)
	if err != nil {
		return err
	}
	return printFarKey(w, &made, asJSON)
}
