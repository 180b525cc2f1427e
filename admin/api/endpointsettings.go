package api

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// EndpointSettings are how an endpoint is reached and what it gets. The keys are those of the file. Durations are written like 30s, 5m or
// 7d; sizes are octets.
type EndpointSettings struct {
	URL          string   `json:"url" minLength:"1" maxLength:"2000" doc:"Where events are posted, http or https."`
	Schedule     []string `json:"schedule,omitempty" nullable:"false" maxItems:"100" doc:"Waits after the 1st, 2nd ... failed attempt; left out: those of the server." example:"[\"30s\",\"5m\",\"1h\"]"`
	Timeout      string   `json:"timeout,omitempty" maxLength:"40" doc:"Of one attempt, 1s to 5m." example:"15s"`
	MaxAge       string   `json:"max_age,omitempty" maxLength:"40" doc:"A delivery older than this is dead." example:"7d"`
	DisableAfter string   `json:"disable_after,omitempty" maxLength:"40" doc:"The endpoint is disabled when it fails for so long without a success." example:"5d"`
	Concurrency  int      `json:"concurrency,omitempty" minimum:"1" maximum:"10000" doc:"Attempts in flight, at most."`
	Rate         string   `json:"rate,omitempty" maxLength:"40" doc:"Of attempts; left out: any." example:"100/1m"`
	Burst        int      `json:"burst,omitempty" minimum:"1" maximum:"100000" doc:"Attempts that the rate lets begin at once after a rest."`
	Ordered      bool     `json:"ordered,omitempty" doc:"Strictly in the order of acceptance, one at a time."`
	MaxBody      int64    `json:"max_body,omitempty" minimum:"16384" maximum:"26214400" doc:"Octets of an event."`

	Headers      map[string]string `json:"headers,omitempty" doc:"Added to every request. Values are shown as ***, and *** leaves a value as it is."`
	BasicAuth    *BasicAuth        `json:"basic_auth,omitempty"`
	BearerToken  string            `json:"bearer_token,omitempty" maxLength:"8192" doc:"A fixed token for every request. It is never shown."`
	OAuth        *OAuth            `json:"oauth,omitempty"`
	Certificate  *ClientCert       `json:"client_certificate,omitempty"`
	Authorities  string            `json:"ca_pem,omitempty" maxLength:"100000" doc:"Roots of the receiver's certificate, PEM, in the place of the system's."`
	Proxy        string            `json:"proxy,omitempty" maxLength:"2000" doc:"URL of an HTTP proxy; none: none. The operator alone sets it."`
	AllowPrivate bool              `json:"allow_private,omitempty" doc:"It may lie in a private network. The operator alone sets it."`

	Format       string   `json:"format,omitempty" maxLength:"40" doc:"Shape of the requests: native or that of a hosted parser." example:"native"`
	FormatKey    string   `json:"format_key,omitempty" maxLength:"1000" doc:"What the format signs with, as its vendor shows it. It is never shown."`
	Attachments  string   `json:"attachments,omitempty" enum:"url,inline,none" doc:"How their content goes to the receiver."`
	InlineSize   int64    `json:"inline_size,omitempty" minimum:"1" maximum:"26214400" doc:"Octets up to which an attachment is put into the event."`
	HeaderFields []string `json:"header_fields,omitempty" nullable:"false" maxItems:"200" doc:"Fields of the mail that the event has; all or none."`
	Gzip         bool     `json:"gzip,omitempty" doc:"The event is compressed."`
	Shadow       bool     `json:"shadow,omitempty" doc:"It gets mail beside others, and whether it takes it counts nowhere."`
	Events       string   `json:"events,omitempty" enum:"message,recipient" doc:"One event for all recipients, or one for each."`
	StrictStatus bool     `json:"strict_status,omitempty" doc:"What the format's vendor takes for a refusal is one."`
	IncludeRaw   bool     `json:"include_raw,omitempty" doc:"The format postmark has the raw mail too."`
	Filters      []Filter `json:"filters,omitempty" nullable:"false" maxItems:"100" doc:"Any of them keeps mail back."`
}

