package inbound_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/guard"
)

func lateGreeting(c *inbound.Config) { c.Defence.GreetDelay = 6 * time.Second }

// TestGreetDelay: who waits is greeted, who does not is sent away, and neither takes a place that others need.
func TestGreetDelay(t *testing.T) {
	virtually(t, func(c *inbound.Config) { lateGreeting(c); c.MaxConnections = 1 }, func(t *testing.T, e *edge) {
		began := time.Now()
		patient := e.arrive(t, "192.0.2.1")
		synctest.Wait() // it is held back
		early := e.arrive(t, "192.0.2.2")
		early.send("EHLO bot.example\r\n")
		early.expect("421 4.7.0 You spoke before the greeting")
		early.closed()
		patient.expect("220")
		if waited := time.Since(began); waited != 6*time.Second {
			t.Errorf("greeted after %v", waited)
		}
		patient.do("EHLO client.example", "250-")
		patient.do("MAIL FROM:<ann@sender.example>", "250")
		if reply := patient.mail(known); reply[:3] != "250" {
			t.Errorf("reply %s", reply)
		}
		e.arrive(t, "192.0.2.3").expect("421 4.7.0 Too many connections")
	})
}

// TestGreetDelayIsBounded: beyond the connections that may wait, the next one is greeted at once.
func TestGreetDelayIsBounded(t *testing.T) {
	virtually(t, func(c *inbound.Config) { lateGreeting(c); c.Defence.MaxDelayed = 2 }, func(t *testing.T, e *edge) {
		e.arrive(t, "192.0.2.1")
		e.arrive(t, "192.0.2.2")
		synctest.Wait()
		began := time.Now()
		e.arrive(t, "192.0.2.3").expect("220")
		if waited := time.Since(began); waited != 0 {
			t.Errorf("greeted after %v", waited)
		}
	})
}

// TestGreetDelayLost: a place that was taken while a connection was held back is not there any more.
func TestGreetDelayLost(t *testing.T) {
	virtually(t, func(c *inbound.Config) {
		lateGreeting(c)
		c.MaxConnections = 1
	}, func(t *testing.T, e *edge) {
		first := e.arrive(t, "192.0.2.1")
		time.Sleep(time.Second)
		second := e.arrive(t, "192.0.2.2")
		first.expect("220")
		second.expect("421 4.7.0 Too many connections")
		first.do("NOOP", "250")
	})
}

