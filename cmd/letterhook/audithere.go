package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/storage"
)

// cliName is who did it, in the audit log, where it was done by a command beside the server.
const cliName = "cli"

// noteHere writes into the audit log what a command beside the server has changed. became is without secrets; nil: nothing.
func noteHere(ctx context.Context, store *storage.Store, account, action, object string, became any) error {
	text := ""
	if became != nil {
		b, err := json.Marshal(became)
		if err != nil {
			return fmt.Errorf("writing the audit log: %w", err)
		}
		text = string(b)
	}
	// It was done, whoever loses patience now.
	return store.Audit(context.WithoutCancel(ctx), storage.AuditLine{Account: account, Name: cliName, Action: action, Object: object, Became: text})
}

// accountOfMessage is whose a message is; empty: it is gone.
func accountOfMessage(ctx context.Context, store *storage.Store, id string) string {
	m, err := store.Mail(ctx, id)
	if err != nil {
		return ""
	}
	return m.Account
}

// noteReplay notes that the state of a replay was changed.
func noteReplay(ctx context.Context, store *storage.Store, id, action string) error {
	r, err := store.Replay(ctx, id)
	if err != nil {
		return err
	}
	known, err := readEndpoints(ctx, store)
	if err != nil {
		return err
	}
	return noteHere(ctx, store, known[r.Spec.Endpoint].Account, action, id, nil)
}

// noteErasure notes that something was erased, as the API does: without the address that it was about, which is to be gone.
func noteErasure(ctx context.Context, store *storage.Store, account string, what storage.Erasure, erased *storage.Erased) error {
	action, object := "message.erase", what.Message
	if object == "" {
		action, object = "address.erase", api.AddressMark(what.Address)
	}
	return noteHere(ctx, store, account, action, object, map[string]int{"messages": erased.Messages, "deliveries": erased.Deliveries})
}
