package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/letterhook/letterhook/admin"
	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/cmd/letterhook/identity"
	"github.com/letterhook/letterhook/cmd/letterhook/notice"
	"github.com/letterhook/letterhook/cmd/letterhook/telemetry"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/dispatch/format"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/clientlist"
	"github.com/letterhook/letterhook/inbound/greylist"
	"github.com/letterhook/letterhook/inbound/mailauth"
	"github.com/letterhook/letterhook/inbound/resolver"
	"github.com/letterhook/letterhook/inbound/scan"
	"github.com/letterhook/letterhook/storage"
)

// server is the composition root: it wires the rooms, starts them in order and stops them in order. serve and dev run
// the same one.
type server struct {
	cfg      *config.Config // what it was started with
	current  *config.Config // cfg with what reloads have changed
	log      *slog.Logger
	level    *slog.LevelVar
	loopback bool

	registry   *prometheus.Registry
	self       storage.Member // this process, for the others on the database
	store      *storage.Store
	blobs      storage.Blobs
	links      *storage.Links
	smtp       *inbound.Server
	dispatcher *dispatch.Dispatcher
	notices    *notice.Notifier
	dns        *resolver.Resolver
	checker    *mailauth.Checker
	lists      *clientlist.Lists
	greylist   *greylist.List
	recipients *dispatch.RecipientChecker
	scanners   *scan.Scanners
	identity   *identity.Certificates
	acme       *identity.ACME    // nil: not used
	traces     *telemetry.Traces // nil: there are none
	lookEvery  time.Duration     // at the files of certificates

	declare  func(*config.Config) storage.Declaration
	applying sync.Mutex                    // guards current
	merged   atomic.Pointer[config.Config] // current with what came by the API
	revision atomic.Int64                  // of the configuration that merged has

	directory atomic.Pointer[storage.Directory]
	policies  atomic.Pointer[map[string]admin.Policy] // of MTA-STS, by host
	retention atomic.Pointer[storage.Retention]
	users     atomic.Pointer[users]
	rates     access.Rates  // of requests to the API; zero: the usual ones
	logins    chan struct{} // holds one for each password that is being checked
	stopping  atomic.Bool

	follow func(context.Context) error // reloads until its context ends; nil: nothing does

	smtpListeners []net.Listener // in the order of the configuration
	public        net.Listener
	private       net.Listener // the same as public where the two share an address
	challenges    net.Listener // for HTTP-01 alone; nil: none
}

// serverOptions are what a server needs beside its configuration.
type serverOptions struct {
	config   *config.Config
	declare  func(*config.Config) storage.Declaration
	loopback bool // endpoints may lie on this machine
	log      *slog.Logger
	level    *slog.LevelVar
}

