package storage

import (
	"context"
	"fmt"
)

// without removes messages from the index while remove removes them from the store, and gives back those that it did not.
func (i *indexer) without(ctx context.Context, ids []string, remove func() error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	last, err := i.store.lastRow(ctx, ids)
	if err == nil {
		err = i.index.forget(ids, last)
	}
	if err != nil {
		return fmt.Errorf("take messages out of the search index: %w", err)
	}
	if err := remove(); err != nil {
		return err
	}
	return i.restore(ctx, ids)
}

// blank is [searchIndex.blank], and purge [searchIndex.purge], in turn with the indexer.
func (i *indexer) blank(ids []string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.index.blank(ids)
}

func (i *indexer) purge() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.index.purge()
}

// restore indexes those of the messages that are still there.
func (i *indexer) restore(ctx context.Context, ids []string) error {
	rows, err := i.store.read.QueryContext(ctx, selectIndexed+" WHERE m.id IN ("+placeholders(len(ids))+")", anyOf(ids)...)
	if err != nil {
		return err
	}
	var entries []entry
	err = each(rows, func() error {
		var n int64
		m, err := scanIndexed(rows.Scan, &n)
		if err == nil {
			entries = append(entries, entryOf(n, m))
		}
		return err
	})
	if err != nil || len(entries) == 0 {
		return err
	}
	return i.index.put(entries, 0)
}
