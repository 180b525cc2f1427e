package mailauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/inbound"
)

// Config says how a [Checker] works.
type Config struct {
	// Resolver answers the questions to DNS. Required.
	Resolver Resolver
	// Timeout bounds all questions of one message together; what is not known then is temperror. 15 seconds.
	Timeout time.Duration
	// MaxSignatures is how many DKIM signatures of a message are looked at, the topmost first. 10.
	MaxSignatures int
	// TrustedSealers are the domains (d=) whose ARC seals are believed when they say that DMARC passed.
	TrustedSealers []string
	// Registerer takes the metrics. Nil: none.
	Registerer prometheus.Registerer
}

// Checker checks messages. It is safe for concurrent use.
type Checker struct {
	cfg     Config
	metrics *metrics
	large   chan struct{} // holds one for each large header that is in memory
}

// maxLarge is how many large headers are looked at together: 64 MB, for as long as strangers make DNS last.
const maxLarge = 16

// New checks the configuration and makes a Checker.
func New(cfg Config) (*Checker, error) {
	if cfg.Resolver == nil {
		return nil, errors.New("mailauth: no Resolver")
	}
	if cfg.Timeout < 0 || cfg.MaxSignatures < 0 {
		return nil, errors.New("mailauth: a limit is negative")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.MaxSignatures == 0 {
		cfg.MaxSignatures = 10
	}
	trusted := make([]string, len(cfg.TrustedSealers))
	for i, sealer := range cfg.TrustedSealers {
		name, err := domainName(sealer)
		if err != nil {
			return nil, fmt.Errorf("mailauth: sealer %q is no domain name", sealer)
		}
		trusted[i] = name
	}
	cfg.TrustedSealers = trusted
	metrics, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	return &Checker{cfg: cfg, metrics: metrics, large: make(chan struct{}, maxLarge)}, nil
}

// Check finds out who vouches for a message of size octets, as received, that came with env. Trouble with DNS is part of the
// result. An error means that message could not be read, or that ctx ended; then nothing is known.
//
// It reads the header once and the body at most once, and holds about four times the header in memory, which is looked at
// up to 1 MiB. Of headers over 128 KiB it looks at 16 at a time; one that gets no turn within the Timeout is as one that is too
// large.
func (c *Checker) Check(ctx context.Context, env *inbound.Envelope, message io.ReaderAt, size int64) (*inbound.AuthResults, error) {
	began := time.Now()
	asking, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	leave := func() {}
	h, err := readHeader(message, size, func() (err error) {
		leave, err = c.enter(asking)
		return err
	})
	defer leave()
	tooLarge := errors.Is(err, errHeaderTooLarge)
	if err != nil && !tooLarge {
		return nil, err
	}
	if tooLarge {
		h = &header{}
	}
	m := &examination{
		checker: c, env: env, header: h, resolver: &asker{Resolver: c.cfg.Resolver},
		signatures: parseDKIM(h, env.ReceivedAt, c.cfg.MaxSignatures), chain: parseARC(h, env.ReceivedAt),
	}
	m.verdict.author, m.verdict.authorErr = readAuthor(h)
	if tooLarge {
		m.verdict.authorErr = errHeaderTooLarge
	}
	if err := m.ask(asking, message, size); err != nil {
		return nil, err
	}
	results := m.conclude()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.metrics.count(results, time.Since(began))
	return results, nil
}

// enter waits for the turn of a large header, which ends by leave.
func (c *Checker) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-c.large }
	select {
	case c.large <- struct{}{}:
		return leave, nil
	default:
	}
	select {
	case c.large <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return func() {}, errHeaderTooLarge
	}
}

// examination is the work on one message.
type examination struct {
	checker    *Checker
	env        *inbound.Envelope
	header     *header
	resolver   *asker
	signatures []*signature // of DKIM
	chain      *chain       // nil: none
	bodies     *bodyHashes

	spf     inbound.SPFResult
	iprev   inbound.IPRevResult
	verdict verdict
}

// maxKeyQuestions is how many keys of one message are looked up at a time.
const maxKeyQuestions = 8

// ask puts all questions whose answers do not depend on each other at once, and hashes the body meanwhile.
func (m *examination) ask(ctx context.Context, message io.ReaderAt, size int64) error {
	v := &m.verdict
	v.walks = &walks{ctx: ctx, r: m.resolver, records: map[string]*policyRecord{}}
	forms := m.forms()
	var all parts
	all.start(func() { m.spf = checkSPF(ctx, m.resolver, m.env) })
	all.start(func() { m.iprev = checkIPRev(ctx, m.resolver, m.env.RemoteIP) })
	if v.authorErr == nil {
		all.start(func() { v.policy, v.policyErr = v.walks.policy(v.author.domain) })
	}
	turn := make(chan struct{}, maxKeyQuestions)
	for _, s := range slices.Concat(m.signatures, m.chain.signatures()) {
		if s.err == nil {
			all.start(func() {
				turn <- struct{}{}
				defer func() { <-turn }()
				s.key, s.err = lookupKey(ctx, m.resolver, s)
			})
		}
	}
	var err error
	m.bodies, err = hashBody(message, m.header.size, size, forms)
	all.wait()
	return err
}

// forms are the canonical forms of the body that are signed.
func (m *examination) forms() (forms [2]bool) {
	for _, s := range m.signatures {
		if s.err == nil {
			forms[s.bodyCanon] = true
		}
	}
	if signed := m.chain.signatures(); len(signed) > 0 {
		forms[signed[0].bodyCanon] = true
	}
	return forms
}

// conclude makes the results of the answers.
func (m *examination) conclude() *inbound.AuthResults {
	results := &inbound.AuthResults{SPF: m.spf, IPRev: m.iprev, DKIM: make([]inbound.DKIMResult, len(m.signatures))}
	for i, s := range m.signatures {
		results.DKIM[i] = s.result(s.verifyDKIM(m.header, m.bodies))
	}
	var err error
	if m.chain != nil {
		err = m.chain.verify(m.header, m.bodies)
	}
	results.ARC = m.chain.result(err)
	v := &m.verdict
	v.chain, v.trusted, v.results = m.chain, m.checker.cfg.TrustedSealers, results
	v.markAligned()
	v.dmarc()
	v.identity()
	return results
}

// parts are goroutines whose panics reach whoever waits for them: a message must not take the process down.
type parts struct {
	group sync.WaitGroup
	mu    sync.Mutex
	panic any
}

func (p *parts) start(part func()) {
	p.group.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				p.mu.Lock()
				p.panic = v
				p.mu.Unlock()
			}
		}()
		part()
	})
}

func (p *parts) wait() {
	p.group.Wait()
	if p.panic != nil {
		panic(p.panic)
	}
}
