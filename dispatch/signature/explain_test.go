package signature_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/dispatch/signature"
)

const (
	id     = "msg_01kab0000000000000000000aa"
	secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz+/+/" // 27 octets, with what base64 of URLs writes differently
	other  = "whsec_c29tZWJvZHkgZWxzZSdzIGtleSwgMzIgb2N0ZXRz"
)

var now = time.Unix(1_795_286_400, 0)

func key(t *testing.T, text string) []byte {
	t.Helper()
	k, err := dispatch.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// event is a body as the delivery writes it, with what libraries of JSON write differently.
func event(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	var ev dispatch.Event
	if err := json.Unmarshal(text, &ev); err != nil {
		t.Fatal(err)
	}
	ev.Data.Subject = "<Grüße> & 😀 a/b"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(&ev); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// capture is a request on its way to be spoilt, and who looks at it.
type capture struct {
	signature.Request
	secrets []string
	at      time.Time
}

func signed(t *testing.T) *capture {
	t.Helper()
	body := event(t)
	return &capture{signature.Request{Header: http.Header{
		"Webhook-Id": {id}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)},
		"Webhook-Signature": {dispatch.Sign(id, now, body, [][]byte{key(t, secret)})},
	}, Body: body}, []string{secret}, now}
}

func (c *capture) sign(value string) { c.Header["Webhook-Signature"] = []string{value} }

