package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// A page cache survives a kill, so kills cannot show that anything was synced. What the process asks of the kernel can:
// this test reads the system calls of a running server and holds every 250 against them.

// call is one system call of a trace.
type call struct {
	name   string
	target string // what its descriptor refers to
	text   string // arguments and data
	ok     bool   // it returned 0 or more
	start  int    // line on which it began
	end    int    // line on which it returned
}

// The forms of a line: whole, unfinished, resumed. strace -f -y prints the descriptor's target in <>.
var (
	wholeCall  = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)<([^>]*)>(.*)= (-?\d+)`)    //nolint:gochecknoglobals // a pattern
	beginCall  = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)<([^>]*)>(.*) <unfinished`) //nolint:gochecknoglobals // a pattern
	resumeCall = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)= (-?\d+)`)   //nolint:gochecknoglobals // a pattern
)

// readTrace reads a trace in the order of the lines.
func readTrace(t *testing.T, name string) []call {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var calls []call
	open := map[string]call{} // by process and call
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 0; lines.Scan(); n++ {
		line := lines.Text()
		if m := beginCall.FindStringSubmatch(line); m != nil {
			open[m[1]+m[2]] = call{name: m[2], target: m[4], text: m[5], start: n}
		} else if m := resumeCall.FindStringSubmatch(line); m != nil {
			c, ok := open[m[1]+m[2]]
			if !ok {
				continue
			}
			delete(open, m[1]+m[2])
			c.text += m[3]
			c.ok, c.end = !strings.HasPrefix(m[4], "-"), n
			calls = append(calls, c)
		} else if m := wholeCall.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{name: m[2], target: m[4], text: m[5], ok: !strings.HasPrefix(m[6], "-"), start: n, end: n})
		}
	}
	return calls
}

// unsynced lists the messages of a trace whose 250 was written before both their pack and the database's log were synced,
// bytes first, and says how many messages it looked at.
func unsynced(calls []call) (faults []string, messages int) {
	body := map[string]int{} // by socket: line on which the last octet of the data was read
	for _, c := range calls {
		switch {
		case c.name == "read" && c.ok && strings.Contains(c.text, `\r\n.\r\n"`):
			body[c.target] = c.end
		case c.name == "write" && strings.Contains(c.text, `"250 2.0.0 OK queued as msg_`):
			read, ok := body[c.target]
			if !ok {
				faults = append(faults, fmt.Sprintf("line %d: a 250 without data", c.start))
				continue
			}
			delete(body, c.target)
			messages++
			if why := order(calls, read, c.start); why != "" {
				faults = append(faults, fmt.Sprintf("line %d: %s", c.start, why))
			}
		}
	}
	return faults, messages
}

// order looks between the last octet and the 250 for: pack written, pack synced, log written, log synced; each returned
// before the next began.
func order(calls []call, from, to int) string {
	at := from
	for _, want := range []struct{ what, name, target string }{
		{"pack written", "write", "/segments/"}, {"pack synced", "sync", "/segments/"},
		{"database log written", "write", "-wal"}, {"database log synced", "sync", "-wal"},
	} {
		found := false
		for _, c := range calls {
			if c.start > at && c.end < to && c.ok && strings.Contains(c.name, want.name) && strings.Contains(c.target, want.target) {
				at, found = c.end, true
				break
			}
		}
		if !found {
			return want.what + " is missing between the last octet of the data and the 250"
		}
	}
	return ""
}

func TestSyncedBefore250(t *testing.T) {
	strace := needTool(t, "strace")
	ctx := within(t, 2*time.Minute)
	r := receive(t)
	trace := filepath.Join(t.TempDir(), "trace.txt")
	o := bench.ServerOptions{Program: program(t), Data: t.TempDir(), Forward: r.URL, Wrap: []string{
		strace, "-f", "-y", "-s", "4096", "-o", trace, "-e", "trace=read,write,pwrite64,writev,pwritev,fsync,fdatasync",
	}}
	server := start(ctx, t, o)
	const messages = 40
	sent := bench.Send(ctx, bench.Load{Addr: server.SMTP, Connections: 4, Messages: messages, Size: 1000, Run: "sync"})
	kept(ctx, t, sent, r)
	if err := server.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	calls := readTrace(t, trace)
	faults, seen := unsynced(calls)
	for _, f := range faults {
		t.Error(f)
	}
	if seen != messages {
		t.Errorf("the trace shows %d messages, %d were sent", seen, messages)
	}
	// The check itself must notice each sync that is not there.
	for _, target := range []string{"/segments/", "-wal"} {
		var without []call
		for _, c := range calls {
			if !strings.Contains(c.name, "sync") || !strings.Contains(c.target, target) {
				without = append(without, c)
			}
		}
		if faults, _ := unsynced(without); len(faults) != messages {
			t.Errorf("without the syncs of %s the check finds %d faults, not %d", target, len(faults), messages)
		}
	}
}
