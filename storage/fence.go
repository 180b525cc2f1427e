package storage

import "slices"

// fence sets ErrLost on completions whose lanes are not their epoch's any more, and gives the others. A node that may have died is
// buried in a transaction that deletes its row before it frees its lanes: either that comes first, and is seen here, or it waits for
// this transaction, and whoever has the lanes then reads what is written here.
func (t *transaction) fence(cs []*completing) ([]*completing, error) {
	if !slices.ContainsFunc(cs, func(c *completing) bool { return c.Epoch != 0 }) {
		return cs, nil
	}
	lanes := map[int64][]string{}
	for _, c := range cs {
		if c.Epoch != 0 && !slices.Contains(lanes[c.Epoch], c.Attempt.Endpoint) {
			lanes[c.Epoch] = append(lanes[c.Epoch], c.Attempt.Endpoint)
		}
	}
	owned := map[int64]map[string]bool{}
	for epoch, names := range lanes {
		found, err := t.queryInt(t.form(keepNode), epoch)
		if err != nil {
			return nil, err
		}
		if found == 0 {
			continue
		}
		if owned[epoch], err = ownedOf(t.writer, epoch, listOf(names)); err != nil {
			return nil, err
		}
	}
	var held []*completing
	for _, c := range cs {
		c.err = nil
		if c.Epoch != 0 && !owned[c.Epoch][c.Attempt.Endpoint] {
			c.err = ErrLost
			continue
		}
		held = append(held, c)
	}
	return held, nil
}
