package storage

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// randomDraft is a segment of messages with rare terms and such as nearly all have.
func randomDraft(r *rand.Rand, docs int) *draft {
	d := &draft{}
	for doc := range docs {
		var list []uint32
		for t := range uint32(40) {
			if r.Uint32N(t*t+1) == 0 {
				list = append(list, t<<26+7)
			}
		}
		for range 5 {
			list = append(list, r.Uint32())
		}
		var id messageID
		binary.BigEndian.PutUint64(id[:], uint64(doc)<<20)
		d.add(id, list)
	}
	return d
}

// have gives the messages of a term, by the draft itself.
func (d *draft) have(term uint32) (docs []uint32) {
	for _, p := range d.postings {
		if uint32(p>>32) == term {
			docs = append(docs, uint32(p))
		}
	}
	slices.Sort(docs)
	return slices.Compact(docs)
}

// find gives the messages of a term as a search does.
func (l *loaded) have(t *testing.T, term uint32) (docs []uint32) {
	t.Helper()
	i := len(l.lists) - 1
	for l.lists[i].key > int64(term) {
		i--
	}
	set := newDocSet(l.docs)
	if err := set.addDocs(l.lists[i].data, term); err != nil {
		t.Fatal(err)
	}
	for doc := set.last(int(l.docs)); doc >= 0; doc = set.last(doc) {
		docs = append(docs, uint32(doc))
	}
	slices.Reverse(docs)
	return docs
}

func loadDraft(t *testing.T, d *draft) *loaded {
	t.Helper()
	l := &loaded{segment: d.segment()}
	for _, p := range d.pages() {
		if err := l.take(p); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// TestSegmentsGiveWhatTheyWereGiven: every list is found again, whole, in a segment of every size, in what two of them are merged
// into, and after some messages were taken out, who are then in no list.
func TestSegmentsGiveWhatTheyWereGiven(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, docs := range []int{1, 2, 64, 127, 128, 129, 1000, 5000} {
		d := randomDraft(r, docs)
		terms := []uint32{0, 1, 1<<32 - 1}
		for _, p := range d.postings {
			terms = append(terms, uint32(p>>32))
		}
		slices.Sort(terms)
		terms = slices.Compact(terms)
		l := loadDraft(t, d)
		for i, p := range l.lists {
			if len(p.data) > 6000 || i > 0 && p.key <= l.lists[i-1].key || i == 0 && p.key != 0 {
				t.Fatalf("page %d of %d begins with %d and has %d octets", i, docs, p.key, len(p.data))
			}
		}
		gone := newDocSet(l.docs)
		for doc := 0; doc < docs; doc += 3 {
			gone.add(uint32(doc))
		}
		rest := loadDraft(t, d)
		changed, err := rest.without(gone)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range changed {
			i := slices.IndexFunc(rest.lists, func(o searchPage) bool { return o.key == p.key })
			rest.lists[i] = p
		}
		merged := mergeTwo(t, l, loadDraft(t, randomDraft(r, docs)))
		for _, term := range terms {
			want := d.have(term)
			if got := l.have(t, term); !slices.Equal(got, want) {
				t.Fatalf("%d messages: term %x has %d, want %d", docs, term, got, want)
			}
			kept := slices.DeleteFunc(slices.Clone(want), gone.has)
			if got := rest.have(t, term); !slices.Equal(got, kept) {
				t.Fatalf("%d messages: term %x has %d after some were taken out, want %d", docs, term, got, kept)
			}
		}
		if int(merged.docs) != docs {
			t.Fatalf("two segments of the same %d messages are one of %d", docs, merged.docs)
		}
	}
}

// mergeTwo checks that the later one of two segments with the same messages counts.
func mergeTwo(t *testing.T, earlier, later *loaded) *loaded {
	t.Helper()
	g, pages, err := mergeSegments([]*loaded{earlier, later})
	if err != nil {
		t.Fatal(err)
	}
	merged := &loaded{segment: g}
	for _, p := range pages {
		if err := merged.take(p); err != nil {
			t.Fatal(err)
		}
	}
	for term := range uint32(40) {
		if got, want := merged.have(t, term<<26+7), later.have(t, term<<26+7); !slices.Equal(got, want) {
			t.Fatalf("merged: term %d has %d, want %d", term, got, want)
		}
	}
	return merged
}

// TestMergeable: whatever sizes segments come in, merging ends, loses none, and leaves few.
func TestMergeable(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var list []segment
		total, most := int64(0), r.Int64N(indexBatch)+1
		for n := range int64(2000) {
			list = append(list, segment{n: n, docs: r.Int64N(most) + 1})
			total += list[len(list)-1].docs
			for {
				some := mergeable(list)
				if len(some) < 2 {
					break
				}
				one := segment{n: some[0].n}
				for _, g := range some {
					one.docs += g.docs
					list = slices.DeleteFunc(list, func(o segment) bool { return o.n == g.n })
				}
				if one.docs > segmentDocs {
					t.Fatalf("%v become a segment of %d", some, one.docs)
				}
				list = append(list, one)
			}
		}
		sum := int64(0)
		for _, g := range list {
			sum += g.docs
		}
		if most := total/(segmentDocs/2) + 4*mergeOf; sum != total || int64(len(list)) > most {
			t.Fatalf("%d segments of %d messages, of which %d are left; want %d at most", len(list), total, sum, most)
		}
	}
}

// FuzzSearchPage reads pages that a fault of the disk has made.
func FuzzSearchPage(f *testing.F) {
	d := randomDraft(rand.New(rand.NewPCG(5, 6)), 100)
	for _, p := range d.pages() {
		f.Add(p.data, uint32(p.key))
	}
	f.Fuzz(func(t *testing.T, page []byte, term uint32) {
		r := pageReader{data: page}
		for r.next() {
			for _, doc := range r.docs {
				if doc >= segmentDocs {
					t.Fatalf("message %d", doc)
				}
			}
		}
		set := newDocSet(100)
		_ = set.addDocs(page, term)
	})
}

// BenchmarkTerms is what a message costs to be cut into terms.
func BenchmarkTerms(b *testing.B) {
	p := newPost(1)
	mails := make([]*Mail, 100)
	for i := range mails {
		mails[i] = p.mail(i, len(mails))
	}
	began, n := time.Now(), 0
	for b.Loop() {
		list, _ := termsOf(mails[n%len(mails)])
		if len(list) == 0 {
			b.Fatal("no terms")
		}
		n++
	}
	b.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(n), "ns/message")
}
