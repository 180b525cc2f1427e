package bench

import (
	"net"
	"testing"
)

// TestFreePort: a port that was found free is given to nobody else meanwhile, and to who asks for it.
func TestFreePort(t *testing.T) {
	found := map[string]bool{}
	for range 500 {
		addr, err := FreePort("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if found[addr] {
			t.Errorf("%s was given twice", addr)
		}
		found[addr] = true
	}
	for range 500 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if found[l.Addr().String()] {
			t.Errorf("%s was given to somebody else", l.Addr())
		}
	}
	for addr := range found {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Error(err)
			continue
		}
		l.Close()
	}
}
