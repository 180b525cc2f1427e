package storage

import (
	"bytes"
	"fmt"
	"slices"
	"sort"

	"github.com/oklog/ulid/v2"
)

// segment is what the index knows of one without its pages.
type segment struct {
	n         int64  // a later one has a greater number
	low, high string // ids of its first and last message
	docs      int64
	live      int64 // those of which retention has left the message
}

// draft is a segment that is being made.
type draft struct {
	ids      []messageID
	postings []uint64 // term and number of the message
}

// messageID is the id of a message without its prefix.
type messageID [idOctets]byte

func parseMessageID(id string) (m messageID, ok bool) {
	if len(id) != len(messagePrefix)+ulid.EncodedSize {
		return m, false
	}
	parsed, err := ulid.Parse(id[len(messagePrefix):])
	return messageID(parsed), err == nil
}

func (m messageID) String() string { return messagePrefix + lowerULID(ulid.ULID(m)) }

// add takes a message, the ids in their order.
func (d *draft) add(id messageID, terms []uint32) {
	doc := uint64(len(d.ids))
	d.ids = append(d.ids, id)
	for _, t := range terms {
		d.postings = append(d.postings, uint64(t)<<32|doc)
	}
}

// pages makes those of the lists and of the ids.
func (d *draft) pages() []searchPage {
	slices.Sort(d.postings)
	var w pageWriter
	var docs []uint32
	for i := 0; i < len(d.postings); {
		term := uint32(d.postings[i] >> 32)
		docs = docs[:0]
		for ; i < len(d.postings) && uint32(d.postings[i]>>32) == term; i++ {
			if doc := uint32(d.postings[i]); len(docs) == 0 || docs[len(docs)-1] != doc {
				docs = append(docs, doc)
			}
		}
		w.add(term, docs)
	}
	w.flush()
	return append(w.pages, idPages(d.ids)...)
}

func (d *draft) segment() segment {
	n := int64(len(d.ids))
	return segment{low: d.ids[0].String(), high: d.ids[n-1].String(), docs: n, live: n}
}

func idPages(ids []messageID) (pages []searchPage) {
	for chunk := range slices.Chunk(ids, idsPerPage) {
		data := make([]byte, 0, len(chunk)*idOctets)
		for i := range chunk {
			data = append(data, chunk[i][:]...)
		}
		pages = append(pages, searchPage{int64(-1 - len(pages)), data})
	}
	return pages
}

// idPageOf is the key of the page with the id of a message.
func idPageOf(doc int) int64 { return int64(-1 - doc/idsPerPage) }

// loaded is a segment with all its pages, the lists in their order.
type loaded struct {
	segment

	ids   []messageID
	lists []searchPage
}

// take sorts in a page that was read.
func (l *loaded) take(p searchPage) error {
	if p.key >= 0 {
		l.lists = append(l.lists, p)
		return nil
	}
	at := int(-1-p.key) * idsPerPage
	if len(p.data)%idOctets != 0 || at+len(p.data)/idOctets > int(l.docs) {
		return errSearchPage
	}
	if len(l.ids) == 0 {
		l.ids = make([]messageID, l.docs)
	}
	for i := range len(p.data) / idOctets {
		l.ids[at+i] = messageID(p.data[i*idOctets:])
	}
	return nil
}

// find gives the number of a message; false: it is not in the segment.
func (l *loaded) find(id messageID) (uint32, bool) {
	i := sort.Search(len(l.ids), func(i int) bool { return bytes.Compare(l.ids[i][:], id[:]) >= 0 })
	return uint32(i), i < len(l.ids) && l.ids[i] == id
}

// without gives the pages that change when messages are taken out of the lists: of some terms, or with none given of all.
func (l *loaded) without(gone docSet, of ...uint32) (changed []searchPage, err error) {
	for _, p := range l.lists {
		var w listWriter
		differs := false
		r := pageReader{data: p.data}
		for r.next() {
			docs := r.docs
			if len(of) == 0 || slices.Contains(of, r.term) {
				docs = slices.DeleteFunc(docs, gone.has)
			}
			differs = differs || len(docs) < len(r.docs)
			w.add(r.term, docs)
		}
		if r.err != nil {
			return nil, fmt.Errorf("segment %d: %w", l.n, r.err)
		}
		if differs {
			changed = append(changed, searchPage{p.key, append([]byte{}, w.data...)})
		}
	}
	return changed, nil
}
