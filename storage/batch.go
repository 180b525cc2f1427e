package storage

// batch is what the committer writes in one transaction. Its tasks have transactions of their own.
type batch struct {
	accepts     []*acceptance
	pack        *packSync // the sync of what accepts wrote to a segment; nil: they wrote nothing
	completions []*completing
	begins      []*beginning
	ends        []string
	acks        retired
	tasks       []*task
}

func (b *batch) empty() bool { return b.rows() == 0 && len(b.tasks) == 0 }

// rows counts what can fail by itself.
func (b *batch) rows() int {
	return len(b.accepts) + len(b.completions) + len(b.begins) + len(b.ends) + b.acks.len()
}

// split halves a batch of two or more, by kind first: acknowledgements stay in front, because a mail accepted after one
// depends on it, and ends of parses before begins.
func (b *batch) split() (*batch, *batch) {
	switch {
	case b.acks.len() > 0 && b.acks.len() < b.rows():
		return &batch{acks: b.acks}, &batch{accepts: b.accepts, pack: b.pack, completions: b.completions, begins: b.begins, ends: b.ends}
	case b.acks.len() > 0:
		k, i := len(b.acks.keys)/2, (len(b.acks.ids)+1)/2
		return &batch{acks: retired{b.acks.keys[:k], b.acks.ids[:i]}}, &batch{acks: retired{b.acks.keys[k:], b.acks.ids[i:]}}
	case len(b.accepts) > 0 && len(b.accepts) < b.rows():
		return &batch{accepts: b.accepts, pack: b.pack}, &batch{completions: b.completions, begins: b.begins, ends: b.ends}
	case len(b.accepts) > 0:
		h := len(b.accepts) / 2
		return &batch{accepts: b.accepts[:h], pack: b.pack}, &batch{accepts: b.accepts[h:], pack: b.pack}
	case len(b.ends) > 0 && len(b.ends) < b.rows():
		return &batch{ends: b.ends}, &batch{completions: b.completions, begins: b.begins}
	case len(b.ends) > 0:
		h := len(b.ends) / 2
		return &batch{ends: b.ends[:h]}, &batch{ends: b.ends[h:]}
	case len(b.begins) > 0 && len(b.begins) < b.rows():
		return &batch{begins: b.begins}, &batch{completions: b.completions}
	case len(b.begins) > 0:
		h := len(b.begins) / 2
		return &batch{begins: b.begins[:h]}, &batch{begins: b.begins[h:]}
	}
	h := len(b.completions) / 2
	return &batch{completions: b.completions[:h]}, &batch{completions: b.completions[h:]}
}

// failAccepts answers the mails in the batch with the error that kept them from the disk, and goes on without them.
func (b *batch) failAccepts(err error) {
	(&batch{accepts: b.accepts}).fail(err)
	b.accepts, b.pack = nil, nil
}

// fail answers everything in the batch with the error that kept it from the disk.
func (b *batch) fail(err error) {
	for _, a := range b.accepts {
		a.done <- err
	}
	for _, c := range b.completions {
		c.done(err)
	}
	for _, p := range b.begins {
		p.done <- err
	}
}
