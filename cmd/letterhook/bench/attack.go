package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// AttackOptions say how a server is attacked while a normal sender goes about its business.
type AttackOptions struct {
	Program string // the letterhook binary
	Idle    int    // connections that say EHLO and nothing more, 50 from each address
	Slow    int    // connections that trickle a message, 50 from each address
	Flood   int    // connections that ask for unknown recipients, 10 from each address
	Normal  Load   // what the normal sender sends, with a Rate; once in quiet and once under attack
	Settle  time.Duration
}

// AttackReport is what became of the normal sender and of the attackers. Durations are in nanoseconds in JSON.
type AttackReport struct {
	Quiet    *Report `json:"quiet"`    // the normal sender before the attack
	Attacked *Report `json:"attacked"` // and while it ran

	IdleHeld   int64 `json:"idle_held"`     // idle connections that were open when the normal sender had finished
	SlowHeld   int64 `json:"slow_held"`     // slow ones
	Refused    int64 `json:"refused"`       // connections of attackers that were refused
	Unknown    int64 `json:"unknown"`       // guesses that were answered
	PutOff     int64 `json:"put_off"`       // guesses that were answered 450
	Ended      int64 `json:"ended"`         // sessions of the flood that were ended
	Guessed    int64 `json:"guessed"`       // recipients that the flood found
	QuietRSS   int64 `json:"quiet_rss"`     // memory at the most before the attack
	AttackRSS  int64 `json:"attacked_rss"`  // and while it ran
	OpenAfter  int   `json:"open_after"`    // connections that the server counts when all attackers are gone
	DelayAfter int   `json:"delayed_after"` // and those that it holds back
}

const (
	attackPerSource = 50  // the server's default for connections of an address
	floodPerSource  = 10  // connections of the flood from one address
	attackPace      = 350 // new connections a second, which the server's budget of 500 for all has room for
	floodPause      = 200 * time.Millisecond
	slowOctets      = 100_000 // of a trickled message that come at once: more than fits in memory for all
)

// Attack starts a server with the default limits, save that there is room for the connections of the attack, and that nobody is
// exempt, and attacks it.
func Attack(ctx context.Context, o AttackOptions) (rep *AttackReport, err error) {
	if o.Program == "" {
		return nil, errAttack
	}
	receiver, err := NewReceiver(ownSecret)
	if err != nil {
		return nil, fmt.Errorf("starting the receiver: %w", err)
	}
	defer func() { err = errors.Join(err, receiver.Close()) }()
	data, err := os.MkdirTemp("", "letterhook-attack-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	server, err := startTarget(ctx, o, data, receiver.URL)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()

	o.Normal.Addr, o.Normal.To = server.SMTP, "load@bench.example"
	rep = &AttackReport{Quiet: NewReport(o.Normal, Send(ctx, o.Normal), nil)}
	usage, err := UsageOf(server.PID())
	if err != nil {
		return nil, err
	}
	rep.QuietRSS = usage.PeakRSS
	rep.underAttack(ctx, o)
	if usage, err = UsageOf(server.PID()); err != nil {
		return nil, err
	}
	rep.AttackRSS = usage.PeakRSS
	return rep, rep.settle(ctx, server)
}

// underAttack runs all the attacks at the same time, and the normal sender once they are at their height.
func (r *AttackReport) underAttack(ctx context.Context, o AttackOptions) {
	attacking, stop := context.WithCancel(ctx)
	defer stop()
	pace := time.NewTicker(time.Second / attackPace)
	defer pace.Stop()
	a := &attackers{addr: o.Normal.Addr, pace: pace.C}
	a.startSlow(attacking, o.Slow, attackPerSource, slowOctets, o.Normal.To)
	a.startIdle(attacking, o.Idle, attackPerSource)
	a.startFlood(attacking, o.Flood, floodPerSource, floodPause, "bench.example")
	sleepUntil(ctx, time.Now().Add(o.Settle))
	o.Normal.Run += "attacked"
	r.Attacked = NewReport(o.Normal, Send(ctx, o.Normal), nil)
	r.IdleHeld, r.SlowHeld, r.Refused = a.idle.Load(), a.slow.Load(), a.refused.Load()
	r.Unknown, r.PutOff, r.Ended, r.Guessed = a.unknown.Load(), a.putOff.Load(), a.ended.Load(), a.known.Load()
	stop()
	a.group.Wait()
}

// startTarget starts the server that is attacked.
func startTarget(ctx context.Context, o AttackOptions, data, url string) (*Server, error) {
	options := ServerOptions{Program: o.Program}
	if err := options.freeAddrs(); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`hostname: mx.bench.example
public_url: http://%[1]s
data_dir: %[2]s
smtp:
  listeners: [{name: mx, address: %[3]q, tls: none}]
  max_connections: %[4]d
defence: {exempt_networks: []}
http:
  public: {address: %[1]q}
  private: {address: %[1]q}
storage: {min_free: 1MiB}
log: {level: error}
endpoints: [{name: sink, url: %[5]q, secrets: [%[6]q], allow_private: true}]
domains:
  - name: bench.example
    routes: [{match: load, endpoints: [sink]}]
`, options.HTTP, data, options.SMTP, 2000+o.Idle+o.Slow+o.Flood, url, ownSecret)
	if err := options.writeConfig(data, text); err != nil {
		return nil, err
	}
	return StartServer(ctx, options)
}

// WriteTo prints the report for people.
func (r *AttackReport) WriteTo(w io.Writer) (int64, error) {
	n, err := fmt.Fprintf(w, `normal     in quiet %d of %d acknowledged, p50 %s p99 %s; under attack %d of %d, %d refusals, p50 %s p99 %s (%.2f times)
attackers  %d idle and %d slow connections held, %d refused; %d guesses answered, %d put off, %d sessions ended, %d recipients found
after      %d connections open, %d held back
memory     %d MB at the most in quiet, %d MB under attack
`,
		r.Quiet.Acked, r.Quiet.Messages, ms(r.Quiet.AckP50), ms(r.Quiet.AckP99), r.Attacked.Acked, r.Attacked.Messages, r.Attacked.Refused+r.Attacked.Broken,
		ms(r.Attacked.AckP50), ms(r.Attacked.AckP99), float64(r.Attacked.AckP99)/float64(max(r.Quiet.AckP99, 1)),
		r.IdleHeld, r.SlowHeld, r.Refused, r.Unknown, r.PutOff, r.Ended, r.Guessed, r.OpenAfter, r.DelayAfter, r.QuietRSS>>20, r.AttackRSS>>20)
	return int64(n), err
}
