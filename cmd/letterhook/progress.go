package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/letterhook/letterhook/storage"
)

// progress draws a bar on a terminal, and nothing elsewhere.
type progress struct {
	out io.Writer // nil: there is no terminal

	mu    sync.Mutex
	drawn time.Time
	stage string
	shown bool
}

const (
	progressEvery = 100 * time.Millisecond
	progressWidth = 30
)

func newProgress(out io.Writer) *progress {
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return &progress{out: out}
	}
	return &progress{}
}

// show draws how far a stage is.
func (p *progress) show(stage string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil || stage == p.stage && done < total && time.Since(p.drawn) < progressEvery {
		return
	}
	p.drawn, p.stage, p.shown = time.Now(), stage, true
	fmt.Fprint(p.out, "\r\x1b[K", bar(stage, done, total))
}

// bar is the line that is drawn.
func bar(stage string, done, total int64) string {
	share := 1.0
	if total > 0 {
		share = min(float64(done)/float64(total), 1)
	}
	filled := int(share * progressWidth)
	count := func(n int64) string { return fmt.Sprint(n) }
	if stage == storage.CopyingBytes {
		count = amount
	}
	return fmt.Sprintf("%-6s [%s%s] %3.0f %%  %s of %s", stage, strings.Repeat("#", filled), strings.Repeat(".", progressWidth-filled), share*100, count(done), count(total))
}

// clear takes the bar away, for something else to be printed.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// amount is a number of octets for people.
func amount(octets int64) string {
	value, unit := float64(octets), "B"
	for _, next := range []string{"KB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", octets)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}
