package dispatch

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/letterhook/letterhook/storage"
)

var epoch = time.Date(2026, 11, 21, 18, 30, 0, 0, time.UTC)

func TestParseRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, " ": 0, "soon": 0, "-5": 0, "1.5": 0, "1e3": 0,
		"0": time.Second, "1": time.Second, "120": 2 * time.Minute, " 120 ": 2 * time.Minute,
		"86400": 24 * time.Hour, "86401": 24 * time.Hour, "9223372036854775807": 24 * time.Hour,
		"99999999999999999999999999":       24 * time.Hour,
		"Sat, 21 Nov 2026 18:35:00 GMT":    5 * time.Minute,
		"Sat, 21 Nov 2026 18:30:00 GMT":    time.Second,
		"Fri, 20 Nov 2026 18:30:00 GMT":    time.Second,
		"Mon, 21 Dec 2026 18:30:00 GMT":    24 * time.Hour,
		"Saturday, 21-Nov-26 18:31:00 GMT": time.Minute,
		"Sat, 21 Nov 2026":                 0,
	} {
		if got := parseRetryAfter(value, epoch); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestJudgeWalksTheSchedule(t *testing.T) {
	ep := &storage.Endpoint{}
	d := storage.Delivery{CreatedAt: epoch}
	now := epoch
	for i, wait := range DefaultSchedule() {
		v := judge(ep, DefaultSchedule(), d, failure{n: i + 1}, now, 0.5)
		if got := v.retryAt.Sub(now); got != wait {
			t.Errorf("after attempt %d: wait %s, want %s", i+1, got, wait)
		}
		now = v.retryAt
	}
	v := judge(ep, DefaultSchedule(), d, failure{n: 12}, now, 0.5)
	if !v.retryAt.IsZero() || v.reason != "all 12 attempts failed" {
		t.Errorf("after the last attempt: %+v", v)
	}
	once := &storage.Endpoint{Schedule: []time.Duration{}}
	if v := judge(once, DefaultSchedule(), d, failure{n: 1}, now, 0.5); !v.retryAt.IsZero() || v.reason != "the only attempt failed" {
		t.Errorf("after the only attempt: %+v", v)
	}
}

func TestJudgeOwnScheduleAndAge(t *testing.T) {
	ep := &storage.Endpoint{Schedule: []time.Duration{time.Minute, time.Hour}, MaxAge: 30 * time.Minute}
	d := storage.Delivery{CreatedAt: epoch}
	if v := judge(ep, DefaultSchedule(), d, failure{n: 1}, epoch, 0.5); v.retryAt != epoch.Add(time.Minute) {
		t.Errorf("first wait: %+v", v)
	}
	if v := judge(ep, DefaultSchedule(), d, failure{n: 2}, epoch.Add(time.Minute), 0.5); !v.retryAt.IsZero() || !strings.Contains(v.reason, "30m0s") {
		t.Errorf("past the maximum age: %+v", v)
	}
	if v := judge(ep, DefaultSchedule(), d, failure{n: 1, retryAfter: 10 * time.Minute}, epoch, 0.5); v.retryAt != epoch.Add(10*time.Minute) {
		t.Errorf("the endpoint asked for ten minutes: %+v", v)
	}
	none := &storage.Endpoint{Schedule: []time.Duration{}}
	if v := judge(none, DefaultSchedule(), d, failure{n: 1}, epoch, 0.5); v.reason == "" {
		t.Errorf("an empty schedule is one attempt: %+v", v)
	}
}

func TestJudgeHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		asked := time.Duration(rapid.Int64Range(0, int64(maxRetryAfter)).Draw(t, "asked"))
		age := time.Duration(rapid.Int64Range(0, int64(10*24*time.Hour)).Draw(t, "age"))
		random := rapid.Float64Range(0, 1).Draw(t, "random")
		now := epoch.Add(age)
		v := judge(&storage.Endpoint{}, DefaultSchedule(), storage.Delivery{CreatedAt: epoch}, failure{n: n, retryAfter: asked}, now, random)
		if v.retryAt.IsZero() != (v.reason != "") {
			t.Fatalf("neither or both: %+v", v)
		}
		if v.retryAt.IsZero() {
			return
		}
		wait, base := v.retryAt.Sub(now), DefaultSchedule()[n-1]
		if wait < asked || wait < base*4/5 || (wait > base*6/5 && wait != asked) || v.retryAt.Sub(epoch) > defaultMaxAge {
			t.Fatalf("attempt %d waits %s", n, wait)
		}
	})
}
