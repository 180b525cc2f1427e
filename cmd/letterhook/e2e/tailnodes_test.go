package e2e

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// linesOf is what a command has printed so far.
type linesOf struct {
	mu   sync.Mutex
	list []string
}

// with gives the lines that have all the words.
func (l *linesOf) with(words ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.list {
		missing := false
		for _, word := range words {
			missing = missing || !strings.Contains(line, word)
		}
		if !missing {
			found = append(found, line)
		}
	}
	return found
}

// TestTailOfAllNodes: who follows the node that serves the API hears of mail and refusals on the one that takes mail, and of attempts on the
// one that makes them, each once.
func TestTailOfAllNodes(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	in := newInbox(t)
	parts, smtp := startParts(ctx, t, in)
	out, err := exec.CommandContext(ctx, program(t), "keys", "create", "ops", "-c", parts["admin"].config).Output()
	if err != nil {
		t.Fatal(err)
	}
	tail := exec.Command(program(t), "tail")
	tail.Env = append(os.Environ(), "LETTERHOOK_URL=http://"+parts["admin"].web, "LETTERHOOK_KEY="+lhk(string(out)))
	var messages bytes.Buffer
	tail.Stderr = &messages
	said, err := tail.StdoutPipe()
	if err == nil {
		err = tail.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var lines linesOf
	var reading sync.WaitGroup
	reading.Go(func() {
		for s := bufio.NewScanner(said); s.Scan(); {
			lines.mu.Lock()
			lines.list = append(lines.list, s.Text())
			lines.mu.Unlock()
		}
	})
	defer func() {
		_ = tail.Process.Kill()
		reading.Wait()
		_ = tail.Wait()
		if t.Failed() {
			t.Logf("%s%s", strings.Join(lines.list, "\n"), messages.String())
		}
	}()

	eventually(ctx, t, "both nodes know that somebody follows", func() bool {
		if r := deliver(ctx, t, smtp, []byte(greeting), "probe@one.example"); r.code != 250 {
			t.Fatal(r)
		}
		return len(lines.with("accepted", "on of-smtp")) > 0 && len(lines.with("delivered", "on of-dispatch")) > 0
	})
	began := time.Now()
	r := deliver(ctx, t, smtp, mailWith(attached()[:1]), "ann@one.example")
	id := regexp.MustCompile(`msg_[0-9a-z]+`).FindString(r.text)
	if r.code != 250 || id == "" {
		t.Fatal(r)
	}
	if r := deliver(ctx, t, smtp, []byte(greeting), "nobody@two.example"); r.code != 550 {
		t.Fatal(r)
	}
	for _, words := range [][]string{
		{"accepted", id, "to ann@one.example", "on of-smtp"}, {"delivered", id, "to app, attempt 1, 204", "on of-dispatch"}, {"refused", "nobody@two.example", "550", "on of-smtp"},
	} {
		eventually(ctx, t, strings.Join(words, " "), func() bool { return len(lines.with(words...)) > 0 })
	}
	t.Logf("it was told within %v", time.Since(began))
	if all := lines.with(id); len(all) != 2 {
		t.Errorf("of the message it says %q", all)
	}
}
