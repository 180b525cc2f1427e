package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin/api"
)

// TestProofsAreLookedAtAgain: a proof that vanishes is told, mail is taken for a while longer, and then no more; trouble of DNS ends nothing.
func TestProofsAreLookedAtAgain(t *testing.T) {
	h := newAPIHouse(t)
	token := h.key(t, "acme")
	h.do(t, token, "POST", "/endpoints", endpointBody("app"))
	made := h.do(t, token, "POST", "/domains", map[string]any{"name": "shop.example"})
	proof := made["ownership"].(map[string]any)["record"].(map[string]any)["value"].(string)
	now, there, trouble := time.Now(), true, error(nil)
	cfg := h.apiConfig(nil)
	cfg.Now = func() time.Time { return now }
	cfg.LookupTXT = func(_ context.Context, name string) ([]string, error) {
		if name != "_letterhook.shop.example" {
			t.Errorf("asked for %s", name)
		}
		if trouble != nil || !there {
			return nil, trouble
		}
		return []string{"v=spf1 -all", proof}, nil
	}
	look := func(wantState string, wantLost bool) map[string]any {
		t.Helper()
		if err := api.RecheckProofs(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		o := h.do(t, token, "GET", "/domains/shop.example", nil)["ownership"].(map[string]any)
		if o["state"] != wantState || (o["lost_at"] != nil) != wantLost {
			t.Errorf("%v", o)
		}
		return o
	}
	takes := func(want string) {
		t.Helper()
		if got := recipient(t, h.serving, "ann@shop.example"); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	look("pending", false) // what was never proved is not looked at: nothing changes
	h.dns.AddTXT("_letterhook.shop.example", proof)
	h.do(t, token, "POST", "/domains/shop.example/verify", nil)
	h.do(t, token, "POST", "/routes", map[string]any{"domain": "shop.example", "match": "*", "endpoints": []string{"app"}})
	look("proved", false)

	trouble = errors.New("SERVFAIL")
	now = now.Add(30 * 24 * time.Hour)
	look("proved", false)
	trouble, there = nil, false
	o := look("proved", true)
	if o["until"] == nil || o["record"] == nil {
		t.Errorf("nothing says until when, or what to publish: %v", o)
	}
	if _, page := h.page(t, token, http.MethodGet, "/domains/shop.example", nil); !strings.Contains(page, "The proof is gone from DNS") {
		t.Error("the page does not warn")
	}
	if _, page := h.page(t, token, http.MethodGet, "/domains", nil); !strings.Contains(page, "is gone from DNS") {
		t.Error("the list does not warn")
	}
	takes("250 ")
	now = now.Add(api.ProofGrace - time.Minute)
	look("proved", true)
	there = true
	look("proved", false) // it came back, and the time begins anew
	there = false
	look("proved", true)
	now = now.Add(api.ProofGrace)
	trouble = errors.New("SERVFAIL")
	look("proved", true) // what nobody knows ends nothing
	trouble = nil
	look("pending", false)
	takes("550 ")
	if lines := fmt.Sprint(h.do(t, token, "GET", "/audit", nil)); !strings.Contains(lines, "domain.proof-lost") || !strings.Contains(lines, "domain.proof-found") || !strings.Contains(lines, "domain.proof-ended") {
		t.Errorf("not audited: %s", lines)
	}
	// Proved again, all that was there holds again.
	h.do(t, token, "POST", "/domains/shop.example/verify", nil)
	takes("250 ")
}
