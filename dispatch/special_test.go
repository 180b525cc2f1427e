package dispatch

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser"
)

const invitation = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n" +
	"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1@x\r\nSUMMARY:Lunch\r\nDTSTART;TZID=Europe/Rome:20260701T120000\r\nDTEND:20260701\r\n" +
	"ORGANIZER:mailto:ann@x.example\r\nATTENDEE:mailto:bob@x.example\r\nSEQUENCE:2\r\nSTATUS:CONFIRMED\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <2@x>\r\nFrom: Ann <ann@x.example>\r\nTo: bob@x.example\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nDate: Wed, 1 Jul 2026 12:00:00 +0200\r\n\r\nhello\r\n--b--\r\n"

func dataOf(t *testing.T, mail string) *EventData {
	t.Helper()
	msg, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), parser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := DataOf(msg, int64(len(mail)), sha256.Sum256([]byte(mail)), "1.0.0-test")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestCalendarAndAttachedMessage: what the contract says of an invitation and of a mail within the mail.
func TestCalendarAndAttachedMessage(t *testing.T) {
	data := dataOf(t, invitation)
	for _, c := range []struct {
		got  any
		want string
	}{
		{data.Calendar, `[{"attachment_id":"1","method":"REQUEST","uid":"1@x","summary":"Lunch","start":{"at":"2026-07-01T10:00:00.000Z","tzid":"Europe/Rome","all_day":false,"floating":false},` +
			`"end":{"at":"2026-07-01T00:00:00.000Z","tzid":null,"all_day":true,"floating":false},"organizer":"ann@x.example","attendees":["bob@x.example"],"sequence":2,"status":"CONFIRMED"}]`},
		{data.Attachments[0].Message, "null"},
		{data.Attachments[1].Message, `{"message_id":"2@x","from":[{"name":"Ann","address":"ann@x.example","group":null}],"to":[{"name":"","address":"bob@x.example","group":null}],` +
			`"subject":"café","date":"2026-07-01T10:00:00.000Z"}`},
	} {
		var got bytes.Buffer
		if err := json.NewEncoder(&got).Encode(c.got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want+"\n", got.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestCalendarIsCut: a calendar goes behind text and headers when the event is too large.
func TestCalendarIsCut(t *testing.T) {
	data := dataOf(t, strings.Replace(invitation, "ATTENDEE:", strings.Repeat("ATTENDEE:mailto:"+strings.Repeat("a", 200)+"@x.example\r\n", 1)+"ATTENDEE:", 1))
	for range 99 {
		data.Calendar = append(data.Calendar, data.Calendar[0])
	}
	var r renderer
	body, err := r.render(&Event{Type: EventReceived, Version: EventVersion, Data: data}, 4000, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > 4000 || !slices.Contains(data.Parse.Truncated, "calendar") || len(data.Attachments) != 2 {
		t.Errorf("%d octets, truncated %v", len(body), data.Parse.Truncated)
	}
}

// TestProtectionIsTold: that a mail is encrypted is why it has no text.
func TestProtectionIsTold(t *testing.T) {
	data := dataOf(t, "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx")
	if data.Protection == nil || *data.Protection != (Protection{Type: "encrypted", Format: "smime"}) || data.Text != nil {
		t.Errorf("protection %v, text %v", data.Protection, data.Text)
	}
	if data := dataOf(t, "\r\nhello"); data.Protection != nil {
		t.Errorf("protection %v of a plain mail", data.Protection)
	}
}