// BasicAuth is user and password that every request has.
type BasicAuth struct {
	Username string `json:"username" minLength:"1" maxLength:"200"`
	Password string `json:"password,omitempty" maxLength:"1000" doc:"It is never shown."`
}

// OAuth gets tokens by client credentials.
type OAuth struct {
	TokenURL     string            `json:"token_url" minLength:"1" maxLength:"2000"`
	ClientID     string            `json:"client_id" minLength:"1" maxLength:"500"`
	ClientSecret string            `json:"client_secret,omitempty" maxLength:"2000" doc:"It is never shown."`
	Scopes       []string          `json:"scopes,omitempty" nullable:"false" maxItems:"100"`
	Params       map[string]string `json:"params,omitempty" doc:"Further parameters, for example audience."`
	SecretInBody bool              `json:"secret_in_body,omitempty" doc:"The credentials go in the body in place of basic authentication."`
}

// ClientCert is a certificate that requests have.
type ClientCert struct {
	Certificate string `json:"cert_pem,omitempty" maxLength:"100000" doc:"The chain, PEM."`
	Key         string `json:"key_pem,omitempty" maxLength:"20000" doc:"The private key, PEM. It is never shown."`
}

// Filter keeps mail back. Exactly one of skip_if and only_if is given.
type Filter struct {
	Name   string      `json:"name" minLength:"1" maxLength:"100" doc:"Stands where something is kept back."`
	SkipIf *Conditions `json:"skip_if,omitempty" doc:"Mail for which all of them hold is kept back."`
	OnlyIf *Conditions `json:"only_if,omitempty" doc:"Mail for which one of them does not hold is kept back."`
}

// Conditions are what a filter looks at; those that are left out hold.
type Conditions struct {
	Kind        []string          `json:"kind,omitempty" nullable:"false" maxItems:"20" doc:"One of these kinds of mail."`
	Spam        *bool             `json:"spam,omitempty" nullable:"false" doc:"Whether a scanner takes it for spam."`
	Verified    *bool             `json:"verified,omitempty" nullable:"false" doc:"Whether the sender's domain vouches for the author's address."`
	LargerThan  int64             `json:"larger_than,omitempty" minimum:"0" doc:"Octets."`
	SmallerThan int64             `json:"smaller_than,omitempty" minimum:"0" doc:"Octets."`
	Header      map[string]string `json:"header,omitempty" doc:"By the name of a field: its value, a glob or /an expression/."`
}

// hidden stands for the value of a header field.
const hidden = "***"

// shown are the settings without what is secret.
func (e EndpointSettings) shown() EndpointSettings {
	if u, err := url.Parse(e.URL); err == nil {
		if _, secret := u.User.Password(); secret {
			u.User = url.UserPassword(u.User.Username(), "xxxxx")
		}
		e.URL = u.String()
	}
	if u, err := url.Parse(e.Proxy); err == nil && e.Proxy != "" {
		e.Proxy = u.Redacted()
	}
	if e.Headers != nil {
		e.Headers = maps.Clone(e.Headers)
		for name := range e.Headers {
			e.Headers[name] = hidden
		}
	}
	if e.BasicAuth != nil {
		e.BasicAuth = &BasicAuth{Username: e.BasicAuth.Username}
	}
	if e.OAuth != nil {
		o := *e.OAuth
		o.ClientSecret = ""
		e.OAuth = &o
	}
	if e.Certificate != nil {
		e.Certificate = &ClientCert{Certificate: e.Certificate.Certificate}
	}
	e.BearerToken, e.FormatKey = "", ""
	return e
}

