package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// viewerPause is the rhythm in which a page in a browser fetches its live parts.
const viewerPause = 2 * time.Second

// ViewerReport is what people who looked on saw.
type ViewerReport struct {
	Pages   int           `json:"pages"`
	PageP50 time.Duration `json:"page_p50"`
	PageP99 time.Duration `json:"page_p99"`
	Events  int           `json:"events"` // that the streams told
	Missed  int           `json:"missed"` // times that a stream told of some that it left out
}

// viewers look at a dashboard, each as a browser with the overview, one with the list of messages, and a reader of the stream do.
type viewers struct {
	url    string
	client *http.Client
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	pages  []time.Duration
	report ViewerReport
	err    error // the first one
}

// startViewers begins to look. Whoever calls it calls stop.
func startViewers(ctx context.Context, n int, address string) *viewers {
	v := &viewers{url: "http://" + address, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * n}}}
	ctx, v.cancel = context.WithCancel(ctx)
	for i := range n {
		v.wg.Go(func() { v.note(v.follow(ctx)) })
		for _, page := range []string{"/", "/messages"} {
			v.wg.Go(func() {
				timer := time.NewTimer(viewerPause * time.Duration(i) / time.Duration(n))
				defer timer.Stop()
				for {
					select {
					case <-timer.C:
					case <-ctx.Done():
						return
					}
					v.note(v.look(ctx, page))
					timer.Reset(viewerPause)
				}
			})
		}
	}
	return v
}

// stop gives what was seen.
func (v *viewers) stop() (*ViewerReport, error) {
	v.cancel()
	v.wg.Wait()
	v.client.CloseIdleConnections()
	v.report.Pages, v.report.PageP50, v.report.PageP99 = len(v.pages), Percentile(v.pages, 50), Percentile(v.pages, 99)
	if v.err == nil && (v.report.Pages == 0 || v.report.Events == 0) {
		v.err = errors.New("the viewers saw nothing")
	}
	return &v.report, v.err
}

func (v *viewers) note(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err == nil {
		v.err = fmt.Errorf("looking on: %w", err)
	}
}

func (v *viewers) get(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Live", "1")
	response, err := v.client.Do(r)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.Join(fmt.Errorf("%s: %s", path, response.Status), response.Body.Close())
	}
	return response, err
}

func (v *viewers) look(ctx context.Context, path string) error {
	began := time.Now()
	response, err := v.get(ctx, path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pages = append(v.pages, time.Since(began))
	return nil
}

// follow reads the stream until it is cut.
func (v *viewers) follow(ctx context.Context) error {
	response, err := v.get(ctx, "/api/v1/stream")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		kind, ok := strings.CutPrefix(lines.Text(), "event: ")
		if !ok {
			continue
		}
		v.mu.Lock()
		switch kind {
		case "accepted", "attempt":
			v.report.Events++
		case "missed":
			v.report.Missed++
		}
		v.mu.Unlock()
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(lines.Err(), errors.New("the stream ended"))
}
