package e2e

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/storage/throwaway"
)

const composed = "../../../examples/compose/"

// composition is what examples/compose.yaml starts, as processes: its configurations are those of the example but for addresses,
// paths and secrets. Every container has a loopback address of its own, so that ports are those of the example too.
type composition struct {
	hosts    [3]string // of the nodes, and of the balancer
	options  [2]bench.ServerOptions
	nodes    [2]*bench.Server
	balancer *daemon
	in       *inbox
}

// edit reads a file of the example and replaces what stands there; what does not stand there is a fault of the test.
func edit(t *testing.T, path string, pairs ...string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			t.Fatalf("%s does not have %q", path, pairs[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(string(text))
}

func newKey(t *testing.T, path string) string {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func startComposition(ctx context.Context, t *testing.T) *composition {
	t.Helper()
	needTool(t, "haproxy")
	c := &composition{in: newInbox(t)}
	for i := range c.hosts {
		c.hosts[i] = fmt.Sprintf("127.%d.%d.%d", 64+os.Getpid()>>8&63, os.Getpid()&255, i+1)
	}
	dir := t.TempDir()
	balance := writeConf(t, dir, "haproxy.cfg", edit(t, composed+"haproxy.cfg", " letterhook1:", " "+c.hosts[0]+":", " letterhook2:", " "+c.hosts[1]+":",
		"bind :", "bind "+c.hosts[2]+":"))
	c.balancer = startDaemon(ctx, t, c.hosts[2]+":8080", "GET / HTTP/1.0\r\n\r\n", "503", "haproxy", "-db", "-f", balance)

	cluster, store := throwaway.StartPostgres(t), startBucket(ctx, t)
	database := cluster.Database(t)
	var of installation
	certificate := regexp.MustCompile(`cert_file: "(.*)", key_file: "(.*)"`).FindStringSubmatch(of.certificate(t))
	instance, link := newKey(t, filepath.Join(dir, "instance.key")), newKey(t, filepath.Join(dir, "link.key"))
	for i := range c.nodes {
		config := edit(t, composed+"letterhook.yaml",
			`":2525"`, strconv.Quote(c.hosts[i]+":2525"), `":8080"`, strconv.Quote(c.hosts[i]+":8080"), `":9025"`, strconv.Quote(c.hosts[i]+":9025"),
			"10.89.25.0/24", "127.0.0.0/8", "/var/lib/letterhook", t.TempDir(), "/etc/letterhook/mx.crt", certificate[1], "/etc/letterhook/mx.key", certificate[2],
			"postgres://letterhook:${DATABASE_PASSWORD}@postgres/letterhook?sslmode=disable", database, "http://s3:7070", "http://"+store.addr,
			"access_key_id: letterhook", "access_key_id: "+accessKey, "/etc/letterhook/instance.key", instance, "/etc/letterhook/link.key", link,
			"url: https://app.example.com/hooks/mail,", fmt.Sprintf("url: %q, allow_private: true,", c.in.URL), "https://mail.example.com", "http://"+c.hosts[2]+":8080")
		c.options[i] = bench.ServerOptions{
			Program: program(t), Log: logFile(t), Config: writeConf(t, t.TempDir(), "letterhook.yaml", config), SMTP: c.hosts[2] + ":2525",
			Env: []string{"APP_SECRET=" + secret, "BUCKET_SECRET=" + accessSecret},
		}
		c.start(ctx, t, i)
	}
	return c
}

// start starts a node and waits until it is ready.
func (c *composition) start(ctx context.Context, t *testing.T, i int) {
	t.Helper()
	c.nodes[i] = start(ctx, t, c.options[i])
	eventually(ctx, t, "the node is ready", func() bool {
		res, err := http.Get("http://" + c.hosts[i] + ":9025/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

var acceptedMetric = regexp.MustCompile(`(?m)^letterhook_smtp_messages_accepted_total (\d+)$`)

// took counts the mails that a node has accepted since it started.
func (c *composition) took(ctx context.Context, t *testing.T, i int) int {
	t.Helper()
	found := acceptedMetric.FindSubmatch(fetch(ctx, t, "http://"+c.hosts[i]+":9025/metrics"))
	if found == nil {
		t.Fatal("the node has no such metric")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// from sends a mail to the balancer from an address and gives the reply that decides; where nobody greets that is the reply.
func (c *composition) from(ctx context.Context, t *testing.T, address, to string) reply {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.DialContext(ctx, "tcp", c.hosts[2]+":2525")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	peer := &client{t: t, conn: conn, r: bufio.NewReader(conn)}
	greeted, err := peer.read()
	if err != nil || greeted.code != 220 {
		return greeted
	}
	peer.command(250, "EHLO client.example")
	r := peer.send([]byte(greeting), to)
	peer.quit()
	return r
}

// burst sends mails one after the other and says whether all were accepted, and how many of them the nodes have taken.
func (c *composition) burst(ctx context.Context, t *testing.T, n int) (all bool, took [2]int) {
	t.Helper()
	all = true
	for i := range took {
		if c.nodes[i] != nil {
			took[i] = -c.took(ctx, t, i)
		}
	}
	for range n {
		r := c.from(ctx, t, "127.0.0.9", "burst@in.example.com")
		all = all && r.code == 250
	}
	for i := range took {
		if c.nodes[i] != nil {
			took[i] += c.took(ctx, t, i)
		}
	}
	return all, took
}

// lever pulls a lever of a node.
func (c *composition) lever(ctx context.Context, t *testing.T, i int, which string) {
	t.Helper()
	out, err := exec.CommandContext(ctx, c.options[i].Program, "lever", which, "--address", c.hosts[i]+":9025").CombinedOutput()
	if err != nil {
		t.Fatalf("lever %s: %v\n%s", which, err, out)
	}
}

// TestComposition runs what examples/compose.yaml has, with a real HAProxy: both nodes get mail and know who sent it; where one is killed
// the next connection is the other's; one that drains is left out; and where none is ready peers hear so rather than nothing.
func TestComposition(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	c := startComposition(ctx, t)
	both := func(took [2]int) bool { return took[0] > 0 && took[1] > 0 }
	eventually(ctx, t, "both nodes get mail", func() bool {
		all, took := c.burst(ctx, t, 4)
		return all && both(took)
	})
	if r := c.from(ctx, t, "127.0.0.77", "who@in.example.com"); r.code != 250 {
		t.Fatalf("got %s", r)
	}
	e := c.in.awaitFor(ctx, t, "who@in.example.com")
	if e.Data.Envelope.RemoteIP != "127.0.0.77" {
		t.Errorf("the event says that the client was %s", e.Data.Envelope.RemoteIP)
	}
	eventually(ctx, t, "the balancer passes on requests", func() bool {
		res, _ := get(ctx, t, "http://"+c.hosts[2]+":8080/login")
		return res.StatusCode == http.StatusOK
	})
	if got := string(fetch(ctx, t, e.Data.Raw.URL)); got != greeting { // from either node
		t.Errorf("the link of the event gives %q", got)
	}

	if err := c.nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	c.nodes[0] = nil
	if all, took := c.burst(ctx, t, 6); !all || took[1] != 6 {
		t.Errorf("right after a node was killed: all accepted: %t, the other took %d of 6", all, took[1])
	}
	c.start(ctx, t, 0)
	eventually(ctx, t, "the node that was started again gets mail", func() bool {
		_, took := c.burst(ctx, t, 4)
		return took[0] > 0
	})

	c.lever(ctx, t, 1, "drain")
	eventually(ctx, t, "the node that drains is left out", func() bool {
		all, took := c.burst(ctx, t, 6)
		return all && took[0] == 6
	})
	c.lever(ctx, t, 1, "resume")
	for i := range c.nodes {
		c.lever(ctx, t, i, "defer")
	}
	eventually(ctx, t, "no node is ready", func() bool {
		for range 6 { // whichever node it is
			if r := c.from(ctx, t, "127.0.0.9", "late@in.example.com"); !r.is(451, "4.3.2 ") {
				return false
			}
		}
		res, err := http.Get("http://" + c.hosts[0] + ":9025/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusServiceUnavailable
	})
	for i := range c.nodes {
		c.lever(ctx, t, i, "resume")
	}
	eventually(ctx, t, "both get mail again", func() bool {
		all, took := c.burst(ctx, t, 4)
		return all && both(took)
	})
	for _, n := range c.nodes {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestComposedBucket runs the command of the example that makes the bucket: once where there is none, once where there is, and with a wrong
// secret.
func TestComposedBucket(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	needTool(t, "curl")
	b := startBucket(ctx, t)
	text := edit(t, composed+"../compose.yaml", "http://s3:7070/letterhook", "http://"+b.addr+"/fresh", `"letterhook:$$`, `"`+accessKey+`:$`, "$$", "$")
	_, command, found := strings.Cut(text, "      - >-\n")
	command, _, ends := strings.Cut(command, "    depends_on:")
	if !found || !ends {
		t.Fatal("the example has no such command")
	}
	command = strings.Join(strings.Fields(command), " ")
	for _, try := range []struct {
		secret string
		works  bool
	}{{"wrong", false}, {accessSecret, true}, {accessSecret, true}} {
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
		cmd.Env = append(os.Environ(), "BUCKET_SECRET="+try.secret)
		if out, err := cmd.CombinedOutput(); (err == nil) != try.works {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if info, err := os.Stat(filepath.Join(b.dir, "fresh")); err != nil || !info.IsDir() {
		t.Errorf("there is no bucket: %v", err)
	}
}
