package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Options of a whole run.
type Options struct {
	Load
	// Program is the letterhook binary to start and load. Empty: Addr is a server that runs already.
	Program string
	// Receive starts a receiver and waits for the webhooks. With a Program it is always on; without, the server at
	// Addr must deliver to the receiver's URL, which is printed by Started.
	Receive bool
	Secret  string        // signing secret; empty: signatures are not looked at
	Wait    time.Duration // for the last webhooks after the last acknowledgement
	Started func(url string)
}

// Secret of a server that a run starts itself. It guards nothing: both ends live on loopback for one run.
const ownSecret = "whsec_bGV0dGVyaG9vay1iZW5jaC1zZWNyZXQtMzItYnl0ZXM="

// Run loads a server and reports. With a Program the server is started in a temporary folder and stopped at the end.
func Run(ctx context.Context, o Options) (rep *Report, err error) {
	var receiver *Receiver
	if o.Program != "" && o.Secret == "" {
		o.Secret = ownSecret
	}
	if o.Program != "" || o.Receive {
		if receiver, err = NewReceiver(o.Secret); err != nil {
			return nil, fmt.Errorf("starting the receiver: %w", err)
		}
		defer func() { err = errors.Join(err, receiver.Close()) }()
		if o.Started != nil {
			o.Started(receiver.URL)
		}
	}
	if o.Program == "" {
		return measure(ctx, o, receiver), nil
	}
	data, err := os.MkdirTemp("", "letterhook-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	server, err := StartServer(ctx, ServerOptions{Program: o.Program, Data: data, Forward: receiver.URL, Secret: o.Secret})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	o.Addr = server.SMTP
	idle, err := UsageOf(server.PID())
	if err != nil {
		return nil, err
	}
	rep = measure(ctx, o, receiver)
	used, err := UsageOf(server.PID())
	if err != nil {
		return nil, err
	}
	rep.IdleRSS, rep.PeakRSS = idle.PeakRSS, used.PeakRSS
	if rep.Acked > 0 {
		rep.CPUPer1000 = (used.CPU - idle.CPU) * 1000 / time.Duration(rep.Acked)
	}
	return rep, nil
}

func measure(ctx context.Context, o Options, receiver *Receiver) *Report {
	sent := Send(ctx, o.Load)
	if receiver != nil {
		waiting, cancel := context.WithTimeout(ctx, o.Wait)
		defer cancel()
		Await(waiting, sent, receiver)
	}
	return NewReport(o.Load, sent, receiver)
}
