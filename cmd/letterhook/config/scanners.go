package config

import (
	"fmt"

	"github.com/letterhook/letterhook/inbound/scan"
)

// Scanners look at each message before it is accepted. One without an address is not asked.
type Scanners struct {
	Rspamd       SpamScanner  `yaml:"rspamd"`
	SpamAssassin SpamScanner  `yaml:"spamassassin"` // not beside rspamd
	ClamAV       VirusScanner `yaml:"clamav"`
}

// SpamScanner is rspamd or SpamAssassin's spamd.
type SpamScanner struct {
	Address     string   `yaml:"address"`     // host:port or the path of a Unix socket; empty: it is not asked
	Timeout     Duration `yaml:"timeout"`     // that a message waits for it, the wait for its turn included
	MaxSize     Size     `yaml:"max_size"`    // octets; larger messages are not scanned
	Concurrency int      `yaml:"concurrency"` // messages that are scanned at a time
	OnError     string   `yaml:"on_error"`    // "accept" or "defer"
	OnSpam      string   `yaml:"on_spam"`     // "mark", "reject", "defer", or with rspamd "follow"
	SpamScore   float64  `yaml:"spam_score"`  // a message is spam from this score on; 0: the scanner says what is
}

// VirusScanner is ClamAV's clamd.
type VirusScanner struct {
	Address     string   `yaml:"address"`     // host:port or the path of a Unix socket; empty: it is not asked
	Timeout     Duration `yaml:"timeout"`     // that a message waits for it, the wait for its turn included
	MaxSize     Size     `yaml:"max_size"`    // octets; larger messages are not scanned
	Concurrency int      `yaml:"concurrency"` // messages that are scanned at a time
	OnError     string   `yaml:"on_error"`    // "accept" or "defer"
	OnVirus     string   `yaml:"on_virus"`    // "mark", "reject" or "defer"
}

func (s *SpamScanner) options() *scan.Options {
	if s.Address == "" {
		return nil
	}
	return &scan.Options{
		Address: s.Address, Timeout: s.Timeout.Std(), MaxSize: int64(s.MaxSize), Concurrency: s.Concurrency,
		OnError: scan.Action(s.OnError), OnFound: scan.Action(s.OnSpam), SpamScore: s.SpamScore,
	}
}

func (s *VirusScanner) options() *scan.Options {
	if s.Address == "" {
		return nil
	}
	return &scan.Options{
		Address: s.Address, Timeout: s.Timeout.Std(), MaxSize: int64(s.MaxSize), Concurrency: s.Concurrency,
		OnError: scan.Action(s.OnError), OnFound: scan.Action(s.OnVirus),
	}
}

// Scan is what the section scanners says, without a logger and metrics.
func (c *Config) Scan() scan.Config {
	s := &c.Scanners
	return scan.Config{
		Rspamd: s.Rspamd.options(), SpamAssassin: s.SpamAssassin.options(), ClamAV: s.ClamAV.options(), Hostname: c.Hostname,
	}
}

func (v *validator) scanners() {
	s := &v.Scanners
	v.spamScanner("scanners.rspamd", &s.Rspamd, string(scan.Follow))
	v.spamScanner("scanners.spamassassin", &s.SpamAssassin)
	const clamav = "scanners.clamav"
	v.scanner(clamav, s.ClamAV.options())
	v.word(clamav+".on_virus", s.ClamAV.OnVirus, string(scan.Mark), string(scan.Reject), string(scan.Defer))
	if s.Rspamd.Address != "" && s.SpamAssassin.Address != "" {
		v.faultf("scanners.spamassassin.address", "rspamd is given too; an event holds one verdict on spam")
	}
	if s.ClamAV.Address != "" && s.ClamAV.MaxSize < v.SMTP.MaxMessageSize {
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s: messages over %s are accepted without being scanned", clamav, s.ClamAV.MaxSize))
	}
}

func (v *validator) spamScanner(key string, s *SpamScanner, more ...string) {
	v.scanner(key, s.options())
	v.word(key+".on_spam", s.OnSpam, append([]string{string(scan.Mark), string(scan.Reject), string(scan.Defer)}, more...)...)
	if s.SpamScore < 0 {
		v.faultf(key+".spam_score", "cannot be negative")
	}
}

// scanner checks what scanners have in common; o is nil where it is not asked.
func (v *validator) scanner(key string, o *scan.Options) {
	if o == nil {
		return
	}
	if _, _, err := scan.ParseAddress(o.Address); err != nil {
		v.faultf(key+".address", "%v", err)
	}
	// RFC 5321 section 4.5.3.2.6: a sender waits ten minutes for the reply.
	v.between(key+".timeout", int64(o.Timeout), int64(Duration(1e6)), int64(5*minute))
	v.between(key+".max_size", o.MaxSize, 1, 1<<40)
	v.between(key+".concurrency", int64(o.Concurrency), 1, 10_000)
	v.word(key+".on_error", string(o.OnError), string(scan.Accept), string(scan.Defer))
}

// defaultScanners are those of the package that asks them.
func defaultScanners() Scanners {
	spam := func(name string) SpamScanner {
		o := scan.Default(name)
		return SpamScanner{
			Timeout: Duration(o.Timeout), MaxSize: Size(o.MaxSize), Concurrency: o.Concurrency,
			OnError: string(o.OnError), OnSpam: string(o.OnFound),
		}
	}
	virus := scan.Default(scan.ClamAV)
	return Scanners{
		Rspamd: spam(scan.Rspamd), SpamAssassin: spam(scan.SpamAssassin),
		ClamAV: VirusScanner{
			Timeout: Duration(virus.Timeout), MaxSize: Size(virus.MaxSize), Concurrency: virus.Concurrency,
			OnError: string(virus.OnError), OnVirus: string(virus.OnFound),
		},
	}
}
