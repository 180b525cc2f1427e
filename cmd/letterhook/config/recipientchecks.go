package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/letterhook/letterhook/storage"
)

// RecipientCheck is an application that is asked at RCPT whether a recipient exists.
type RecipientCheck struct {
	Name         string            `yaml:"name"` // by which domains and routes refer to it
	URL          string            `yaml:"url"`
	Secrets      []Secret          `yaml:"secrets"`       // as those of an endpoint
	SecretFile   string            `yaml:"secret_file"`   // one secret a line, instead of secrets
	Timeout      Duration          `yaml:"timeout"`       // of a question, the wait for its turn included; left out: 5s
	Concurrency  int               `yaml:"concurrency"`   // questions at a time; left out: 16
	AllowPrivate bool              `yaml:"allow_private"` // it may lie in a private network
	Headers      map[string]string `yaml:"headers"`       // added to every request
	OnError      string            `yaml:"on_error"`      // "defer" (left out) or "accept", while it gives no answer
	KeepAccepted Duration          `yaml:"keep_accepted"` // how long a yes is remembered; 0: not at all; left out: 10m
	KeepRefused  Duration          `yaml:"keep_refused"`  // and a no; left out: 1m

	Source string `yaml:"-"` // where it was declared, for example "letterhook.yaml:41"
}

// The words of on_error.
const (
	OnErrorDefer  = "defer"
	OnErrorAccept = "accept"
)

const (
	checkTimeout      = 5 * Duration(1e9)
	checkConcurrency  = 16
	checkKeepAccepted = 10 * minute
	checkKeepRefused  = minute
)

// complete fills in what is left out; set says what is not.
func (c *RecipientCheck) complete(set func(key string) bool) {
	if c.Timeout == 0 {
		c.Timeout = checkTimeout
	}
	if c.Concurrency == 0 {
		c.Concurrency = checkConcurrency
	}
	if c.OnError == "" {
		c.OnError = OnErrorDefer
	}
	if !set("keep_accepted") {
		c.KeepAccepted = checkKeepAccepted
	}
	if !set("keep_refused") {
		c.KeepRefused = checkKeepRefused
	}
}

func (v *validator) recipientChecks() {
	seen := map[string]bool{}
	for i, c := range v.RecipientChecks {
		key := fmt.Sprintf("recipient_checks[%d]", i)
		v.name(key+".name", c.Name, seen)
		if c.Name == storage.CheckNone {
			v.faultf(key+".name", "%q is the word for no check", c.Name)
		}
		v.endpointURL(key, Endpoint{URL: c.URL, AllowPrivate: c.AllowPrivate})
		if len(c.Secrets) == 0 && c.SecretFile == "" {
			v.faultf(key+".secrets", "at least one is required: every request is signed")
		}
		v.between(key+".timeout", int64(c.Timeout), int64(Duration(1e8)), int64(minute)) // RFC 5321 section 4.5.3.2.3: a sender waits 5 minutes
		v.between(key+".concurrency", int64(c.Concurrency), 1, 10_000)
		v.word(key+".on_error", c.OnError, OnErrorDefer, OnErrorAccept)
		for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
			v.header(key+".headers."+name, name, c.Headers[name])
		}
	}
}

// recipientCheck checks a reference to one of recipient_checks.
func (v *validator) recipientCheck(key, name string) {
	declared := slices.ContainsFunc(v.RecipientChecks, func(c RecipientCheck) bool { return c.Name == name })
	if name != "" && name != storage.CheckNone && !declared && !v.lostAny(checkNames) {
		v.faultf(key+".recipient_check", "there is no recipient check %q", name)
	}
}
