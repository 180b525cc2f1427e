package format

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/dispatch"
)

var webhookSecret = bytes.Repeat([]byte{7}, 32)

// missing ends a test for want of something that the machine lacks.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// startPeer runs a program that prints its URL once it listens.
func startPeer(t *testing.T, command ...string) (url string) {
	t.Helper()
	public, err := SendGridPublicKey([]byte(sendgridKey))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+dispatch.FormatSecret(webhookSecret), "SENDGRID_PUBLIC_KEY="+public,
		"MAILGUN_SIGNING_KEY="+mailgunKey, "MANDRILL_KEY="+string(keyOf(Mandrill)), "PEERS_MODULES="+modules())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("stderr: %s", stderr.String())
		}
	})
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		_ = cmd.Wait()
		t.Fatalf("it did not start: %s", stderr.String())
	}
	return lines.Text()
}

// modules is the folder that make services installed the JavaScript libraries in.
func modules() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "."
	}
	return filepath.Join(cache, "letterhook", "npm")
}

func goPeer(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "peers")
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir = "testdata/peers/go" // a module of its own: what the vendors' libraries need is nothing that the program needs
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return startPeer(t, binary)
}

func nodePeer(t *testing.T) string {
	t.Helper()
	needModules(t)
	return startPeer(t, "node", "testdata/peers/node/peers.mjs")
}

func needModules(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node is not installed")
	}
	if _, err := os.Stat(filepath.Join(modules(), "installed")); err != nil {
		missing(t, "the JavaScript libraries are not installed: make services")
	}
}

// post sends a mail in a format as the dispatcher would, and reads what the peer made of it.
func post(t *testing.T, name, url string, raw []byte, into any) {
	t.Helper()
	c := copyOf(t, raw)
	c.Endpoint.URL, c.Endpoint.FormatKey, c.Endpoint.Timeout = url, keyOf(name), time.Minute
	c.Endpoint.Secrets = [][]byte{webhookSecret}
	form, err := All()[name].Form(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	s := dispatch.NewSender(dispatch.Guard{AllowLoopback: true}, "Letterhook/test")
	defer s.Close()
	res := s.Send(t.Context(), &dispatch.Post{Endpoint: c.Endpoint, ID: c.ID, Attempt: 1, Form: form})
	if res.Outcome != dispatch.OutcomeDelivered {
		t.Fatalf("%s: %s %d %v: %s", name, res.Outcome, res.Status, res.Err, res.Detail.Body)
	}
	if err := json.Unmarshal([]byte(res.Detail.Body), into); err != nil {
		t.Fatalf("%s: %v: %s", name, err, res.Detail.Body)
	}
}

// peerMail is what the Go peer read.
type peerMail struct {
	Subject, Text, HTML, From string
	To                        []string
	Headers                   map[string]string
	Files                     map[string]struct{ Filename, Type, SHA256 string }
}

// checkPeerMail compares with what is in mixed.eml.
func checkPeerMail(t *testing.T, m *peerMail, prefix string) {
	t.Helper()
	c := copyOf(t, readFile(t, "testdata/mixed.eml"))
	d := c.Event.Data
	if m.Subject != d.Subject || m.Text != *d.Text || m.HTML != *d.HTML || m.From != "bounces+42@sender.example" ||
		!slices.Equal(m.To, []string{"reply+k3y@in.example"}) || m.Headers["X-Note"] != "two" {
		t.Errorf("%+v", m)
	}
	if len(m.Files) != 2 {
		t.Errorf("files %v", m.Files)
	}
	for i, content := range contents(t, c) {
		sum := sha256.Sum256(content)
		f := m.Files[prefix+string(rune('1'+i))]
		if f.Filename != filename(&d.Attachments[i], i) || f.Type != d.Attachments[i].ContentType || f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("file %d: %+v", i, f)
		}
	}
}

