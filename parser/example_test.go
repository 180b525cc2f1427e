package parser_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/letterhook/letterhook/parser"
)

// A mail is parsed from anything that can be read at an offset; an attachment is decoded when somebody reads it.
func Example() {
	mail := strings.ReplaceAll(`From: =?utf-8?Q?J=C3=BCrgen?= <juergen@sender.example>
To: help@in.example.com
Subject: Re: Ticket 42
Message-ID: <b@sender.example>
In-Reply-To: <a@in.example.com>
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Sch=F6ne Gr=FC=DFe
--x
Content-Type: text/csv; name="../list.csv"
Content-Transfer-Encoding: base64

YSxiCg==
--x--
`, "\n", "\r\n")

	m, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), parser.Limits{})
	if err != nil {
		fmt.Println("reading:", err) // never of what the mail holds
		return
	}
	fmt.Println(m.From[0].Name, m.From[0].Address, "|", m.Subject, "|", m.InReplyTo)
	fmt.Printf("%q read as %s\n", *m.Text, m.TextCharset)
	for _, part := range m.Attachments {
		content, err := io.ReadAll(part.Open())
		fmt.Printf("part %s, %s, %s: %q %v\n", part.ID, part.Filename, part.ContentType, content, err)
	}
	fmt.Println(m.Kind, len(m.Defects), len(m.LimitsHit))
	// Output:
	// Jürgen juergen@sender.example | Re: Ticket 42 | [a@in.example.com]
	// "Schöne Grüße" read as windows-1252
	// part 2, _list.csv, text/csv: "a,b\n" <nil>
	// human 0 0
}

// Whatever the octets are, they give a message; what was wrong with them is named.
func ExampleMessage_defects() {
	mail := "Subject: caf\xe9\r\nContent-Transfer-Encoding: base64\r\n\r\nThank you!\r\n"
	m, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), parser.Limits{})
	if err != nil {
		fmt.Println("reading:", err)
		return
	}
	fmt.Printf("%s: %q\n", m.Subject, *m.Text)
	for _, d := range m.Defects {
		fmt.Println(d.Code, d.Part)
	}
	// Output:
	// café: "Thank you!\n"
	// header-8bit 1
	// base64-missing 1
}

// Explain says why each part became what it is.
func ExampleMessage_Explain() {
	mail := "Content-Type: text/plain; name=notes.txt\r\n\r\nHello\r\n"
	m, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), parser.Limits{})
	if err != nil {
		fmt.Println("reading:", err)
		return
	}
	for _, r := range m.Explain() {
		fmt.Printf("part %s is a %s: %s\n", r.Part.ID, r.As, r.Why)
	}
	// Output:
	// part 1 is a body: it is the first part, so that its name does not count
}
