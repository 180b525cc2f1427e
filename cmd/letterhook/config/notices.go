package config

import (
	"net"
	"net/mail"

	"github.com/letterhook/letterhook/cmd/letterhook/notice"
	"github.com/letterhook/letterhook/dispatch"
)

// Notices are the ways in which operators hear of what happens to endpoints; none where both are left out.
type Notices struct {
	Webhook NoticeWebhook `yaml:"webhook"`
	Mail    NoticeMail    `yaml:"mail"`
}

// NoticeWebhook gets an event for each change.
type NoticeWebhook struct {
	URL          string   `yaml:"url"`
	Secrets      []Secret `yaml:"secrets"`     // all sign
	SecretFile   string   `yaml:"secret_file"` // one secret a line, instead of secrets
	AllowPrivate bool     `yaml:"allow_private"`
}

// NoticeMail is sent through a smarthost.
type NoticeMail struct {
	Smarthost    string   `yaml:"smarthost"` // host:port
	TLS          string   `yaml:"tls"`       // "starttls", "tls" or "none"
	Username     string   `yaml:"username"`  // empty: no login
	Password     Password `yaml:"password"`
	PasswordFile string   `yaml:"password_file"` // file that holds it instead
	From         string   `yaml:"from"`          // address of the From field
	To           []string `yaml:"to"`
}

func (v *validator) notices() {
	w := &v.Notices.Webhook
	if w.URL != "" {
		v.endpointURL("notices.webhook", Endpoint{URL: w.URL, AllowPrivate: w.AllowPrivate})
		if len(w.Secrets) == 0 && w.SecretFile == "" {
			v.faultf("notices.webhook.secrets", "at least one is required: every request is signed")
		}
	}
	m := &v.Notices.Mail
	v.word("notices.mail.tls", m.TLS, notice.StartTLS, notice.TLS, notice.Clear)
	if m.Smarthost == "" {
		return
	}
	if _, _, err := net.SplitHostPort(m.Smarthost); err != nil {
		v.faultf("notices.mail.smarthost", "%q is not host:port", m.Smarthost)
	}
	if (m.Username == "") != (m.Password == "" && m.PasswordFile == "") && !v.lost("notices.mail.password") {
		v.faultf("notices.mail.username", "username and password belong together")
	}
	if m.Username != "" && m.TLS == notice.Clear {
		v.faultf("notices.mail.tls", "a password is not sent in clear")
	}
	v.mailAddress("notices.mail.from", m.From)
	if len(m.To) == 0 {
		v.faultf("notices.mail.to", "at least one address is required")
	}
	for i, to := range m.To {
		v.mailAddress(itemKey("notices.mail.to", i), to)
	}
}

// mailAddress checks an address without a name.
func (v *validator) mailAddress(key, address string) {
	if a, err := mail.ParseAddress(address); err != nil || a.Address != address || dispatch.CheckField("X", address) != nil {
		v.faultf(key, "%q is not a mail address", address)
	}
}