// TestGoClients has the vendors' Go libraries verify and read our requests.
func TestGoClients(t *testing.T) {
	url := goPeer(t)
	raw := readFile(t, "testdata/mixed.eml")
	t.Run("sendgrid-go", func(t *testing.T) {
		var m peerMail
		post(t, SendGrid, url+"/sendgrid", raw, &m)
		checkPeerMail(t, &m, "attachment")
	})
	t.Run("sendgrid-go, raw", func(t *testing.T) {
		// The library reads parts below the first level by their types alone, and a mail that is not multipart not at all.
		plain := bytes.ReplaceAll(raw, []byte("multipart/related"), []byte("text/x-related"))
		var m peerMail
		post(t, SendGridRaw, url+"/sendgrid", plain, &m)
		if m.Headers["Message-ID"] != "<abc@sender.example>" || len(m.Files) != 1 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("mailgun-go", func(t *testing.T) {
		var m peerMail
		post(t, Mailgun, url+"/mailgun", raw, &m)
		checkPeerMail(t, &m, "attachment-")
	})
	t.Run("mailgun-go, raw", func(t *testing.T) {
		var m peerMail
		post(t, MailgunMIME, url+"/mailgun", raw, &m)
		if m.Text != string(tracedMail(copyOf(t, raw), raw)) {
			t.Errorf("%q", m.Text)
		}
	})
}

// TestNodeClients has JavaScript libraries verify and read our requests.
func TestNodeClients(t *testing.T) {
	url := nodePeer(t)
	raw := readFile(t, "testdata/mixed.eml")
	d := copyOf(t, raw).Event.Data
	t.Run("@sendgrid/inbound-mail-parser", func(t *testing.T) {
		var m struct {
			Subject, Text, HTML, Attachments string
			Raw                              bool
			Files                            []struct{ Filename, Type, SHA256 string }
		}
		post(t, SendGrid, url+"/sendgrid", raw, &m)
		if m.Subject != d.Subject || m.Text != *d.Text || m.HTML != *d.HTML || m.Attachments != "2" || m.Raw || len(m.Files) != 2 ||
			m.Files[1].Filename != *d.Attachments[1].Filename || m.Files[1].SHA256 != d.Attachments[1].SHA256 {
			t.Errorf("%+v", m)
		}
		post(t, SendGridRaw, url+"/sendgrid", raw, &m)
		if !m.Raw {
			t.Errorf("%+v", m)
		}
	})
	t.Run("mailgun", func(t *testing.T) {
		var m struct {
			Fields map[string]string
			Files  []string
		}
		post(t, Mailgun, url+"/mailgun", raw, &m)
		if m.Fields["Subject"] != d.Subject || m.Fields["body-plain"] != *d.Text || len(m.Files) != 2 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("mandrill", func(t *testing.T) {
		var events []struct{ Msg struct{ Subject string } }
		post(t, Mandrill, url+"/mandrill?key=a%20b", raw, &events)
		if len(events) != 1 || events[0].Msg.Subject != d.Subject {
			t.Errorf("%+v", events)
		}
	})
	t.Run("postmark", func(t *testing.T) {
		var m postmarkMail
		post(t, Postmark, strings.Replace(url, "//", "//actionmailbox:hunter2@", 1)+"/postmark", raw, &m)
		if m.Subject != d.Subject {
			t.Errorf("%+v", m)
		}
	})
	t.Run("cloudmailin", func(t *testing.T) {
		var m struct{ Plain string }
		post(t, CloudMailin, url+"/json", raw, &m)
		if m.Plain != *d.Text {
			t.Errorf("%+v", m)
		}
	})
}

// TestNodeTypes compiles our requests against the models of postmark and mailgun.js.
func TestNodeTypes(t *testing.T) {
	needModules(t)
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(modules(), "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	c := copyOf(t, readFile(t, "testdata/mixed.eml"))
	_, mail := bodyOf(t, postmark{}, c)
	c.Endpoint.FormatKey = keyOf(Mailgun)
	form, body := bodyOf(t, mailgun{}, c)
	fields, _ := decode(t, form.MediaType, body)
	flat := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		flat[name] = fields.Get(name)
	}
	headers := "[][]"
	if err := json.Unmarshal([]byte(fields.Get("message-headers")), &[][2]string{}); err == nil {
		headers = fields.Get("message-headers")
	}
	delete(flat, "message-headers")
	other, err := marshal(flat)
	if err != nil {
		t.Fatal(err)
	}
	mails := "const headers: [string, string][] = " + headers + ";\nexport const postmarkMail = " + string(mail) +
		";\nexport const mailgunMail = {..." + string(other) + ", 'message-headers': headers};\n"
	for name, text := range map[string][]byte{
		"mails.ts": []byte(mails), "types.ts": readFile(t, "testdata/peers/node/types.ts"), "package.json": []byte(`{"type":"module"}`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check := func() ([]byte, error) {
		cmd := exec.Command("node", filepath.Join(modules(), "node_modules/typescript/bin/tsc"), "--noEmit", "--strict", "--skipLibCheck",
			"--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext", "types.ts")
		cmd.Dir = dir
		return cmd.CombinedOutput()
	}
	if out, err := check(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	broken := strings.Replace(mails, `"FromName"`, `"NameFrom"`, 1)
	if err := os.WriteFile(filepath.Join(dir, "mails.ts"), []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := check(); err == nil || !bytes.Contains(out, []byte("FromName")) {
		t.Errorf("a request without FromName compiles: %v\n%s", err, out)
	}
}
