package report

import "strings"

// Complete adds to a machine-readable report what only the text beside it says: recipients where it names none, and the
// diagnosis of those that have none.
func (d *Delivery) Complete(r Reading) {
	if !d.named() {
		for i := range r.Recipients {
			if i < len(d.Recipients) { // what there are fields for is from the fields
				have, told := &d.Recipients[i], r.Recipients[i]
				have.Address = told.Address
				have.tell(told, r.Formal)
			} else {
				d.Recipients = append(d.Recipients, r.Recipients[i])
			}
		}
	}
	told := make(map[string]Recipient, len(r.Recipients))
	for _, t := range r.Recipients {
		told[strings.ToLower(t.Address)] = t
	}
	for i := range d.Recipients {
		have := &d.Recipients[i]
		have.tell(told[strings.ToLower(have.Address)], r.Formal)
	}
	setOnce(&d.ReportingMTA, r.ReportingMTA)
	d.Original, d.Cut = r.Original, d.Cut || r.Cut
}

// Lacking reports whether the text beside the report can add to it.
func (d *Delivery) Lacking() bool {
	for _, r := range d.Recipients {
		if r.Diagnostic == "" {
			return true
		}
	}
	return !d.named()
}

// named reports whether any recipient has an address.
func (d *Delivery) named() bool {
	for _, r := range d.Recipients {
		if r.Address != "" {
			return true
		}
	}
	return false
}

// tell takes what a text says of the recipient. Unless it names recipients in a form, this may be the greeting of the mail system:
// then it is taken for a code, or where nothing better is known.
func (r *Recipient) tell(told Recipient, formal bool) {
	f := look(told.Diagnostic)
	if r.Diagnostic != "" || told.Diagnostic == "" || !formal && f.reply+f.enhanced == "" && !strings.HasSuffix(r.Status, ".0.0") {
		return
	}
	r.Diagnostic = told.Diagnostic
	setOnce(&r.RemoteMTA, told.RemoteMTA)
	setOnce(&r.Original, told.Original)
	r.Status = statusOf(r.Status, r.Diagnostic, r.Action)
}
