package storage

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// A segment of the index has up to segmentDocs messages, numbered in the order of their ids, and for each term the list of those that
// have it. The lists lie in the order of the terms in pages, which are rows: what is written is written in a row, and what is asked for
// is found by one key. A term is a hash of 32 bits, so a list may have a few messages too many.
const (
	segmentDocs = 1 << 15
	pageOctets  = 1500 // a page that is longer gets no more lists
	idsPerPage  = 128
	idOctets    = 16
)

// searchPage is a row of the index. A negative key is that of a page of ids.
type searchPage struct {
	key  int64
	data []byte
}

var errSearchPage = errors.New("a page of the search index is damaged")

// docSet is a set of messages of a segment.
type docSet []uint64

func newDocSet(docs int64) docSet { return make(docSet, (docs+63)/64) }

func (s docSet) add(doc uint32) {
	if i := doc / 64; int(i) < len(s) {
		s[i] |= 1 << (doc % 64)
	}
}

func (s docSet) remove(doc uint32) {
	if i := doc / 64; int(i) < len(s) {
		s[i] &^= 1 << (doc % 64)
	}
}

func (s docSet) has(doc uint32) bool { return int(doc/64) < len(s) && s[doc/64]&(1<<(doc%64)) != 0 }

func (s docSet) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// last is the greatest member below a number; -1: there is none.
func (s docSet) last(below int) int {
	for i := min((below+63)/64, len(s)) - 1; i >= 0; i-- {
		w := s[i]
		if rest := below - i*64; rest < 64 {
			w &= 1<<rest - 1
		}
		if w != 0 {
			return i*64 + 63 - bits.LeadingZeros64(w)
		}
	}
	return -1
}

// listWriter writes lists one behind the other, in the order of their terms.
type listWriter struct {
	data []byte
	last uint32
}

// add writes a list, members in their order: what its term is beyond the one before, and then they. An empty one is left out.
func (w *listWriter) add(term uint32, docs []uint32) {
	if len(docs) == 0 {
		return
	}
	w.data = binary.AppendUvarint(w.data, uint64(term-w.last))
	w.data = appendDocs(w.data, docs)
	w.last = term
}

// pageWriter makes pages of lists.
type pageWriter struct {
	listWriter

	pages []searchPage
	key   int64 // of the page that is being written: its first term, or 0, so that there is a page for every term
}

func (w *pageWriter) add(term uint32, docs []uint32) {
	if len(w.data) >= pageOctets {
		w.flush()
		w.key = int64(term)
	}
	w.listWriter.add(term, docs)
}

func (w *pageWriter) flush() {
	w.pages = append(w.pages, searchPage{w.key, append([]byte{}, w.data...)}) // not nil, which would be NULL
	w.listWriter = listWriter{data: w.data[:0]}
}

// appendDocs writes a list: twice its length and the differences, or, where that is shorter, an odd number and a bit for each message.
func appendDocs(b []byte, docs []uint32) []byte {
	begin, octets := len(b), int(docs[len(docs)-1])/8+1
	b = binary.AppendUvarint(b, uint64(len(docs))<<1)
	next := uint32(0)
	for _, d := range docs {
		b = binary.AppendUvarint(b, uint64(d-next))
		next = d + 1
		if len(b)-begin > octets+3 {
			break
		}
	}
	if len(b)-begin <= octets+3 {
		return b
	}
	b = binary.AppendUvarint(b[:begin], uint64(octets)<<1|1)
	at := len(b)
	b = append(b, make([]byte, octets)...)
	for _, d := range docs {
		b[at+int(d/8)] |= 1 << (d % 8)
	}
	return b
}

// pageReader reads the lists of a page in their order.
type pageReader struct {
	data []byte
	term uint32
	docs []uint32 // of the list that was read; used again for the next one
	err  error
}

// next reads a list; false: there is none, or the page is damaged.
func (r *pageReader) next() bool {
	n, ok := r.head()
	if !ok {
		return false
	}
	r.docs = r.docs[:0]
	if n&1 == 1 {
		for i, octet := range r.octets(n >> 1) {
			for ; octet != 0; octet &= octet - 1 {
				r.docs = append(r.docs, uint32(i*8+bits.TrailingZeros8(octet)))
			}
		}
		return r.err == nil
	}
	doc := uint64(0)
	for range n >> 1 {
		d, ok := r.uvarint()
		if doc += d; !ok || doc >= segmentDocs {
			r.err = errSearchPage
			return false
		}
		r.docs = append(r.docs, uint32(doc))
		doc++
	}
	return true
}

// skip passes over the list of the term that head has read.
func (r *pageReader) skip(n uint64) {
	if n&1 == 1 {
		r.octets(n >> 1)
		return
	}
	for range n >> 1 {
		if _, ok := r.uvarint(); !ok {
			return
		}
	}
}

// head reads the term of a list and what says how long it is.
func (r *pageReader) head() (n uint64, ok bool) {
	if len(r.data) == 0 || r.err != nil {
		return 0, false
	}
	term, ok := r.uvarint()
	if ok {
		r.term += uint32(term)
		n, ok = r.uvarint()
	}
	if ok && n>>1 > segmentDocs {
		r.err, ok = errSearchPage, false
	}
	return n, ok
}

func (r *pageReader) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.err, r.data = errSearchPage, nil
		return 0, false
	}
	r.data = r.data[n:]
	return v, true
}

func (r *pageReader) octets(n uint64) []byte {
	if n > uint64(len(r.data)) || n > segmentDocs/8 {
		r.err, r.data = errSearchPage, nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

// addDocs adds those that have a term to a set.
func (s docSet) addDocs(page []byte, term uint32) error {
	r := pageReader{data: page}
	for {
		before := r
		n, ok := r.head()
		if !ok || r.term > term {
			return r.err
		}
		if r.term < term {
			r.skip(n)
			continue
		}
		r = before
		if r.next() {
			for _, d := range r.docs {
				s.add(d)
			}
		}
		return r.err
	}
}
