package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// TestUnderAttack: idle connections up to the cap of each address, messages that trickle and a flood of guesses, all at the
// same time: a normal sender is never refused, the caps hold, nothing is learnt, and every place is free again afterwards.
// What it costs in time is told by `letterhook bench attack`.
func TestUnderAttack(t *testing.T) {
	const idle, slow, flood = 400, 100, 30
	report, err := bench.Attack(within(t, 5*time.Minute), bench.AttackOptions{
		Program: program(t), Idle: idle, Slow: slow, Flood: flood, Settle: 2 * time.Second,
		Normal: bench.Load{Connections: 4, Messages: 200, Rate: 50, Size: 5000, Run: "attack"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if _, err := report.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	for _, r := range []*bench.Report{report.Quiet, report.Attacked} {
		if r.Acked != 200 || r.Refused != 0 || r.Broken != 0 {
			t.Errorf("the normal sender: %d of 200 acknowledged, %d refusals, %d broken connections", r.Acked, r.Refused, r.Broken)
		}
	}
	if report.IdleHeld != idle || report.Refused < idle/50 { // one too many from each address
		t.Errorf("%d idle connections were held, want %d; %d were refused", report.IdleHeld, idle, report.Refused)
	}
	if report.SlowHeld != slow {
		t.Errorf("%d slow connections were held, want %d: within the five minutes that a message may lag behind none is cut off", report.SlowHeld, slow)
	}
	if report.Unknown == 0 || report.Guessed != 0 {
		t.Errorf("%d guesses were answered, %d recipients found", report.Unknown, report.Guessed)
	}
	// 3 addresses, 100 guesses in an hour each, and what is forgiven meanwhile.
	if most := int64(flood/10) * 110; report.Unknown > most {
		t.Errorf("%d guesses were answered, at most %d should be", report.Unknown, most)
	}
	if report.OpenAfter != 0 || report.DelayAfter != 0 {
		t.Errorf("%d connections and %d delayed ones are left", report.OpenAfter, report.DelayAfter)
	}
}

// TestLeversBySignal: SIGUSR1 defers all mail and SIGUSR2 takes it again.
func TestLeversBySignal(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	smtp, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	web, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := writeConf(t, dir, "letterhook.yaml", fmt.Sprintf(`hostname: mx.example.com
public_url: http://%[2]s
data_dir: %[3]s/data
smtp: {listeners: [{name: mx, address: %[1]q}]}
http: {public: {address: %[2]q}, private: {address: %[2]q}}
storage: {min_free: 1MiB}
`, smtp, web, dir))
	s := start(ctx, t, bench.ServerOptions{Program: program(t), Config: config, SMTP: smtp, HTTP: web})
	hears := func(code int) bool {
		c := hello(ctx, t, smtp)
		c.write("MAIL FROM:<a@sender.example>\r\n")
		heard := c.reply().code
		c.quit() // a transaction would hold up the end of the server
		return heard == code
	}
	if !hears(250) {
		t.Fatal("refused before anything was pulled")
	}
	for _, step := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGUSR1, 451}, {syscall.SIGUSR2, 250}} {
		if err := syscall.Kill(s.PID(), step.signal); err != nil {
			t.Fatal(err)
		}
		eventually(ctx, t, fmt.Sprintf("MAIL is answered %d", step.code), func() bool { return hears(step.code) })
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}