// TestGreetDelayEndsWithTheServer: nobody waits for those that are held back, by the greeting or in the tarpit.
func TestGreetDelayEndsWithTheServer(t *testing.T) {
	virtually(t, func(c *inbound.Config) {
		lateGreeting(c)
		c.Defence.Tarpit = time.Hour
		c.Defence.UnknownRate = guard.Rate{Count: 1, Per: time.Hour}
	}, func(t *testing.T, e *edge) {
		stuck := e.meet(t, "192.0.2.2")
		waiting := e.arrive(t, "192.0.2.1")
		stuck.send(unknown + "\r\n")
		synctest.Wait()
		began := time.Now()
		go func() { // net.Pipe wants a reader
			waiting.reply()
			stuck.reply()
		}()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = e.Shutdown(ctx) // the transaction that is under way takes until then
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// TestTarpitHoldsNoSlot: those in the tarpit take no place that others need, and there is a bound on them.
func TestTarpitHoldsNoSlot(t *testing.T) {
	virtually(t, func(c *inbound.Config) {
		c.MaxConnections, c.Defence.MaxDelayed = 3, 2
		c.Defence.UnknownRate = guard.Rate{Count: 1, Per: time.Hour}
	}, func(t *testing.T, e *edge) {
		stuck := []*peer{e.meet(t, "192.0.2.1"), e.meet(t, "192.0.2.2"), e.meet(t, "192.0.2.3")}
		e.arrive(t, "192.0.2.9").expect("421 4.7.0 Too many connections")
		for _, p := range stuck {
			p.send(unknown + "\r\n")
			synctest.Wait()
		}
		stuck[2].expect("421 4.7.0 Too many refused recipients") // no room to wait
		stuck[2].closed()
		synctest.Wait()
		normal := make([]*peer, 0, 3)
		for range 3 {
			normal = append(normal, e.meet(t, "192.0.2.9"))
		}
		for _, p := range normal {
			if reply := p.mail(known); reply[:3] != "250" {
				t.Errorf("a normal sender heard %s", reply)
			}
		}
		for _, p := range stuck[:2] { // their places were taken
			p.expect("421 4.7.0 Too many connections")
			p.closed()
		}
		normal[0].quit()
		normal[1].quit()
		e.meet(t, "192.0.2.8").quit()
	})
}

// TestIdleMakeRoom: at the cap the stranger that has got nowhere for longest makes room, a NOOP now and then or an open transaction
// does not help, and one that delivers, is fresh or is inside a message stays.
func TestIdleMakeRoom(t *testing.T) {
	virtually(t, func(c *inbound.Config) { c.MaxConnections = 4 }, func(t *testing.T, e *edge) {
		idle := e.meet(t, "192.0.2.1")
		time.Sleep(time.Second)
		inside := e.meet(t, "192.0.2.2")
		inside.do("RCPT TO:<"+known+">", "250")
		inside.do("DATA", "354")
		good := e.meet(t, "192.0.2.3")
		noop := e.meet(t, "192.0.2.4")
		e.arrive(t, "192.0.2.9").expect("421 4.7.0 Too many connections") // all of them are fresh
		time.Sleep(25 * time.Second)
		noop.do("NOOP", "250")
		if reply := good.mail(known); reply[:3] != "250" {
			t.Fatalf("reply %s", reply)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		for i, gone := range []*peer{idle, noop} {
			done := make(chan *peer)
			go func() { done <- e.arrive(t, "192.0.2.8") }()
			gone.expect("421 4.7.0 Others wait for your place")
			gone.closed()
			(<-done).expect("220")
			if i == 0 {
				synctest.Wait()
			}
		}
		e.arrive(t, "192.0.2.9").expect("421 4.7.0 Too many connections")
		inside.send("x\r\n.\r\n")
		inside.expect("250")
		good.do("NOOP", "250")
	})
}

// TestStalledHandshakeMakesRoom: who falls silent inside the TLS handshake holds no place either.
func TestStalledHandshakeMakesRoom(t *testing.T) {
	virtually(t, func(c *inbound.Config) { c.MaxConnections = 1 }, func(t *testing.T, e *edge) {
		stalled := e.arrive(t, "192.0.2.1")
		stalled.expect("220")
		stalled.do("EHLO client.example", "250-")
		stalled.do("STARTTLS", "220")
		time.Sleep(31 * time.Second)
		next := e.arrive(t, "192.0.2.2")
		stalled.closed()
		next.expect("220")
		next.do("EHLO client.example", "250-")
		next.quit()
	})
}

// TestRefusedChunk: a chunk that is not wanted holds no place, and once it is over the time that it took counts for nothing.
func TestRefusedChunk(t *testing.T) {
	virtually(t, func(c *inbound.Config) { c.MaxConnections = 1 }, func(t *testing.T, e *edge) {
		stalled := e.arrive(t, "192.0.2.1")
		stalled.expect("220")
		stalled.do("EHLO client.example", "250-")
		stalled.send("BDAT 100000\r\nx")
		time.Sleep(31 * time.Second)
		done := make(chan *peer)
		go func() { done <- e.arrive(t, "192.0.2.2") }()
		stalled.expect("421 4.7.0 Others wait for your place")
		stalled.closed()
		next := <-done
		next.expect("220")
		next.do("EHLO client.example", "250-")
		next.send("BDAT 5 LAST\r\nhello") // its MAIL was put off, in a pipeline
		next.expect("503 5.5.1")
		for range 3 {
			time.Sleep(4 * time.Minute)
			next.do("NOOP", "250")
		}
		next.quit()
	})
}
