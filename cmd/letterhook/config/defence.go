package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/guard"
)

// Defence is what is done against abuse beyond the limits of one connection. A source is an IPv4 address or an IPv6 /48.
type Defence struct {
	ExemptNetworks       []Network `yaml:"exempt_networks"` // clients that this section leaves alone
	ConnectRate          Rate      `yaml:"connect_rate"`    // connections of one source
	ConnectRateTotal     Rate      `yaml:"connect_rate_total"`
	UnknownRecipientRate Rate      `yaml:"unknown_recipient_rate"` // of one source, over all its connections
	ErrorRate            Rate      `yaml:"error_rate"`             // of one source, over all its connections
	UserLoginRate        Rate      `yaml:"user_login_rate"`        // failed logins of one user, from all sources
	Tarpit               Duration  `yaml:"tarpit"`                 // the longest wait for the answer to an unknown recipient; 0: none
	GreetDelay           Duration  `yaml:"greet_delay"`            // of the greeting; 0: none
	MaxDelayed           int       `yaml:"max_delayed"`            // connections that are held back at a time
	MinDataRate          Size      `yaml:"min_data_rate"`          // octets a second; 0: none
	TempTotal            Size      `yaml:"temp_total"`             // octets of all temporary files

	Lists        []ClientList `yaml:"lists"`        // of clients
	ListsTimeout Duration     `yaml:"list_timeout"` // for all zones together

	Greylisting Greylisting `yaml:"greylisting"` // where a listener or a domain wants it
}

// Greylisting puts off mail of senders that were never seen, until they come again.
type Greylisting struct {
	Delay  Duration `yaml:"delay"`  // how long a sender must wait
	Window Duration `yaml:"window"` // how long after the first attempt the second one counts
	Pass   Duration `yaml:"pass"`   // how long one that has passed is let in after it last came
}

// Rate is a budget that fills up again, written as "300/1m", or "none" for no limit.
type Rate guard.Rate

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(text []byte) error {
	const form = `not a rate: write it like "300/1m", or "none"`
	if string(text) == "none" {
		*r = Rate{Count: -1}
		return nil
	}
	count, per, ok := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(count)
	if !ok || err != nil {
		return errors.New(form)
	}
	var span Duration
	if err := span.UnmarshalText([]byte(per)); err != nil {
		return errors.New(form)
	}
	if n < 1 || n > 1_000_000 || span.Std() < time.Second || span > 7*day {
		return errors.New("must lie between 1 and 1000000 in 1s to 7d")
	}
	*r = Rate{Count: n, Per: span.Std()}
	return nil
}

// String writes r as [Rate.UnmarshalText] reads it.
func (r Rate) String() string {
	if r.Count < 0 {
		return "none"
	}
	return fmt.Sprintf("%d/%s", r.Count, Duration(r.Per))
}

// defaultDefence leaves this machine alone: what it sends to itself is nobody's attack.
func defaultDefence() Defence {
	return Defence{
		ExemptNetworks: []Network{
			{netip.MustParsePrefix("127.0.0.0/8")}, {netip.MustParsePrefix("::1/128")},
		},
		ConnectRate:          Rate{300, time.Minute},
		ConnectRateTotal:     Rate{500, time.Second},
		UnknownRecipientRate: Rate{100, time.Hour},
		ErrorRate:            Rate{200, time.Hour},
		UserLoginRate:        Rate{100, 24 * time.Hour},
		Tarpit:               10 * Duration(time.Second),
		MaxDelayed:           1000,
		MinDataRate:          1 * kib,
		TempTotal:            4 * gib,
		ListsTimeout:         5 * Duration(time.Second),
		Greylisting:          Greylisting{Delay: 5 * minute, Window: 1 * day, Pass: 36 * day},
	}
}

// Inbound is what the section says, without levers and what asks others.
func (d *Defence) Inbound() inbound.Defence {
	settings := inbound.Defence{
		ConnectRate: guard.Rate(d.ConnectRate), ConnectRateTotal: guard.Rate(d.ConnectRateTotal),
		UnknownRate: guard.Rate(d.UnknownRecipientRate), ErrorRate: guard.Rate(d.ErrorRate),
		UserLoginRate: guard.Rate(d.UserLoginRate),
		Tarpit:        orNone(d.Tarpit.Std()), GreetDelay: d.GreetDelay.Std(), MaxDelayed: d.MaxDelayed,
		MinDataRate: orNone(int64(d.MinDataRate)), TempTotal: int64(d.TempTotal),
	}
	for _, network := range d.ExemptNetworks {
		settings.Exempt = append(settings.Exempt, network.Prefix)
	}
	return settings
}

// orNone turns the 0 of the file into the negative value that means no limit.
func orNone[T ~int64](value T) T {
	if value == 0 {
		return -1
	}
	return value
}

func (v *validator) defence() {
	d := &v.Defence
	if d.Tarpit > 5*minute { // RFC 5321 section 4.5.3.2.3
		v.faultf("defence.tarpit", "at most 5m: a sender waits no longer")
	}
	if d.GreetDelay > minute { // RFC 5321 section 4.5.3.2.1 has clients wait for five
		v.faultf("defence.greet_delay", "at most 1m: many senders wait no longer")
	}
	v.between("defence.max_delayed", int64(d.MaxDelayed), 1, 1_000_000)
	if d.MinDataRate > mib {
		v.faultf("defence.min_data_rate", "at most 1MiB: a sender on a slow line is honest")
	}
	v.between("defence.temp_total", int64(d.TempTotal), 2*int64(v.SMTP.MaxMessageSize), 1<<50)
	v.lists()
	g := &d.Greylisting
	v.positive("defence.greylisting.delay", g.Delay)
	if g.Window <= g.Delay {
		v.faultf("defence.greylisting.window", "must be longer than delay: nobody would ever pass")
	}
	v.positive("defence.greylisting.pass", g.Pass)
	for i := range v.SMTP.Listeners {
		if l := &v.SMTP.Listeners[i]; l.Greylist && l.Kind != KindMX {
			v.faultf(fmt.Sprintf("smtp.listeners[%d].greylist", i), "is for kind: mx")
		}
	}
}
