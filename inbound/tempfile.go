package inbound

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	writeOutAfter = 5 * time.Second // most messages are gone by then, and never cost the disk anything
	writeOutPiece = 256 << 10       // octets that a sync of the Spool may find itself behind
)

// tempFile is a temporary file without a name, so that nothing is left of it however the process ends. What was written to it is
// written out after a while, in pieces, and one piece of all files at a time. Left to itself the kernel keeps what strangers
// trickle for half a minute and then writes it all at once, and every accepted message waits for its sync behind that.
type tempFile struct {
	file  *os.File
	timer *time.Timer
	armed atomic.Bool // the timer runs

	turn *sync.Mutex // of all files: who holds it may write out
	out  int64       // octets that were written out; under turn
}

// newTempFile makes an empty one.
func newTempFile(dir string, turn *sync.Mutex) (*tempFile, error) {
	file, err := os.CreateTemp(dir, "letterhook-body-*")
	if err != nil {
		return nil, fmt.Errorf("creating a temporary file: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close() // it is useless in any case
		return nil, fmt.Errorf("unlinking a temporary file: %w", err)
	}
	return &tempFile{file: file, turn: turn}, nil
}

// Write appends p and never waits for the disk.
func (f *tempFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	if !f.armed.Swap(true) {
		f.timer = time.AfterFunc(writeOutAfter, f.writeOut)
	}
	return n, err
}

// writeOut has the disk take what was written so far. Where it fails the kernel is left to do it in its time: nothing of a temporary
// file need ever be on a disk.
func (f *tempFile) writeOut() {
	f.turn.Lock()
	defer f.turn.Unlock()
	f.armed.Store(false)
	info, err := f.file.Stat()
	if err != nil {
		return // closed
	}
	for size := info.Size(); f.out < size; {
		piece := min(size-f.out, writeOutPiece)
		if !writeRange(f.file, f.out, piece) {
			return
		}
		f.out += piece
	}
}

// Close lets go of the file. It has no name any more: nothing to lose by an error.
func (f *tempFile) Close() {
	if f.timer != nil {
		f.timer.Stop()
	}
	f.file.Close()
}

// ReadAt implements [io.ReaderAt].
func (f *tempFile) ReadAt(p []byte, off int64) (int, error) { return f.file.ReadAt(p, off) }