func mac(k []byte, content string) string {
	h := hmac.New(sha256.New, k)
	h.Write([]byte(content))
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func again(t *testing.T, body []byte, indent string, escapeHTML bool) []byte {
	t.Helper()
	var v any // a map sorts its keys
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", indent)
	e.SetEscapeHTML(escapeHTML)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func latin1(body []byte) []byte { // what an application does that takes each octet for a character
	var b bytes.Buffer
	for _, c := range body {
		b.WriteRune(rune(c))
	}
	return b.Bytes()
}

type spoilt struct {
	name  string
	codes string // of the findings
	spoil func(t *testing.T, c *capture)
}

var bodyMistakes = []spoilt{
	{"indented", signature.BodySerialised, func(t *testing.T, c *capture) {
		var b bytes.Buffer
		if err := json.Indent(&b, c.Body, "", "  "); err != nil {
			t.Fatal(err)
		}
		c.Body = b.Bytes()
	}},
	{"indented, sorted, escaped, with a line end", signature.BodySerialised, func(t *testing.T, c *capture) { c.Body = again(t, c.Body, "    ", true) }},
	{"sorted", signature.BodySerialised, func(t *testing.T, c *capture) { c.Body = bytes.TrimSpace(again(t, c.Body, "", false)) }},
	{"as PHP and Python write it", signature.BodySerialised, func(_ *testing.T, c *capture) {
		c.Body = []byte(strings.NewReplacer("/", `\/`, "ü", `\u00fc`, "ß", `\u00df`, "😀", `\ud83d\ude00`).Replace(string(c.Body)))
	}},
	{"the sender signed it indented", signature.BodySerialised, func(t *testing.T, c *capture) {
		var b bytes.Buffer
		if err := json.Indent(&b, c.Body, "", "\t"); err != nil {
			t.Fatal(err)
		}
		c.sign(dispatch.Sign(id, now, b.Bytes(), [][]byte{key(t, secret)}))
	}},
	{"the sender signed it as Python dumps it", signature.BodySerialised, func(t *testing.T, c *capture) {
		c.Body = []byte(`{"a":[1,{"b":"é/"},{}],"c":null,"d":true}`)
		c.sign(dispatch.Sign(id, now, []byte(`{"a": [1, {"b": "\u00e9/"}, {}], "c": null, "d": true}`), [][]byte{key(t, secret)}))
	}},
	{"a line end more", signature.BodyLineEnd, func(_ *testing.T, c *capture) { c.Body = append(c.Body, '\n') }},
	{"a line end less", signature.BodyLineEnd, func(t *testing.T, c *capture) {
		c.sign(dispatch.Sign(id, now, append(bytes.Clone(c.Body), '\n'), [][]byte{key(t, secret)}))
	}},
	{"line ends converted", signature.BodyLineEnd, func(t *testing.T, c *capture) {
		c.sign(dispatch.Sign(id, now, []byte("a\r\nb"), [][]byte{key(t, secret)}))
		c.Body = []byte("a\nb")
	}},
	{"compressed", signature.BodyCompressed, func(t *testing.T, c *capture) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(c.Body)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		c.Body = b.Bytes()
	}},
	{"taken for Latin-1", signature.BodyCharset, func(_ *testing.T, c *capture) { c.Body = latin1(c.Body) }},
	{"made Latin-1", signature.BodyCharset, func(t *testing.T, c *capture) {
		c.sign(dispatch.Sign(id, now, []byte(`"Grüße"`), [][]byte{key(t, secret)}))
		c.Body = []byte("\"Gr\xFC\xDFe\"")
	}},
	{"a byte order mark", signature.BodyCharset, func(_ *testing.T, c *capture) { c.Body = append([]byte("\xEF\xBB\xBF"), c.Body...) }},
	{"read before", signature.BodyEmpty, func(_ *testing.T, c *capture) { c.Body = nil }},
	{"other content", signature.SecretWrong, func(_ *testing.T, c *capture) { c.Body = bytes.Replace(c.Body, []byte("Ann"), []byte("Bob"), 1) }},
}

var secretMistakes = []spoilt{
	{"somebody else's", signature.SecretWrong, func(_ *testing.T, c *capture) { c.secrets = []string{other} }},
	{"the second of a list", "", func(_ *testing.T, c *capture) { c.secrets = []string{other, secret} }},
	{"no prefix", signature.SecretFormat, func(_ *testing.T, c *capture) { c.secrets = []string{strings.TrimPrefix(secret, "whsec_")} }},
	{"a line end behind", signature.SecretFormat, func(_ *testing.T, c *capture) { c.secrets = []string{secret + "\n"} }},
	{"in quotes", signature.SecretFormat, func(_ *testing.T, c *capture) { c.secrets = []string{`"` + secret + `"`} }},
	{"the alphabet of URLs", signature.SecretFormat, func(_ *testing.T, c *capture) {
		c.secrets = []string{strings.NewReplacer("+", "-", "/", "_").Replace(secret)}
	}},
	{"its text as the key", signature.SecretFormat, func(_ *testing.T, c *capture) {
		c.sign(dispatch.Sign(id, now, c.Body, [][]byte{[]byte(secret)}))
	}},
	{"its text without prefix as the key", signature.SecretFormat, func(_ *testing.T, c *capture) {
		c.sign(dispatch.Sign(id, now, c.Body, [][]byte{[]byte(strings.TrimPrefix(secret, "whsec_"))}))
	}},
	{"a private key", signature.SecretFormat + " " + signature.SecretWrong, func(_ *testing.T, c *capture) { c.secrets = []string{"whsk_AAAA"} }},
	{"a public key for v1", signature.SecretFormat + " " + signature.SecretWrong, func(_ *testing.T, c *capture) {
		c.secrets = []string{"whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 32))}
	}},
	{"its text as the key, and the body indented", signature.SecretFormat + " " + signature.BodySerialised, func(t *testing.T, c *capture) {
		c.sign(dispatch.Sign(id, now, c.Body, [][]byte{[]byte(secret)}))
		c.Body = again(t, c.Body, "  ", false)
	}},
}

var headerMistakes = []spoilt{
	{"no id", signature.HeaderMissing, func(_ *testing.T, c *capture) { delete(c.Header, "Webhook-Id") }},
	{"none at all", strings.TrimSpace(strings.Repeat(signature.HeaderMissing+" ", 3)), func(_ *testing.T, c *capture) { c.Header = http.Header{} }},
	{"Svix's names", strings.TrimSpace(strings.Repeat(signature.HeaderRenamed+" ", 3)), func(_ *testing.T, c *capture) {
		c.Header = http.Header{"svix-id": c.Header["Webhook-Id"], "Svix-Timestamp": c.Header["Webhook-Timestamp"], "svix-signature": c.Header["Webhook-Signature"]}
	}},
	{"CGI's name", signature.HeaderRenamed, func(_ *testing.T, c *capture) {
		c.Header["HTTP_WEBHOOK_ID"] = c.Header["Webhook-Id"]
		delete(c.Header, "Webhook-Id")
	}},
	{"two ids", signature.HeaderDuplicated, func(_ *testing.T, c *capture) { c.Header["Webhook-Id"] = []string{"another", id} }},
	{"two ids, joined by a proxy", signature.HeaderDuplicated, func(_ *testing.T, c *capture) { c.Header["Webhook-Id"] = []string{id + ", " + id} }},
	{"a clock ahead", signature.Clock, func(_ *testing.T, c *capture) { c.at = now.Add(6 * time.Minute) }},
	{"a clock behind", signature.Clock, func(_ *testing.T, c *capture) { c.at = now.Add(-6 * time.Minute) }},
	{"a clock nearly right", "", func(_ *testing.T, c *capture) { c.at = now.Add(-4 * time.Minute) }},
	{"no clock", "", func(_ *testing.T, c *capture) { c.at = time.Time{} }},
	{"milliseconds", signature.TimestampFormat, func(t *testing.T, c *capture) {
		c.Header["Webhook-Timestamp"] = []string{"1795286400000"}
		c.sign(mac(key(t, secret), id+".1795286400000."+string(c.Body)))
	}},
	{"a date", signature.TimestampFormat + " " + signature.SecretWrong, func(_ *testing.T, c *capture) {
		c.Header["Webhook-Timestamp"] = []string{now.Format(time.RFC3339)}
	}},
}

var signatureMistakes = []spoilt{
	{"no version", signature.SignatureFormat, func(_ *testing.T, c *capture) {
		c.sign(strings.TrimPrefix(c.Header.Get("Webhook-Signature"), "v1,"))
	}},
	{"hexadecimal", signature.SignatureFormat + " " + signature.SignatureFormat, func(t *testing.T, c *capture) {
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.Header.Get("Webhook-Signature"), "v1,"))
		if err != nil {
			t.Fatal(err)
		}
		c.sign("v1," + hex.EncodeToString(sum))
	}},
	{"one of several", "", func(_ *testing.T, c *capture) { c.sign("v1,AAAA v1a,BBBB " + c.Header.Get("Webhook-Signature")) }},
	{"right in an entry of another version, beside a wrong one", signature.SignatureFormat, func(_ *testing.T, c *capture) {
		right := strings.TrimPrefix(c.Header.Get("Webhook-Signature"), "v1,")
		c.sign(mac([]byte("x"), "y") + " v2," + right)
	}},
	{"body alone", signature.Layout, func(t *testing.T, c *capture) { c.sign(mac(key(t, secret), string(c.Body))) }},
	{"timestamp first", signature.Layout, func(t *testing.T, c *capture) {
		c.sign(mac(key(t, secret), "1795286400."+id+"."+string(c.Body)))
	}},
	{"joined by nothing", signature.Layout, func(t *testing.T, c *capture) { c.sign(mac(key(t, secret), id+"1795286400"+string(c.Body))) }},
	{"joined by colons", signature.Layout, func(t *testing.T, c *capture) { c.sign(mac(key(t, secret), id+":1795286400:"+string(c.Body))) }},
	{"no id", signature.Layout, func(t *testing.T, c *capture) { c.sign(mac(key(t, secret), "1795286400."+string(c.Body))) }},
	{"no id, and its text as the key", signature.SecretFormat + " " + signature.Layout, func(_ *testing.T, c *capture) {
		c.sign(mac([]byte(secret), "1795286400."+string(c.Body)))
	}},
	{"SHA-1", signature.SignatureFormat + " " + signature.Digest, func(t *testing.T, c *capture) {
		h := hmac.New(sha1.New, key(t, secret))
		h.Write([]byte(id + ".1795286400." + string(c.Body)))
		c.sign("v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}},
	{"no HMAC", signature.Digest, func(t *testing.T, c *capture) {
		sum := sha256.Sum256([]byte(string(key(t, secret)) + id + ".1795286400." + string(c.Body)))
		c.sign("v1," + base64.StdEncoding.EncodeToString(sum[:]))
	}},
	{"v1a alone, and a secret", signature.OnlyV1a + " " + signature.SecretWrong, func(_ *testing.T, c *capture) { c.sign(v1a(c.Body)) }},
	{"v1a, and its public key", "", func(_ *testing.T, c *capture) {
		c.sign(v1a(c.Body))
		c.secrets = []string{"whpk_" + base64.StdEncoding.EncodeToString(pair().Public().(ed25519.PublicKey))}
	}},
}

func pair() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) }

func v1a(body []byte) string {
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(pair(), []byte(id+".1795286400."+string(body))))
}

