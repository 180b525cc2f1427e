package inbound_test

import (
	"net/mail"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

func TestTraceFields(t *testing.T) {
	env := &inbound.Envelope{
		ReversePath: inbound.Path{LocalPart: "odd one", Domain: "sender.example"},
		Recipients:  []inbound.Recipient{{Path: inbound.Path{LocalPart: "bob", Domain: "in.example.com"}}},
		Helo:        "mail.sender.example",
		ESMTP:       true,
		RemoteIP:    netip.MustParseAddr("203.0.113.7"),
		RemoteHost:  "out.sender.example",
		TLS:         &inbound.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256"},
		ReceivedAt:  time.Date(2026, 11, 21, 18, 30, 0, 0, time.UTC),
	}
	const want = "Return-Path: <\"odd one\"@sender.example>\r\n" +
		"Received: from mail.sender.example (out.sender.example [203.0.113.7])\r\n" +
		"\t(using TLS 1.3 with cipher TLS_AES_128_GCM_SHA256)\r\n" +
		"\tby mx.example.com with ESMTPS id msg_1\r\n" +
		"\tfor <bob@in.example.com>;\r\n" +
		"\tSat, 21 Nov 2026 18:30:00 +0000\r\n"
	if got := string(inbound.TraceFields(env, "mx.example.com", "msg_1")); got != want {
		t.Errorf("got\n%s want\n%s", got, want)
	}

	env = &inbound.Envelope{
		Recipients: make([]inbound.Recipient, 2), // not to be told of each other
		Helo:       `evil(")`,
		RemoteIP:   netip.MustParseAddr("2001:db8::1"),
		SMTPUTF8:   true,
		ReceivedAt: env.ReceivedAt,
	}
	const want2 = "Return-Path: <>\r\n" +
		"Received: from unknown ([IPv6:2001:db8::1])\r\n" +
		"\tby mx.example.com with UTF8SMTP id msg_2;\r\n" +
		"\tSat, 21 Nov 2026 18:30:00 +0000\r\n"
	got := string(inbound.TraceFields(env, "mx.example.com", "msg_2"))
	if got != want2 {
		t.Errorf("got\n%s want\n%s", got, want2)
	}
	if m, err := mail.ReadMessage(strings.NewReader(got + "Subject: x\r\n\r\nbody")); err != nil || m.Header.Get("Subject") != "x" {
		t.Errorf("the fields do not stand before a message: %v", err)
	}
}

// TestTraceProtocol: the word of RFC 3848 is that of the session.
func TestTraceProtocol(t *testing.T) {
	for hello, want := range map[string]string{"HELO": " with SMTP id ", "EHLO": " with ESMTP id ", "LHLO": " with LMTP id "} {
		e := serve(t, nil)
		p := e.connectTo(t, map[string]string{"LHLO": "lmtp"}[hello])
		p.expect("220")
		p.do(hello+" client.example", "250")
		p.begin()
		p.send("x\r\n.\r\n")
		p.expect("250 2.0.0 OK")
		if fields := string(inbound.TraceFields(&e.spool.all()[0].env, "mx.example.com", "msg_1")); !strings.Contains(fields, want) {
			t.Errorf("after %s: %s", hello, fields)
		}
	}
}
