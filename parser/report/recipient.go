package report

import "strings"

// chosen are the recipients of the surest level that has any.
func (t *transcript) chosen(n Notice, original string, delay bool) []Recipient {
	var list []*mention
	switch {
	case len(n.Failed) > 0:
		list = t.known(n.Failed)
	default:
		for level := range confidence {
			if list = without(t.by[level], n.To, level); len(list) > 0 {
				break
			}
		}
	}
	if len(list) == 0 {
		list = t.known(n.Original)
	}
	if len(list) == 0 {
		list = t.known(addressesOf(original))
	}
	if len(list) == 0 && len(t.by[named]) > 0 {
		list = t.by[named] // they wrote to themselves
	}
	action := ActionFailed
	if delay {
		action = ActionDelayed
	}
	recipients := make([]Recipient, 0, len(list))
	shared := t.shared(list)
	for _, m := range list {
		diagnostic := t.diagnosis(m, shared, len(list) == 1)
		r := Recipient{Address: m.address, Action: action}
		r.Original, r.Diagnostic = expanded(diagnostic)
		r.Status, r.RemoteMTA = statusOf("", diagnostic, action), remote(diagnostic)
		recipients = append(recipients, r)
	}
	return recipients
}

// known makes mentions of addresses that are recipients for another reason, with what the text says of them.
func (t *transcript) known(addresses []string) []*mention {
	var list []*mention
	for _, a := range addresses {
		if len(list) == MostRecipients {
			t.cut = true
			break
		}
		m := &mention{address: a, line: -1}
		for level := range t.index {
			if have := t.index[level][strings.ToLower(a)]; have != nil {
				m.line = have.line
				m.say(have.diagnostic.String())
				break
			}
		}
		list = append(list, m)
	}
	return list
}

// diagnosis is what is said of a recipient: its own paragraph, unless that has no code and a transcript has one, or the rest of
// the text where there is no other recipient.
func (t *transcript) diagnosis(m *mention, shared string, only bool) string {
	own := m.diagnostic.String()
	if own != "" && look(own).reply+look(own).enhanced != "" {
		return own
	}
	if at := t.index[commanded][strings.ToLower(m.address)]; at != nil && at != m {
		if said := at.diagnostic.String(); look(said).reply != "" {
			return said
		}
	}
	if own == "" || only && look(shared).reply != "" {
		own = shared
	}
	if own == "" || m.label != "" && !holds(folded(own), failures) && holds(folded(m.label), failures) {
		own = cutRunes(m.label, longestDiagnostic)
	}
	return own
}

// expanded takes from a diagnosis what Exim, Postfix and sendmail say of an address that became another one.
func expanded(diagnostic string) (original, rest string) {
	for _, opening := range []string{"(generated from ", "(ultimately generated from ", "(expanded from ", "(expanded from: "} {
		if said, ok := strings.CutPrefix(diagnostic, opening); ok {
			if address, n := addressAt(said); n > 0 && strings.HasPrefix(said[n:], ")") {
				return address, strings.TrimLeft(said[n+1:], ": ")
			}
		}
	}
	return "", diagnostic
}

// shared is what the text says without naming somebody: the paragraph from the first line with a code on, behind the first
// recipient or else before; where there is no code, all that stands behind the last recipient, else before the first.
func (t *transcript) shared(list []*mention) string {
	if len(list) == 0 {
		return ""
	}
	firstLine, lastLine := len(t.lines), -1
	for _, m := range list {
		firstLine, lastLine = min(firstLine, max(m.line, 0)), max(lastLine, m.line)
	}
	said := coded(t.lines[firstLine:])
	if said == "" {
		said = coded(t.lines[:firstLine])
	}
	if said == "" {
		said = spoken(t.lines[lastLine+1:])
	}
	if said == "" {
		said = spoken(t.lines[:firstLine])
	}
	return said
}

// coded is the paragraph from the first line with a code of failure on.
func coded(lines []string) string {
	var m mention
	for _, line := range lines {
		if m.diagnostic.Len() > 0 && (strings.TrimSpace(line) == "" || m.diagnostic.Len() >= longestDiagnostic) {
			break
		}
		if f := look(line); m.diagnostic.Len() > 0 || f.reply != "" || f.enhanced != "" && f.enhanced[0] != '2' {
			m.say(line)
		}
	}
	return m.diagnostic.String()
}

func spoken(lines []string) string {
	var m mention
	for _, line := range lines {
		m.say(line)
	}
	return m.diagnostic.String()
}

// without leaves out who got the notice, and of addresses that stand anywhere those of people who can help.
func without(list []*mention, to []string, level int) []*mention {
	var kept []*mention
	for _, m := range list {
		local, _, _ := strings.Cut(strings.ToLower(m.address), "@")
		helper := local == "postmaster" || local == "abuse" || local == "support" || local == "helpdesk" || local == "info" || MailerDaemon(m.address)
		if !containsFold(to, m.address) && (level != anywhere || !helper) {
			kept = append(kept, m)
		}
	}
	return kept
}

func containsFold(list []string, s string) bool {
	for _, have := range list {
		if strings.EqualFold(have, s) {
			return true
		}
	}
	return false
}

// addressesOf are the recipients that the header of the returned mail names.
func addressesOf(original string) []string {
	var list []string
	all := groups(clipTo(original, 16<<10))
	if len(all) == 0 {
		return nil
	}
	rest := first(all[0], "to")
	for len(list) < MostRecipients {
		_, address, after, ok := nextAddress(rest)
		if !ok {
			return list
		}
		if !containsFold(list[max(0, len(list)-8):], address) {
			list = append(list, address)
		}
		rest = after
	}
	return list
}
