package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// RoundsReport compares runs with and without viewers.
type RoundsReport struct {
	Without []*Report `json:"without"`
	With    []*Report `json:"with"`
}

// Rounds runs a load in turns, without viewers and with them, each on a server of its own.
func Rounds(ctx context.Context, o Options, rounds int, done func(*Report)) (*RoundsReport, error) {
	rep := &RoundsReport{}
	people, run := o.Viewers, o.Run
	for n := range 2 * rounds {
		// Every other round begins with viewers, so that a machine that becomes slower or quicker favours neither.
		looking := (n%2 == 1) != (n/2%2 == 1)
		if o.Viewers = 0; looking {
			o.Viewers = people
		}
		o.Run = fmt.Sprintf("%s-%d", run, n)
		one, err := Run(ctx, o)
		if err != nil {
			return nil, err
		}
		if looking {
			rep.With = append(rep.With, one)
		} else {
			rep.Without = append(rep.Without, one)
		}
		done(one)
	}
	return rep, nil
}

// WriteTo prints medians, the lowest and the highest, and the ratios round by round.
func (r *RoundsReport) WriteTo(w io.Writer) (written int64, err error) {
	line := func(format string, args ...any) {
		if err == nil {
			var n int
			n, err = fmt.Fprintf(w, format, args...)
			written += int64(n)
		}
	}
	line("%-22s %28s %28s %22s\n", "", "without viewers", "with", "ratio")
	for _, f := range []struct {
		name string
		of   func(*Report) float64
	}{
		{"ack p50, ms", func(r *Report) float64 { return millis(r.AckP50) }},
		{"ack p99, ms", func(r *Report) float64 { return millis(r.AckP99) }},
		{"end to end p50, ms", func(r *Report) float64 { return millis(r.EndToEndP50) }},
		{"end to end p99, ms", func(r *Report) float64 { return millis(r.EndToEndP99) }},
		{"accepted/s", func(r *Report) float64 { return r.AcceptedPerS }},
		{"delivered/s", func(r *Report) float64 { return r.DeliveredPerS }},
		{"CPU s per 1,000", func(r *Report) float64 { return r.CPUPer1000.Seconds() }},
		{"peak memory, MB", func(r *Report) float64 { return float64(r.PeakRSS >> 20) }},
	} {
		var without, with, ratios []float64
		for i := range min(len(r.Without), len(r.With)) {
			without, with = append(without, f.of(r.Without[i])), append(with, f.of(r.With[i]))
			ratios = append(ratios, with[i]/without[i])
		}
		line("%-22s %28s %28s %22s\n", f.name, spread(without), spread(with), spread(ratios))
	}
	for _, one := range r.With {
		if v := one.Viewers; v != nil {
			line("viewers: %d pages, p50 %s p99 %s; %d events, told %d times that some were left out\n", v.Pages, ms(v.PageP50), ms(v.PageP99), v.Events, v.Missed)
		}
	}
	return written, err
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// spread is a median, with the lowest and the highest.
func spread(values []float64) string {
	if len(values) == 0 {
		return "-"
	}
	slices.Sort(values)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", values[len(values)/2], values[0], values[len(values)-1])
}
