package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// text is a body in memory.
type text struct{ *strings.Reader }

func newText(s string) text     { return text{strings.NewReader(s)} }
func (t text) Bytes() []byte    { return nil }
func (t text) SHA256() [32]byte { b := make([]byte, t.Size()); t.ReadAt(b, 0); return sha256.Sum256(b) }
func textEnvelope() *inbound.Envelope {
	return &inbound.Envelope{Recipients: []inbound.Recipient{{
		Path:     inbound.Path{LocalPart: "a", Domain: "example.com"},
		Decision: inbound.Decision{Account: "acc_1", Endpoints: []string{"ep_1"}},
	}}}
}

// brokenFile is a real file some of whose calls fail.
type brokenFile struct {
	*os.File
	writeErr, syncErr error
	writes, syncs     int
}

func (f *brokenFile) Write(p []byte) (int, error) {
	f.writes++
	if f.writeErr != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, f.writeErr
	}
	return f.File.Write(p)
}

func (f *brokenFile) Sync() error {
	f.syncs++
	if f.syncErr != nil {
		return f.syncErr
	}
	return f.File.Sync()
}

// TestSegmentIsAbandonedAfterAnError breaks the file that a segment is written to, in the ways a disk does.
func TestSegmentIsAbandonedAfterAnError(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]func(*brokenFile){
		"write fails half way": func(f *brokenFile) { f.writeErr = broken },
		"sync fails":           func(f *brokenFile) { f.syncErr = broken },
	}
	for name, breakIt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), Config{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var files []*brokenFile
			s.segments.create = func(path string) (segmentFile, error) {
				f, err := createSegment(path)
				if err != nil {
					return nil, err
				}
				files = append(files, &brokenFile{File: f.(*os.File)})
				return files[len(files)-1], nil
			}
			accept := func(content string) (string, error) {
				ids, err := s.Accept(context.Background(), textEnvelope(), newText(content))
				if err != nil {
					return "", err
				}
				return ids[0], nil
			}
			first, err := accept("before")
			if err != nil {
				t.Fatal(err)
			}
			breakIt(files[0])
			if _, err := accept("meanwhile"); !errors.Is(err, broken) {
				t.Fatalf("error %v", err)
			}
			writes, syncs := files[0].writes, files[0].syncs
			second, err := accept("after")
			if err != nil {
				t.Fatal(err)
			}
			if len(files) != 2 || files[0].writes != writes || files[0].syncs != syncs {
				t.Errorf("%d files; the broken one got %d writes and %d syncs more", len(files), files[0].writes-writes, files[0].syncs-syncs)
			}
			mails, err := s.Messages(t.Context(), MessageFilter{})
			if err != nil || len(mails) != 2 || mails[0].ID != second || mails[1].ID != first {
				t.Errorf("%d messages stand, error %v; want those before and after", len(mails), err)
			}
			if err := s.Check(t.Context(), func(f Fault) { t.Errorf("fault: %v", f) }); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSegmentsRoll(t *testing.T) {
	now := time.Now()
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pack := func() string {
		ids, err := s.Accept(context.Background(), textEnvelope(), newText(now.String()+rawRefSalt(s)))
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Mail(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		return m.raw.pack
	}
	first := pack()
	if again := pack(); again != first {
		t.Error("a young, small segment was not continued")
	}
	now = now.Add(segmentAge)
	second := pack()
	if second == first {
		t.Error("a segment of ten minutes was continued")
	}
	s.segments.size = segmentSize
	third := pack()
	if third == second {
		t.Error("a segment of 64 MiB was continued")
	}
	s.segments.batches = segmentBatches
	if pack() != third {
		t.Error("SQLite, which keeps no old versions of rows, had a segment of many batches ended")
	}
	s.segments.most, s.segments.batches = segmentBatches, segmentBatches-1
	if pack() != third || pack() == third {
		t.Error("a segment did not end with its last batch")
	}
}

// rawRefSalt makes the content of each mail another one.
func rawRefSalt(s *Store) string { return newID("", s.cfg.Now()) }