// openServer binds the listeners, opens the store and wires the rooms. Nothing is accepted before Run. Whoever does
// not run it closes it.
func openServer(ctx context.Context, o serverOptions) (_ *server, err error) {
	s := &server{cfg: o.config, current: o.config, declare: o.declare, log: o.log, level: o.level, loopback: o.loopback, registry: prometheus.NewRegistry(), lookEvery: identity.LookEvery, logins: make(chan struct{}, loginsAtOnce())}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := s.listen(); err != nil {
		return nil, err
	}
	if o.config.PublicURL == "" { // dev: wherever it listens
		o.config.PublicURL = "http://" + s.public.Addr().String()
	}
	if err := s.openStorage(ctx); err != nil {
		return nil, err
	}
	if err := s.enrol(ctx); err != nil {
		return nil, err
	}
	if err := s.wireIdentity(); err != nil {
		return nil, err
	}
	if err := s.apply(ctx, o.config); err != nil {
		return nil, err
	}
	s.wireNotices()
	if err := s.wireTraces(ctx); err != nil {
		return nil, err
	}
	if err := s.wireDelivery(); err != nil {
		return nil, err
	}
	if err := s.wireAuthentication(); err != nil {
		return nil, err
	}
	if err := s.wireScanners(); err != nil {
		return nil, err
	}
	if err := s.wireSMTP(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// listen binds every address, so that a wrong one is known before anything else happens.
func (s *server) listen() error {
	var err error
	if s.cfg.Has(config.RoleSMTP) {
		if s.smtpListeners, err = bindSMTP(s.cfg.SMTP.Listeners); err != nil {
			return err
		}
	}
	if address := s.cfg.TLS.ACME.HTTPAddress; address != "" && len(s.cfg.TLS.ACME.Names) > 0 {
		if s.challenges, err = net.Listen("tcp", address); err != nil {
			return fmt.Errorf("listening for the challenges of ACME: %w", err)
		}
	}
	if s.cfg.Has(config.RoleAdmin) {
		if s.public, err = net.Listen("tcp", s.cfg.HTTP.Public.Address); err != nil {
			return fmt.Errorf("listening for HTTP (http.public.address): %w", err)
		}
		if s.cfg.HTTP.Private == s.cfg.HTTP.Public {
			s.private = s.public
			return nil
		}
	}
	if s.private, err = net.Listen("tcp", s.cfg.HTTP.Private.Address); err != nil {
		return fmt.Errorf("listening for private HTTP (http.private.address): %w", err)
	}
	return nil
}

// openStorage opens keys, blobs and store.
func (s *server) openStorage(ctx context.Context) error {
	opened, err := openFolder(ctx, s.cfg, folderOptions{log: s.log, registerer: s.registry, step: crashStep()})
	if err != nil {
		return err
	}
	s.store, s.blobs, s.links = opened.store, opened.blobs, opened.links
	return nil
}

// apply makes a configuration the current one, in the store and in memory: all of what can change, or nothing. Handshakes
// that run keep their certificate.
func (s *server) apply(ctx context.Context, c *config.Config) error {
	certificates, err := readIdentity(c)
	if err != nil {
		return err
	}
	if err := s.route(ctx, c); err != nil {
		return err
	}
	s.identity.SetFiles(certificates)
	if s.recipients != nil { // nil at the start
		s.recipients.Declare(recipientChecks(c))
	}
	s.users.Store(newUsers(c.Users))
	s.retention.Store(retention(c))
	s.warnWaiting(ctx)
	return nil
}

func (s *server) wireDelivery() error {
	guard := s.cfg.Guard()
	d, err := dispatch.New(dispatch.Config{
		Store:         s.store,
		Blobs:         s.blobs,
		Directory:     s.directory.Load,
		Formats:       format.All(),
		Hostname:      s.cfg.Hostname,
		Links:         s.links,
		LinkLifetime:  s.cfg.Storage.LinkLifetime.Std(),
		Allow:         guard.Allow,
		AllowHosts:    guard.AllowHosts,
		AllowLoopback: s.loopback,
		BlockedAddrs:  s.ownAddresses(),
		Workers:       s.cfg.Delivery.Workers,
		BytesInFlight: int64(s.cfg.Delivery.BytesInFlight),
		MemoryBudget:  int64(s.cfg.Delivery.MemoryBudget),
		Schedule:      durations(s.cfg.Delivery.Schedule),
		DrainTimeout:  s.cfg.Delivery.DrainTimeout.Std(),
		Version:       version(),
		Parse:         parseMail,
		ProbeParse:    probeParse,
		Notice:        s.notices.Notice,
		Notify:        s.notices.Look,
		Ledger:        s.ledger(),
		Node:          s.nodeName(),
		WakeOnly:      !s.cfg.Has(config.RoleDispatch),
		Tracing:       s.tracing(),
		Log:           s.log,
		Registerer:    s.registry,
		Step:          crashStep(),
	})
	if err != nil {
		return fmt.Errorf("preparing the delivery: %w", err)
	}
	s.dispatcher = d
	s.store.SetHandOver(d.HandOver)
	if s.recipients, err = dispatch.NewRecipientChecker(d.Sender(), s.log, s.registry); err != nil {
		return fmt.Errorf("preparing the checks of recipients: %w", err)
	}
	s.recipients.Declare(recipientChecks(s.cfg))
	return nil
}

func (s *server) wireSMTP(ctx context.Context) error {
	c := &s.cfg.SMTP
	defence, err := s.defence(ctx)
	if err != nil {
		return err
	}
	smtp, err := inbound.NewServer(inbound.Config{
		Hostname:   s.cfg.Hostname,
		Recipients: func(p inbound.Path) inbound.Decision { return s.directory.Load().Recipients(p) },
		Exceeds:    s.store.Exceeds,
		Suppress: func(from, to inbound.Path, d *inbound.Decision) *inbound.Rejection {
			return s.directory.Load().Suppress(from, to, d)
		},
		CheckRecipient:       s.recipients.Check,
		Spool:                dispatch.NewGate(s.dispatcher),
		Authenticate:         s.authenticate,
		TLS:                  s.tlsConfig(),
		TLSReady:             s.identity.Ready,
		MaxMessageSize:       int64(c.MaxMessageSize),
		MaxRecipients:        c.MaxRecipients,
		MaxLineLength:        int(c.MaxLineLength),
		MaxReceived:          c.MaxReceived,
		MemoryPerMessage:     int64(c.MemoryPerMessage),
		MemoryTotal:          int64(c.MemoryTotal),
		TempDir:              tempDir(s.cfg),
		CommandTimeout:       c.CommandTimeout.Std(),
		DataIdleTimeout:      c.DataIdleTimeout.Std(),
		SessionTimeout:       c.SessionTimeout.Std(),
		MaxErrors:            c.MaxErrors,
		MaxUnknownRecipients: c.MaxUnknownRecipients,
		MaxAuthFailures:      c.MaxAuthFailures,
		MaxCommands:          c.MaxCommands,
		MaxMessages:          c.MaxMessages,
		MaxConnections:       c.MaxConnections,
		MaxConnectionsPerIP:  c.MaxConnectionsPerIP,
		Defence:              defence,
		RefuseBareLineEnds:   c.RefuseBareLineEnds,
		DiskFull:             s.store.DiskFull,
		Scan:                 s.scanners.Scan,
		VerifySender:         s.verifySender,
		LogAddresses:         c.LogAddresses,
		Refused:              s.noteRefusal,
		Tracing:              s.tracing(),
		Log:                  s.log,
		Registerer:           s.registry,
		Step:                 crashStep(),
	})
	if err != nil {
		return fmt.Errorf("preparing SMTP: %w", err)
	}
	s.smtp = smtp
	return nil
}

// Run serves until ctx ends or a part fails. Then it stops taking mail, lets transactions and attempts finish within
// their deadlines, writes what is queued and returns. What was not finished is on disk and done after the next start.
func (s *server) Run(ctx context.Context) error {
	stopping, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	delivering, stopDelivering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDelivering()
	told, stopTelling := context.WithCancel(delivering)
	defer stopTelling()
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()

	letGo()
	var taking, telling, delivery, web sync.WaitGroup
	start := func(group *sync.WaitGroup, ctx context.Context, part func(context.Context) error) {
		group.Go(func() {
			if err := part(ctx); err != nil {
				stop(err)
			}
		})
	}
	start(&delivery, delivering, s.dispatcher.Run)
	start(&telling, told, s.notices.Run)
	start(&web, serving, s.present)
	for l, handler := range s.handlers() {
		start(&web, serving, func(ctx context.Context) error { return serveHTTP(ctx, l, handler, s.log) })
	}
	for i, l := range s.smtpListeners {
		as := smtpListener(&s.cfg.SMTP.Listeners[i])
		start(&taking, stopping, func(ctx context.Context) error { return s.smtp.Serve(ctx, l, as) })
	}
	start(&taking, stopping, s.housekeep)
	start(&taking, stopping, s.shrink)
	start(&taking, stopping, s.store.Meter)
	start(&taking, stopping, s.store.WatchTrouble)
	start(&taking, stopping, s.watchCertificates)
	start(&taking, stopping, s.watchConfiguration)
	start(&taking, stopping, s.watchProofs)
	s.askForCertificates()
	start(&taking, stopping, s.watchStrangers)
	if s.follow != nil {
		start(&taking, stopping, s.follow)
	}
	s.log.Info("started", "version", version(), "hostname", s.cfg.Hostname, "smtp", s.smtpAddresses(), "public_http", addressOf(s.public))

	<-stopping.Done()
	s.stopping.Store(true)
	s.log.Info("stopping")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.SMTP.ShutdownTimeout.Std())
	defer cancel()
	if err := s.smtp.Shutdown(drain); err != nil {
		s.log.Warn("sessions were cut", "error", err)
	}
	taking.Wait()
	stopTelling() // before another node may
	telling.Wait()
	stopDelivering()
	delivery.Wait()
	stopServing()
	web.Wait()
	err := s.close()
	if cause := context.Cause(stopping); ctx.Err() == nil {
		err = errors.Join(cause, err)
	}
	s.log.Info("stopped")
	return err
}

// close lets go of what openServer took.
func (s *server) close() error {
	if s.acme != nil {
		s.acme.Close()
	}
	for _, l := range append([]net.Listener{s.public, s.private, s.challenges}, s.smtpListeners...) {
		if l != nil {
			l.Close() // closed already after Run
		}
	}
	var err error
	if s.traces != nil {
		err = s.traces.Close(context.Background())
	}
	if s.store == nil {
		return err
	}
	return errors.Join(err, s.store.Close())
}

func durations(list []config.Duration) []time.Duration {
	if list == nil {
		return nil
	}
	std := make([]time.Duration, len(list))
	for i, d := range list {
		std[i] = d.Std()
	}
	return std
}
