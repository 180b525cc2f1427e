package bench

import (
	"context"
	"errors"
	"time"
)

// nodes are the servers under test.
type nodes []*Server

// stop stops them at the same time, so that none takes over what another hands on.
func (n nodes) stop() error {
	stopped := make(chan error, len(n))
	for _, server := range n {
		go func() { stopped <- server.Stop() }()
	}
	var errs []error
	for range n {
		errs = append(errs, <-stopped)
	}
	return errors.Join(errs...)
}

// others are the addresses of all but the first.
func (n nodes) others() (addrs []string) {
	for _, server := range n[1:] {
		addrs = append(addrs, server.SMTP)
	}
	return addrs
}

// usage is what all of them used, and the memory of the largest.
func (n nodes) usage() (sum Usage, err error) {
	for _, server := range n {
		used, err := UsageOf(server.PID())
		if err != nil {
			return sum, err
		}
		sum.CPU += used.CPU
		sum.RSS, sum.PeakRSS = max(sum.RSS, used.RSS), max(sum.PeakRSS, used.PeakRSS)
	}
	return sum, nil
}

// measure loads them.
func (n nodes) measure(ctx context.Context, o Options, receiver *Receiver) (*Report, error) {
	idle, err := n.usage()
	if err != nil {
		return nil, err
	}
	before, err := o.Place.written(ctx)
	if err != nil {
		return nil, err
	}
	rep, err := observed(ctx, o, receiver, n[0])
	if err != nil {
		return nil, err
	}
	if err := rep.stored(ctx, &o.Place, before, n); err != nil {
		return nil, err
	}
	used, err := n.usage()
	if err != nil {
		return nil, err
	}
	rep.Nodes, rep.IdleRSS, rep.PeakRSS = len(n), idle.RSS, used.PeakRSS
	if rep.Acked > 0 {
		rep.CPUPer1000 = (used.CPU - idle.CPU) * 1000 / time.Duration(rep.Acked)
	}
	return rep, nil
}
