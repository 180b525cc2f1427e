package config

import (
	"reflect"
	"slices"
	"strings"
)

// liveKeys can change while the server runs; every other key needs a restart. The first certificate is no change of one:
// listeners begin to speak TLS, or cease to, at a start alone. So does ACME.
var liveKeys = []string{"users", "accounts", "endpoints", "domains", "recipient_checks", "tls.certificates", "tls.acme.names", "storage.retention", "delivery.proxy", "defence.lists", "log.level"}

// Frozen names the keys that differ between two configurations and that a running server cannot change, sorted.
func Frozen(running, next *Config) []string {
	var keys []string
	diff(reflect.ValueOf(running).Elem(), reflect.ValueOf(next).Elem(), "", &keys)
	keys = slices.DeleteFunc(keys, func(key string) bool {
		return slices.ContainsFunc(liveKeys, func(live string) bool { return key == live || strings.HasPrefix(key, live+".") })
	})
	if startsTLS(running, next) {
		keys = append(keys, "tls.certificates")
	}
	if startsACME(running, next) {
		keys = append(keys, "tls.acme.names")
	}
	slices.Sort(keys)
	return keys
}

// startsTLS says whether certificates in files are the first, or were the last, of all.
func startsTLS(running, next *Config) bool {
	return len(running.TLS.ACME.Names) == 0 && (len(running.TLS.Certificates) == 0) != (len(next.TLS.Certificates) == 0)
}

// startsACME says whether next has names for ACME where running has none, or the other way round.
func startsACME(running, next *Config) bool {
	return (len(running.TLS.ACME.Names) == 0) != (len(next.TLS.ACME.Names) == 0)
}

// diff gathers the keys whose values differ. A list counts as one value.
func diff(a, b reflect.Value, key string, keys *[]string) {
	fields := fieldsOf(b)
	for name, field := range fieldsOf(a) {
		path, other := join(key, name), fields[name]
		if field.Kind() == reflect.Struct {
			diff(field, other, path, keys)
		} else if !reflect.DeepEqual(field.Interface(), other.Interface()) {
			*keys = append(*keys, path)
		}
	}
}

// Keep puts the values of running in the place of those that [Frozen] names, so that next is what the server is after
// a reload.
func Keep(running, next *Config) *Config {
	kept := *running
	kept.Users = next.Users
	kept.Accounts, kept.Endpoints, kept.Domains = next.Accounts, next.Endpoints, next.Domains
	kept.RecipientChecks = next.RecipientChecks
	if !startsTLS(running, next) {
		kept.TLS.Certificates = next.TLS.Certificates
	}
	if !startsACME(running, next) {
		kept.TLS.ACME.Names = next.TLS.ACME.Names
	}
	kept.Storage.Retention = next.Storage.Retention
	kept.Delivery.Proxy = next.Delivery.Proxy
	kept.Defence.Lists = next.Defence.Lists
	kept.Log.Level = next.Log.Level
	kept.Warnings, kept.positions = next.Warnings, next.positions
	return &kept
}
