package storage_test

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/storage"
)

func TestMessagesByPage(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	var all []string
	for i := range 7 {
		env := envelope("ep_1")
		if i%2 == 1 {
			env.Recipients[0].Account = "acc_2"
		}
		all = append(all, accept(t, s, env, newBody(content(10)))...)
	}
	slices.Sort(all)
	slices.Reverse(all)
	var got []string
	f := storage.MessageFilter{Limit: 3}
	for {
		page, err := s.Messages(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			got = append(got, m.ID)
		}
		f.Before = got[len(got)-1]
	}
	if !slices.Equal(got, all) {
		t.Errorf("pages give %q, want %q", got, all)
	}
	ofOne, err := s.Messages(t.Context(), storage.MessageFilter{Account: "acc_2"})
	if err != nil || len(ofOne) != 3 {
		t.Errorf("%d messages of acc_2, error %v; want 3", len(ofOne), err)
	}
}

func TestDeliveriesByFilter(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	for range 4 {
		accept(t, s, envelope("ep_1", "ep_2"), newBody(content(10)))
	}
	for i, d := range due(t, s, "ep_1") {
		c := attempt(d)
		switch i {
		case 0:
			c.State, c.Reason = storage.StateDead, "status"
		case 1:
			c.RetryAt = time.Now().Add(time.Minute)
		}
		if err := complete(s, c); err != nil {
			t.Fatal(err)
		}
	}
	list := func(f storage.DeliveryFilter) []storage.DeliveryRow {
		t.Helper()
		rows, err := s.Deliveries(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	all := list(storage.DeliveryFilter{})
	for name, test := range map[string]struct {
		filter storage.DeliveryFilter
		want   int
	}{
		"all":           {storage.DeliveryFilter{}, 8},
		"limited":       {storage.DeliveryFilter{Limit: 3}, 3},
		"of a message":  {storage.DeliveryFilter{Message: all[0].Message}, 2},
		"one":           {storage.DeliveryFilter{ID: all[0].ID}, 1},
		"no id":         {storage.DeliveryFilter{ID: "dlv_x"}, 0},
		"of a lane":     {storage.DeliveryFilter{Endpoint: "ep_1"}, 4},
		"pending":       {storage.DeliveryFilter{State: storage.StatePending}, 5},
		"delivered":     {storage.DeliveryFilter{State: storage.StateDelivered}, 2},
		"dead":          {storage.DeliveryFilter{State: storage.StateDead}, 1},
		"dead of ep_2":  {storage.DeliveryFilter{State: storage.StateDead, Endpoint: "ep_2"}, 0},
		"unknown state": {storage.DeliveryFilter{State: "x"}, 0},
		"after a page":  {storage.DeliveryFilter{Before: &all[4]}, 3},
	} {
		if n := len(list(test.filter)); n != test.want {
			t.Errorf("%s: %d rows, want %d", name, n, test.want)
		}
	}
	var paged []storage.DeliveryRow
	for f := (storage.DeliveryFilter{Limit: 3}); ; f.Before = &paged[len(paged)-1] {
		page := list(f)
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
	}
	if !slices.Equal(paged, all) {
		t.Errorf("pages (%d rows) and list (%d rows) differ", len(paged), len(all))
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	config := newConfig(t, layouts()[0])
	config.Registerer = registry
	s := open(t, config)
	text := content(10)
	accept(t, s, envelope("ep_1", "ep_2"), newBody(text))
	accept(t, s, envelope("ep_1", "ep_2"), newBody(text))
	done := due(t, s, "ep_1")[0]
	if err := complete(s, attempt(done)); err != nil {
		t.Fatal(err)
	}
	// A command beside the server: what it adds counts too.
	beside := open(t, storage.Config{Dir: config.Dir, Database: config.Database, Blobs: config.Blobs, Keys: config.Keys, Beside: true})
	if err := beside.Retry(t.Context(), done.ID); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	for name, want := range map[string]float64{
		"letterhook_storage_messages_total":     1,
		"letterhook_storage_duplicates_total":   1,
		"letterhook_storage_attempts_total":     1,
		"letterhook_storage_pending_deliveries": 2,
		"letterhook_storage_accepts_waiting":    0,
		"letterhook_storage_batch_accepts":      2,
		"letterhook_storage_accept_seconds":     2,
		"letterhook_storage_commit_seconds":     3,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if got["letterhook_storage_free_bytes"] <= 0 {
		t.Errorf("metrics %v", got)
	}
}
