package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// settle waits until the server has let go of all attackers, for a minute at most, and notes what it still holds then.
func (r *AttackReport) settle(ctx context.Context, server *Server) error {
	for end := time.Now().Add(time.Minute); ; {
		values, err := gauges(ctx, server.HTTP, "letterhook_smtp_connections_open", "letterhook_smtp_connections_delayed")
		if err != nil {
			return err
		}
		r.OpenAfter, r.DelayAfter = values[0], values[1]
		if r.OpenAfter+r.DelayAfter == 0 || time.Now().After(end) || !sleepUntil(ctx, time.Now().Add(100*time.Millisecond)) {
			return nil
		}
	}
}

// gauges reads metrics without labels.
func gauges(ctx context.Context, addr string, names ...string) ([]int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics: %w", err)
	}
	defer response.Body.Close()
	values := make([]int, len(names))
	for s := bufio.NewScanner(response.Body); s.Scan(); {
		for i, name := range names {
			if text, ok := strings.CutPrefix(s.Text(), name+" "); ok {
				value, err := strconv.ParseFloat(text, 64)
				if err != nil {
					return nil, fmt.Errorf("reading the metric %s: %w", name, err)
				}
				values[i] = int(value)
			}
		}
	}
	return values, nil
}
