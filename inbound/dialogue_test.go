package inbound_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestDialogues plays the files of testdata/dialogues:
//
//	-> text         sends a line
//	raw "octets"    sends octets as they are
//	<- prefix       reads a reply, its lines joined by "|"
//	closed          the server has closed the connection
//	stored "octets" is the content of the last message
//	envelope a -> b c  is its envelope
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogues/*.txt")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d dialogues, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, string(text))
		})
	}
}

func play(t *testing.T, text string) {
	e := serve(t, nil)
	p := e.connect(t)
	for n, line := range strings.Split(text, "\n") {
		verb, arg, _ := strings.Cut(line, " ")
		switch verb {
		case "", "#":
		case "->":
			p.send(arg + "\r\n")
		case "raw":
			p.send(unquote(t, arg))
		case "<-":
			if reply := p.reply(); !strings.HasPrefix(reply, arg) {
				t.Fatalf("line %d: reply %q, want %q", n+1, reply, arg)
			}
		case "closed":
			p.closed()
		case "stored":
			mails := e.spool.all()
			if got := mails[len(mails)-1].body; got != unquote(t, arg) {
				t.Fatalf("line %d: stored %q", n+1, got)
			}
		case "envelope":
			mails := e.spool.all()
			if got := describe(mails[len(mails)-1]); got != arg {
				t.Fatalf("line %d: envelope %q, want %q", n+1, got, arg)
			}
		default:
			t.Fatalf("line %d: unknown step %q", n+1, line)
		}
	}
}

// describe shows an envelope as the dialogues write it.
func describe(m stored) string {
	text := m.env.ReversePath.String() + " ->"
	for _, r := range m.env.Recipients {
		text += " " + r.Path.String()
	}
	return text
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	text, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return text
}
