package main

import (
	"context"

	"github.com/letterhook/letterhook/cmd/letterhook/notice"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// wireNotices makes what tells operators of changes of endpoints. Its requests are made like attempts, by a sender of their own.
func (s *server) wireNotices() {
	c := &s.cfg.Notices
	n := notice.Config{Log: s.log, Store: s.store}
	var mayWrite func() bool
	if s.store.Shared() { // the dispatcher is there by the time that anything runs
		n.Mine = func() bool { return s.dispatcher.Housekeeps() }
		n.Flight = func(ctx context.Context) (context.Context, func()) { return s.dispatcher.Flight(ctx) }
		mayWrite = func() bool { return s.dispatcher.MayWrite() }
	}
	if w := &c.Webhook; w.URL != "" {
		guard := s.cfg.Guard()
		guard.AllowLoopback, guard.Refuse = s.loopback, s.ownAddresses()
		sender := dispatch.NewSender(guard, "Letterhook/"+version())
		sender.WriteWhile(mayWrite)
		n.Send = sender.Send
		n.Webhook = &storage.Endpoint{ID: "notices", URL: w.URL, AllowPrivate: w.AllowPrivate, Access: storage.Access{Proxy: s.cfg.Delivery.Proxy}}
		for _, secret := range w.Secrets {
			n.Webhook.Secrets = append(n.Webhook.Secrets, secret)
		}
	}
	if m := &c.Mail; m.Smarthost != "" {
		n.Mail = &notice.Mail{
			Smarthost: m.Smarthost, TLS: m.TLS, Username: m.Username, Password: string(m.Password), From: m.From, To: m.To, Hostname: s.cfg.Hostname,
			MayWrite: mayWrite,
		}
	}
	s.notices = notice.New(n)
}
