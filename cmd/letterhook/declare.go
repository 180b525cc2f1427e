package main

import (
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// declare turns the accounts, endpoints and domains of a configuration into the store's declaration.
func declare(c *config.Config) storage.Declaration {
	d := storage.Declaration{Limits: map[string]storage.Limits{}, Retention: map[string]storage.AccountRetention{}}
	for _, a := range c.Accounts {
		d.Accounts = append(d.Accounts, a.Name)
		d.Limits[a.Name] = storage.Limits{
			Octets: int64(a.Limits.Stored), Backlog: int64(a.Limits.Backlog),
			PerMinute: int64(a.Limits.MessagesPerMinute), PerHour: int64(a.Limits.MessagesPerHour),
		}
		d.Retention[a.Name] = storage.AccountRetention{Messages: a.Retention.Messages.Std(), Attachments: a.Retention.Attachments.Std()}
	}
	for i := range c.Endpoints {
		d.Endpoints = append(d.Endpoints, endpoint(c, &c.Endpoints[i]))
	}
	for _, domain := range c.Domains {
		d.Domains = append(d.Domains, storage.DeclaredDomain{
			Name: domain.Name, Account: domain.Account, ReplyKeys: c.ReplyKeysOf(&domain), MaxSize: int64(domain.MaxMessageSize),
			DMARC: inbound.DMARCAction(domain.DMARC), RequireTLS: domain.RequireTLS, Greylist: domain.Greylist, Check: domain.RecipientCheck, Source: domain.Source,
		})
		for _, r := range domain.Routes {
			route := storage.DeclaredRoute{
				Domain: domain.Name, Match: r.Match, Endpoints: r.Endpoints,
				Filters: config.Filters(r.Filters),
				Token:   storage.TokenPolicy(r.Token), MaxSize: int64(r.MaxMessageSize), Sync: r.Sync, Check: r.RecipientCheck,
				Source: r.Source,
			}
			if r.Refuse != "" {
				route.Refuse = &inbound.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: r.Refuse}
			}
			d.Routes = append(d.Routes, route)
		}
	}
	return d
}

// endpoint fills what an endpoint leaves out from the delivery section.
func endpoint(c *config.Config, e *config.Endpoint) storage.Endpoint {
	declared := storage.Endpoint{
		Account:      e.Account,
		Name:         e.Name,
		URL:          e.URL,
		Schedule:     durations(e.Schedule),
		Timeout:      e.Timeout.Std(),
		Concurrency:  e.Concurrency,
		MaxAge:       e.MaxAge.Std(),
		DisableAfter: e.DisableAfter.Std(),
		Ordered:      e.Ordered,
		MaxBody:      int(e.MaxBody),
		Format:       e.Format,
		PerRecipient: e.Events == config.EventsPerRecipient,
		StrictStatus: e.StrictStatus,
		IncludeRaw:   e.IncludeRaw,
		Attachments:  storage.AttachmentMode(e.Attachments),
		InlineSize:   int(e.InlineSize),
		HeaderFields: e.HeaderNames(),
		Gzip:         e.Gzip,
		Shadow:       e.Shadow,
		Filters:      config.Filters(e.Filters),
		AllowPrivate: e.AllowPrivate,
		Headers:      e.Headers,
		Access:       e.Access,
		Source:       e.Source,
	}
	if e.Rate.Count > 0 {
		declared.Rate = storage.Rate{Every: e.Rate.Per / time.Duration(e.Rate.Count), Burst: e.Burst}
	}
	if e.FormatKey != "" {
		declared.FormatKey = []byte(e.FormatKey)
	}
	declared.StoredSecrets = e.StoredSecrets
	for _, secret := range e.Secrets {
		if secret.Until.IsZero() {
			declared.Secrets = append(declared.Secrets, secret.Key)
		} else {
			declared.Retiring = append(declared.Retiring, storage.RetiringSecret{Key: secret.Key, Until: secret.Until})
		}
	}
	if declared.Access.Proxy = e.Proxy; e.Proxy == "" {
		declared.Access.Proxy = c.Delivery.Proxy
	}
	if declared.Access.Proxy == config.ProxyNone {
		declared.Access.Proxy = ""
	}
	if declared.Schedule == nil {
		declared.Schedule = durations(c.Delivery.Schedule)
	}
	if declared.Timeout == 0 {
		declared.Timeout = c.Delivery.Timeout.Std()
	}
	if declared.Concurrency == 0 {
		declared.Concurrency = c.Delivery.Concurrency
	}
	if declared.MaxAge == 0 {
		declared.MaxAge = c.Delivery.MaxAge.Std()
	}
	if declared.DisableAfter == 0 {
		declared.DisableAfter = c.Delivery.DisableAfter.Std()
		if declared.DisableAfter == 0 {
			declared.DisableAfter = -1
		}
	}
	if declared.MaxBody == 0 {
		declared.MaxBody = int(c.Delivery.MaxBody)
	}
	return declared
}

// recipientChecks turns the applications that are asked at RCPT into those of the dispatcher.
func recipientChecks(c *config.Config) []dispatch.RecipientCheck {
	checks := make([]dispatch.RecipientCheck, len(c.RecipientChecks))
	for i, check := range c.RecipientChecks {
		checks[i] = dispatch.RecipientCheck{
			Name: check.Name,
			Endpoint: storage.Endpoint{
				ID: check.Name, Name: check.Name, URL: check.URL, Timeout: check.Timeout.Std(), Concurrency: check.Concurrency,
				AllowPrivate: check.AllowPrivate, Headers: check.Headers, Source: check.Source,
			},
			FailOpen: check.OnError == config.OnErrorAccept, KeepAccepted: check.KeepAccepted.Std(), KeepRefused: check.KeepRefused.Std(),
		}
		for _, secret := range check.Secrets {
			checks[i].Endpoint.Secrets = append(checks[i].Endpoint.Secrets, secret)
		}
	}
	return checks
}
