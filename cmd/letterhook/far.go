package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

// pageSize is how many items of a list a server is asked for at once, at most.
const pageSize = 200

// pages walks over the pages of a list until it has so many items; 0: all of them.
func pages[T any](limit int, get func(cursor string, size int64) (items []T, next string, err error)) ([]T, error) {
	list := []T{}
	for cursor := ""; ; {
		size := pageSize
		if limit > 0 {
			size = min(size, limit-len(list))
		}
		items, next, err := get(cursor, int64(size))
		if err != nil {
			return nil, err
		}
		list = append(list, items...)
		if cursor = next; next == "" || limit > 0 && len(list) >= limit {
			return list, nil
		}
	}
}

// printList writes items as one JSON object per line, or as a table with a head and a row of tab-separated cells each.
func printList[T any](w io.Writer, items []T, asJSON bool, head string, row func(*T) []any) error {
	if asJSON {
		for i := range items {
			if err := printJSON(w, items[i]); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.ReplaceAll(head, "|", "\t"))
	for i := range items {
		for n, cell := range row(&items[i]) {
			if n > 0 {
				fmt.Fprint(table, "\t")
			}
			fmt.Fprint(table, printable(strings.ReplaceAll(fmt.Sprint(cell), "\t", " "), false))
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

// field is one line of a thing that is shown to people. Empty ones are left out.
type field struct{ name, text string }

func printFieldsOf(w io.Writer, fields ...field) {
	width := 0
	for _, f := range fields {
		if f.text != "" {
			width = max(width, len(f.name))
		}
	}
	for _, f := range fields {
		if f.text != "" {
			fmt.Fprintf(w, "%-*s  %s\n", width, f.name, printable(f.text, false))
		}
	}
}

// farEndpointsByID are the endpoints of a server.
type farEndpointsByID map[string]apiclient.Endpoint

func farEndpoints(ctx context.Context, c *apiclient.Client) (farEndpointsByID, error) {
	list, err := pages(0, func(cursor string, size int64) ([]apiclient.Endpoint, string, error) {
		p, err := c.ListEndpoints(ctx, apiclient.ListEndpointsParams{Cursor: cursor, Limit: size})
		if err != nil {
			return nil, "", err
		}
		return p.Items, p.NextCursor, nil
	})
	byID := make(farEndpointsByID, len(list))
	for _, e := range list {
		byID[e.ID] = e
	}
	return byID, err
}

// name is what people call an endpoint.
func (e farEndpointsByID) name(id string) string {
	if known, ok := e[id]; ok {
		return known.Name
	}
	return id
}

// find gives the id of an endpoint by its id or its name.
func (e farEndpointsByID) find(word string) (string, error) {
	if _, ok := e[word]; ok {
		return word, nil
	}
	var ids []string
	for id := range e {
		if e[id].Name == word {
			ids = append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return "", &exitError{exitUsage, fmt.Errorf("no endpoint is called %q", word)}
	case 1:
		return ids[0], nil
	default:
		return "", &exitError{exitUsage, fmt.Errorf("several accounts have an endpoint %q; name one of the ids %s", word, strings.Join(ids, ", "))}
	}
}

// farEndpoint gives the id of an endpoint of a server by its name or its id.
func farEndpoint(ctx context.Context, c *apiclient.Client, word string) (string, error) {
	all, err := farEndpoints(ctx, c)
	if err != nil {
		return "", err
	}
	return all.find(word)
}

// farAccount gives the id of an account of a server by its name or its id; empty: none was named.
func farAccount(ctx context.Context, c *apiclient.Client, word string) (string, error) {
	if word == "" {
		return "", nil
	}
	list, err := farAccounts(ctx, c)
	if err != nil {
		return "", err
	}
	for _, a := range list {
		if a.ID == word || a.Name == word {
			return a.ID, nil
		}
	}
	return "", &exitError{exitUsage, fmt.Errorf("no account is called %q", word)}
}

func farAccounts(ctx context.Context, c *apiclient.Client) ([]apiclient.Account, error) {
	return pages(0, func(cursor string, size int64) ([]apiclient.Account, string, error) {
		p, err := c.ListAccounts(ctx, apiclient.ListAccountsParams{Cursor: cursor, Limit: size})
		if err != nil {
			return nil, "", err
		}
		return p.Items, p.NextCursor, nil
	})
}

// accountNaming gives what people call an account by its id. A key that may not list accounts, and an account that was deleted, leave the id.
func accountNaming(ctx context.Context, c *apiclient.Client, asJSON bool) func(id string) string {
	names := make(map[string]string)
	if !asJSON {
		list, _ := farAccounts(ctx, c) // the id will do
		for _, a := range list {
			names[a.ID] = a.Name
		}
	}
	return func(id string) string { return cmp.Or(names[id], id) }
}
