package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/storage"
)

// Stored is an account, a domain, an endpoint or a route that came by the API, as it is to be added to what the file declares.
type Stored struct {
	ID      string
	Kind    storage.SettingKind
	Account string // name
	Name    string // of a route: its domain, a space and its match
	Body    []byte // JSON with the keys of the file; PEM texts in the place of files
}

// StoredFault is why something that came by the API cannot be.
type StoredFault struct {
	Key    string // within it, for example "url"; empty: the whole
	Reason string
}

// storedAccess are the keys that stand in the place of files, which only the operator may name.
type storedAccess struct {
	ClientCertificate struct {
		Certificate string `yaml:"cert_pem"`
		Key         string `yaml:"key_pem"`
	} `yaml:"client_certificate"`
	Authorities string `yaml:"ca_pem"`
}

// With gives the configuration with what came by the API added to it. What cannot be is left out, with its faults by id; the
// file always holds.
func (c *Config) With(stored []Stored) (*Config, map[string][]StoredFault) {
	all := map[string][]StoredFault{}
	left := slices.Clone(stored)
	for {
		m := c.merge(left)
		if len(m.bad) == 0 {
			return m.config, all
		}
		maps.Copy(all, m.bad)
		left = slices.DeleteFunc(left, func(s Stored) bool { return m.bad[s.ID] != nil })
	}
}

// merging is an attempt to add everything.
type merging struct {
	config *Config
	owners map[string]string        // key of an item, for example "endpoints[3]" -> id
	bad    map[string][]StoredFault // by id
}

func (c *Config) merge(stored []Stored) *merging {
	merged := *c
	merged.Accounts, merged.Endpoints, merged.Domains = slices.Clone(c.Accounts), slices.Clone(c.Endpoints), slices.Clone(c.Domains)
	for i := range merged.Domains {
		merged.Domains[i].Routes = slices.Clip(merged.Domains[i].Routes)
	}
	merged.Warnings = nil
	m := &merging{config: &merged, owners: map[string]string{}, bad: map[string][]StoredFault{}}
	for _, kind := range []struct {
		of  storage.SettingKind
		add func(*Stored)
	}{
		{storage.SettingAccount, m.addAccount}, {storage.SettingEndpoint, m.addEndpoint}, {storage.SettingDomain, m.addDomain}, {storage.SettingRoute, m.addRoute},
	} {
		for i := range stored {
			if stored[i].Kind == kind.of {
				kind.add(&stored[i])
			}
		}
	}
	if len(m.bad) == 0 {
		m.validate()
	}
	merged.Warnings = c.Warnings
	return m
}

func (m *merging) report(id, key, reason string) {
	m.bad[id] = append(m.bad[id], StoredFault{key, reason})
}

// read fills a part of the configuration from what is stored.
func (m *merging) read(s *Stored, into any) {
	var values map[string]any
	d := json.NewDecoder(bytes.NewReader(s.Body))
	d.UseNumber()
	if err := d.Decode(&values); err != nil {
		m.report(s.ID, "", "is no object")
		return
	}
	fill(reflect.ValueOf(into).Elem(), values, "", func(key, reason string) { m.report(s.ID, key, reason) })
}

func (m *merging) addAccount(s *Stored) {
	m.owners[fmt.Sprintf("accounts[%d]", len(m.config.Accounts))] = s.ID
	a := Account{}
	m.read(s, &a)
	a.Name = s.Name
	m.config.Accounts = append(m.config.Accounts, a)
}

func (m *merging) addEndpoint(s *Stored) {
	m.owners[fmt.Sprintf("endpoints[%d]", len(m.config.Endpoints))] = s.ID
	e, access, rest := Endpoint{}, storedAccess{}, map[string]any{}
	var values map[string]any
	d := json.NewDecoder(bytes.NewReader(s.Body))
	d.UseNumber()
	if err := d.Decode(&values); err != nil {
		m.report(s.ID, "", "is no object")
		return
	}
	for _, name := range []string{"client_certificate", "ca_pem"} {
		if v, ok := values[name]; ok {
			rest[name] = v
			delete(values, name)
		}
	}
	report := func(key, reason string) { m.report(s.ID, key, reason) }
	fill(reflect.ValueOf(&e).Elem(), values, "", report)
	fill(reflect.ValueOf(&access).Elem(), rest, "", report)
	e.Name, e.Account, e.Source, e.StoredSecrets = s.Name, s.Account, storage.SourceAPI, true
	completeFormat(&e)
	completeAccess(m.config, &faults{}, "", &e)
	e.Access.Certificate, e.Access.Key = pemText(access.ClientCertificate.Certificate), pemText(access.ClientCertificate.Key)
	e.Access.Authorities = pemText(access.Authorities)
	if (access.ClientCertificate.Certificate == "") != (access.ClientCertificate.Key == "") {
		report("client_certificate", "cert_pem and key_pem belong together")
	}
	m.config.Endpoints = append(m.config.Endpoints, e)
}

func pemText(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

func (m *merging) addDomain(s *Stored) {
	m.owners[fmt.Sprintf("domains[%d]", len(m.config.Domains))] = s.ID
	d := Domain{}
	m.read(s, &d)
	d.Name, d.Account, d.Source = s.Name, s.Account, storage.SourceAPI
	owns := func(e Endpoint) bool { return e.Account == d.Account }
	if !slices.ContainsFunc(m.config.Endpoints, owns) {
		m.report(s.ID, "", "the account has no endpoint yet, so mail to postmaster and abuse would be lost: make an endpoint first")
	}
	m.config.Domains = append(m.config.Domains, d)
}

func (m *merging) addRoute(s *Stored) {
	domain, match, _ := strings.Cut(s.Name, " ")
	i := slices.IndexFunc(m.config.Domains, func(d Domain) bool {
		name, ok := normalDomain(d.Name)
		return ok && name == domain && d.Account == s.Account
	})
	if i < 0 {
		m.report(s.ID, "domain", "the account has no domain "+domain)
		return
	}
	r := Route{}
	m.read(s, &r)
	r.Match, r.Source = match, storage.SourceAPI
	m.owners[fmt.Sprintf("domains[%d].routes[%d]", i, len(m.config.Domains[i].Routes))] = s.ID
	m.config.Domains[i].Routes = append(m.config.Domains[i].Routes, r)
}

// validate holds the whole to the rules of the file, and finds out whose the faults are.
func (m *merging) validate() {
	f := &faults{}
	v := &validator{Config: m.config, faults: f, unread: map[string]bool{}, addresses: map[string]bool{}}
	v.accounts()
	v.endpoints()
	v.domains()
	v.shadows()
	v.mtaSTS()
	for _, fault := range f.list {
		for key := fault.Key; key != ""; {
			if id := m.owners[key]; id != "" {
				m.report(id, strings.TrimPrefix(strings.TrimPrefix(fault.Key, key), "."), fault.Reason)
				break
			}
			cut := strings.LastIndexAny(key, ".[")
			if cut < 0 {
				break
			}
			key = key[:cut]
		}
	}
}
