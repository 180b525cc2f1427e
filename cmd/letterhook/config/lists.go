package config

import (
	"cmp"
	"fmt"

	"github.com/letterhook/letterhook/inbound/clientlist"
	"github.com/letterhook/letterhook/inbound/mailauth"
)

// ClientList is a list of the addresses of clients: a zone in DNS (RFC 5782) or a file.
type ClientList struct {
	Zone   string   `yaml:"zone"`
	File   string   `yaml:"file"`   // one network or address a line
	Name   string   `yaml:"name"`   // of a file, in events; left out: its path
	Kind   string   `yaml:"kind"`   // "block" or "allow"; left out: block
	Action string   `yaml:"action"` // "mark", "defer" or "reject"; left out: mark
	Codes  []string `yaml:"codes"`  // answers of the zone that count; left out: all

	list clientlist.List // what it says, filled by the validation
}

// ClientLists are the lists of the section defence.
func (c *Config) ClientLists() []clientlist.List {
	lists := make([]clientlist.List, len(c.Defence.Lists))
	for i := range c.Defence.Lists {
		lists[i] = c.Defence.Lists[i].list
	}
	return lists
}

func (v *validator) lists() {
	v.between("defence.list_timeout", int64(v.Defence.ListsTimeout), int64(Duration(1e6)), int64(minute))
	seen := map[string]bool{}
	for i := range v.Defence.Lists {
		l := &v.Defence.Lists[i]
		key := fmt.Sprintf("defence.lists[%d]", i)
		l.Kind = cmp.Or(l.Kind, string(clientlist.Block))
		if v.word(key+".kind", l.Kind, string(clientlist.Block), string(clientlist.Allow)) && l.Kind == string(clientlist.Allow) && l.Action != "" {
			v.faultf(key+".action", "makes no sense with kind: allow")
		}
		if l.Kind == string(clientlist.Block) {
			l.Action = cmp.Or(l.Action, string(clientlist.Mark))
			v.word(key+".action", l.Action, string(clientlist.Mark), string(clientlist.Defer), string(clientlist.Reject))
		}
		l.list = clientlist.List{Kind: clientlist.Kind(l.Kind), Action: clientlist.Action(l.Action)}
		switch {
		case (l.Zone == "") == (l.File == ""):
			v.faultf(key, "give one of zone and file")
			continue
		case l.Zone != "":
			v.zone(key, l)
		default:
			v.listFile(key, l)
		}
		if name := cmp.Or(l.list.Name, l.list.Zone); seen[name] {
			v.faultf(key, "%q is given twice", name)
		} else {
			seen[name] = true
		}
	}
}

func (v *validator) zone(key string, l *ClientList) {
	if !mailauth.IsDomain(l.Zone) {
		v.faultf(key+".zone", "%q is not a domain", l.Zone)
	}
	if l.Name != "" {
		v.faultf(key+".name", "is for a file; a zone has its own")
	}
	l.list.Zone = l.Zone
	for i, text := range l.Codes {
		code, err := clientlist.ParseCode(text)
		if err != nil {
			v.faultf(fmt.Sprintf("%s.codes[%d]", key, i), "%v", err)
		}
		l.list.Codes = append(l.list.Codes, code)
	}
}

func (v *validator) listFile(key string, l *ClientList) {
	if len(l.Codes) > 0 {
		v.faultf(key+".codes", "are for a zone")
	}
	networks, err := clientlist.ReadNetworks(l.File)
	if err != nil {
		v.faultf(key+".file", "%v", err)
	}
	l.list.Networks, l.list.Name = networks, cmp.Or(l.Name, l.File)
}