// keep puts what was shown as hidden back to what it was.
func (e *EndpointSettings) keep(old *EndpointSettings) {
	for name, value := range e.Headers {
		if before, ok := old.Headers[name]; ok && value == hidden {
			e.Headers[name] = before
		}
	}
	if e.URL == old.shown().URL {
		e.URL = old.URL
	}
	if e.Proxy == old.shown().Proxy {
		e.Proxy = old.Proxy
	}
}

// settingsOf are the settings of an endpoint as they hold, those that were left out filled in.
func settingsOf(e *storage.Endpoint) EndpointSettings {
	v := EndpointSettings{
		URL: e.URL, Timeout: span(e.Timeout), MaxAge: span(e.MaxAge), Concurrency: e.Concurrency, Ordered: e.Ordered, MaxBody: int64(e.MaxBody),
		Headers: e.Headers, Authorities: string(e.Access.Authorities), Proxy: e.Access.Proxy, AllowPrivate: e.AllowPrivate, Format: e.Format,
		Attachments: string(e.Attachments), InlineSize: int64(e.InlineSize), HeaderFields: e.HeaderFields, Gzip: e.Gzip, Shadow: e.Shadow,
		StrictStatus: e.StrictStatus, IncludeRaw: e.IncludeRaw, Events: "message", Filters: filtersOf(e.Filters),
	}
	for _, d := range e.Schedule {
		v.Schedule = append(v.Schedule, span(d))
	}
	if e.DisableAfter > 0 {
		v.DisableAfter = span(e.DisableAfter)
	}
	if e.Rate.Every > 0 {
		v.Rate, v.Burst = "1/"+span(e.Rate.Every), e.Rate.Burst
	}
	if e.PerRecipient {
		v.Events = "recipient"
	}
	if e.HeaderFields != nil && len(e.HeaderFields) == 0 {
		v.HeaderFields = []string{"none"}
	}
	if e.Access.Username != "" {
		v.BasicAuth = &BasicAuth{Username: e.Access.Username}
	}
	if o := e.Access.OAuth; o != nil {
		v.OAuth = &OAuth{TokenURL: o.TokenURL, ClientID: o.ID, Scopes: o.Scopes, Params: o.Params, SecretInBody: o.SecretInBody}
	}
	if len(e.Access.Certificate) > 0 {
		v.Certificate = &ClientCert{Certificate: string(e.Access.Certificate)}
	}
	return v.shown()
}

func filtersOf(list []storage.Filter) (filters []Filter) {
	for i := range list {
		f := &list[i]
		c := &Conditions{Kind: f.Kinds, Spam: f.Spam, Verified: f.Verified, LargerThan: f.LargerThan, SmallerThan: f.SmallerThan}
		for _, m := range f.Fields {
			if c.Header == nil {
				c.Header = map[string]string{}
			}
			c.Header[m.Name] = "/" + m.Value.String() + "/"
		}
		one := Filter{Name: f.Name, SkipIf: c}
		if f.Only {
			one.SkipIf, one.OnlyIf = nil, c
		}
		filters = append(filters, one)
	}
	return filters
}

// span writes a duration as settings read it.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return ""
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return d.String()
}

// operatorsOnly names the settings that the operator alone may set.
func (e *EndpointSettings) operatorsOnly(old *EndpointSettings) (names []string) {
	if e.AllowPrivate && !old.AllowPrivate {
		names = append(names, "allow_private")
	}
	if e.Proxy != "" && e.Proxy != old.Proxy {
		names = append(names, "proxy")
	}
	if old.privileged() && (e.URL != old.URL || e.tokenURL() != old.tokenURL()) {
		names = append(names, "where an endpoint with allow_private or a proxy lies")
	}
	slices.Sort(names)
	return names
}

// privileged says that requests may go where those of others may not.
func (e *EndpointSettings) privileged() bool { return e.AllowPrivate || e.Proxy != "" }

func (e *EndpointSettings) tokenURL() string {
	if e.OAuth == nil {
		return ""
	}
	return e.OAuth.TokenURL
}
