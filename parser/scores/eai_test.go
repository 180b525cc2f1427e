package scores_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

// eaiFacts is what mail with raw UTF-8 in its header (RFC 6532) says, read by eye.
var eaiFacts = map[string]struct{ from, to, subject, id string }{
	"chasquid/t-06-idna-from_A_to_B.eml": {"<ñangapirí@srv-ñ>", "<pingüino@srv-ü>", "Hola amigo pingüino!", ""},
	"chasquid/t-06-idna-from_B_to_A.eml": {"<pingüino@srv-ü>", "<ñangapirí@srv-ñ>", "Feliz primavera!", ""},
	"chasquid/t-07-smtputf8-content.eml": {"<ñandú@ñoÑos>", "<Ñangapirí@Ñoños>", "Arañando el test", ""},
	"mikel/utf8_headers.eml":             {"Jöhn Doe<jdöe@mächine.example>", "Märy Smith<märy@exämple.net>", "Säying Hello", ""},
	"rspamd/mid_eai_utf8.eml": {"Sender<sender@example.com>", "Receiver<receiver@example.com>", "EAI/SMTPUTF8 message with internationalized Message-ID",
		"49faaad5-3d90-2713-583b-6cb8a5d06345@wildduck.äää.test"},
	"rspamd/utf.eml": {"ZZZ<yy@example.com>", "Васисуалий Евлампиевич<xxx@example.com>", "Hello", "f13bcdad-273b-9a44-6209-cb1631c01dca@example.com"},
}

// TestEAI: addresses and fields are exactly what was sent, in the header too, and nothing is called damaged.
func TestEAI(t *testing.T) {
	fields := newScore("eai fields", floor{1, 24}, floor{1, 24})
	raws := newScore("eai raw headers", floor{1, 6}, floor{1, 6})
	dir := folder(t, "eai")
	for row, want := range eaiFacts {
		raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(row)))
		if err != nil {
			t.Fatal(err)
		}
		m := parseMail(t, raw)
		fields.note(t, row+": from", mailbox(m.From) == want.from, mailbox(m.From), want.from)
		fields.note(t, row+": to", mailbox(m.To) == want.to, mailbox(m.To), want.to)
		fields.note(t, row+": subject", m.Subject == want.subject, m.Subject, want.subject)
		fields.note(t, row+": id", m.MessageID == want.id, m.MessageID, want.id)
		raws.note(t, row, rawKept(m, string(raw)) && !hasDefect(m, parser.DefectHeader8Bit) && !hasDefect(m, parser.DefectAddress), m.Headers, "")
	}
	fields.report(t)
	raws.report(t)
}

func mailbox(list []parser.Address) string {
	if len(list) != 1 {
		return fmt.Sprint(list)
	}
	return list[0].Name + "<" + list[0].Address + ">"
}

// rawKept reports whether every field stands in the mail as its Raw has it, folds aside.
func rawKept(m *parser.Message, raw string) bool {
	unfolded := strings.NewReplacer("\r\n ", " ", "\n ", " ", "\r", "").Replace(raw)
	for _, h := range m.Headers {
		if !strings.Contains(unfolded, h.Name+": "+h.Raw+"\n") {
			return false
		}
	}
	return len(m.Headers) > 0
}