func TestExplain(t *testing.T) {
	for group, table := range map[string][]spoilt{
		"body": bodyMistakes, "secret": secretMistakes, "header": headerMistakes, "signature": signatureMistakes,
	} {
		for _, tt := range table {
			t.Run(group+"/"+tt.name, func(t *testing.T) {
				c := signed(t)
				if v := signature.Explain(&c.Request, c.secrets, c.at); !v.Verified || len(v.Findings) > 0 {
					t.Fatalf("before: %+v", v)
				}
				tt.spoil(t, c)
				v := signature.Explain(&c.Request, c.secrets, c.at)
				var codes []string
				for _, f := range v.Findings {
					codes = append(codes, f.Code)
					for _, s := range append(c.secrets, strings.TrimPrefix(secret, "whsec_")) {
						if strings.Contains(f.Text, strings.TrimSpace(s)) {
							t.Errorf("the secret is told: %s", f.Text)
						}
					}
				}
				if got := strings.Join(codes, " "); got != tt.codes {
					t.Errorf("found %q, want %q: %+v", got, tt.codes, v.Findings)
				}
				if v.Verified != (tt.codes == "") {
					t.Errorf("verified: %t", v.Verified)
				}
			})
		}
	}
}

// What an application computed leads to its mistake, though the request is right.
func TestExplainComputed(t *testing.T) {
	c := signed(t)
	c.Computed = mac([]byte(secret), id+".1795286400."+string(c.Body))
	v := signature.Explain(&c.Request, c.secrets, now)
	if v.Verified || len(v.Findings) != 1 || v.Findings[0].Code != signature.SecretFormat {
		t.Errorf("%+v", v)
	}
	c.Computed = strings.TrimPrefix(mac(key(t, secret), id+".1795286400."+string(c.Body)), "v1,")
	if v := signature.Explain(&c.Request, c.secrets, now); !v.Verified {
		t.Errorf("what is right: %+v", v)
	}
}

func FuzzExplain(f *testing.F) {
	f.Add(id, "1795286400", "v1,AAAA", secret, []byte(`{"type":"email.received","data":{}}`))
	f.Add("", "x", "sha256=00 v1a,AA== v1,", "whpk_", []byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, id, at, value, key string, body []byte) {
		header := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {value}}
		if v := signature.Explain(&signature.Request{Header: header, Body: body}, []string{key}, now); v.Verified && !strings.HasPrefix(value, "v1") {
			t.Errorf("%q verifies", value)
		}
	})
}
