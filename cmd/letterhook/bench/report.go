package bench

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Report is the outcome of a run. Durations are in nanoseconds in JSON.
type Report struct {
	Messages     int           `json:"messages"`
	Acked        int           `json:"acked"`
	Refused      int64         `json:"refused"`
	Broken       int64         `json:"broken_connections"`
	AcceptedPerS float64       `json:"accepted_per_second"`
	AckP50       time.Duration `json:"ack_p50"`
	AckP99       time.Duration `json:"ack_p99"`

	// The following are zero when there is no receiver.
	Delivered     int           `json:"delivered"`
	DeliveredPerS float64       `json:"delivered_per_second"` // from the first MAIL to the last arrival
	EndToEndP50   time.Duration `json:"end_to_end_p50"`       // from MAIL to the request read whole
	EndToEndP99   time.Duration `json:"end_to_end_p99"`
	Lost          int           `json:"lost"`       // acknowledged and never delivered
	Waiting       int           `json:"waiting"`    // acknowledged, to endpoints that hang
	Duplicates    int           `json:"duplicates"` // requests beyond the first of a message
	TwoIDs        int           `json:"two_ids"`    // messages that came under more than one id
	BadSignatures int           `json:"bad_signatures"`

	// The following are zero when the server is not ours to look at. The CPU time is of all nodes, the memory of the largest.
	Nodes      int           `json:"nodes"`
	CPUPer1000 time.Duration `json:"cpu_per_1000"`
	PeakRSS    int64         `json:"peak_rss"`
	IdleRSS    int64         `json:"idle_rss"`

	// The following are zero where no bucket and no database were given.
	PutsPerMessage float64 `json:"puts_per_message"` // objects with raw messages
	WALPerMessage  float64 `json:"wal_per_message"`  // octets of the database's log, from the first MAIL until the last arrival

	// Viewers is nil when nobody looked on.
	Viewers *ViewerReport `json:"viewers,omitempty"`

	// Verdicts is nil when nobody's mail was checked.
	Verdicts *VerdictReport `json:"verdicts,omitempty"`
}

// Await waits until every acknowledged token has arrived, save for those of hanging endpoints, or ctx ends.
func Await(ctx context.Context, sent *Sent, r *Receiver) {
	missing := make([]string, 0, len(sent.Acked))
	for token := range sent.Acked {
		if !sent.Hanging[token] {
			missing = append(missing, token)
		}
	}
	for {
		next := r.Next()
		for len(missing) > 0 {
			if _, ok := r.Arrival(missing[len(missing)-1]); !ok {
				break
			}
			missing = missing[:len(missing)-1]
		}
		if len(missing) == 0 {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// NewReport puts together what was sent and what arrived. r may be nil.
func NewReport(load Load, sent *Sent, r *Receiver) *Report {
	rep := &Report{
		Messages: int(load.Messages), Acked: len(sent.Acked), Refused: sent.Refused, Broken: sent.Broken,
		AcceptedPerS: float64(len(sent.Acked)) / sent.Duration.Seconds(),
		AckP50:       Percentile(sent.Acks, 50), AckP99: Percentile(sent.Acks, 99),
	}
	if r == nil {
		return rep
	}
	var ways []time.Duration
	var first, last time.Time
	for token := range sent.Acked {
		if sent.Hanging[token] {
			rep.Waiting++
			continue
		}
		a, ok := r.Arrival(token)
		if !ok {
			rep.Lost++
			continue
		}
		start := sent.Started[token]
		ways = append(ways, a.First.Sub(start))
		if first.IsZero() || start.Before(first) {
			first = start
		}
		if a.First.After(last) {
			last = a.First
		}
	}
	tally := r.Tally()
	rep.Delivered = len(ways)
	rep.Duplicates, rep.TwoIDs, rep.BadSignatures = tally.Duplicates, tally.TwoIDs, tally.BadSigns
	if d := last.Sub(first).Seconds(); d > 0 {
		rep.DeliveredPerS = float64(len(ways)) / d
	}
	rep.EndToEndP50, rep.EndToEndP99 = Percentile(ways, 50), Percentile(ways, 99)
	return rep
}

// stored adds what the messages cost where they are kept.
func (r *Report) stored(ctx context.Context, p *Place, before int64, n nodes) error {
	if r.Acked == 0 {
		return nil
	}
	after, err := p.written(ctx)
	if err != nil {
		return err
	}
	r.WALPerMessage = float64(after-before) / float64(r.Acked)
	for _, server := range n {
		if p.Bucket == "" {
			break
		}
		puts, err := counter(ctx, server.HTTP, "letterhook_storage_packs_total")
		if err != nil {
			return err
		}
		r.PutsPerMessage += puts / float64(r.Acked)
	}
	return nil
}

// WriteTo prints the report for people.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	n, err := fmt.Fprintf(w, "sent       %d messages, %d acknowledged, %d refusals, %d broken connections\n"+
		"accepted   %.0f/s, ack p50 %s p99 %s\n", r.Messages, r.Acked, r.Refused, r.Broken, r.AcceptedPerS, ms(r.AckP50), ms(r.AckP99))
	if err != nil || r.Delivered+r.Lost == 0 {
		return int64(n), err
	}
	m, err := fmt.Fprintf(w, "delivered  %.0f/s, end to end p50 %s p99 %s\n"+
		"lost       %d, waiting for hanging endpoints %d, duplicates %d, under two ids %d, bad signatures %d\n",
		r.DeliveredPerS, ms(r.EndToEndP50), ms(r.EndToEndP99), r.Lost, r.Waiting, r.Duplicates, r.TwoIDs, r.BadSignatures)
	if err != nil || r.PeakRSS == 0 {
		return int64(n + m), err
	}
	k, err := fmt.Fprintf(w, "server     %.2f CPU s per 1,000, peak memory %d MB, idle before %d MB\n",
		r.CPUPer1000.Seconds(), r.PeakRSS>>20, r.IdleRSS>>20)
	if v := r.Verdicts; v != nil && err == nil {
		var l int
		l, err = fmt.Fprintf(w, "verdicts   in %d events: dmarc=pass %d, spf=pass %d, dkim=pass %d, arc=pass %d, iprev=pass %d, unchecked %d; %d questions to DNS\n",
			v.Events, v.DMARC, v.SPF, v.DKIM, v.ARC, v.IPRev, v.Unchecked, v.DNSQuestions)
		k += l
	}
	if (r.PutsPerMessage > 0 || r.WALPerMessage > 0) && err == nil {
		var l int
		l, err = fmt.Fprintf(w, "stored     %.3f objects and %.0f octets of the database's log per message\n", r.PutsPerMessage, r.WALPerMessage)
		k += l
	}
	return int64(n + m + k), err
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }
