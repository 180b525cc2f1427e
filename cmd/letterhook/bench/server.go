package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A Server is a `letterhook dev` or `letterhook serve` process under test.
type Server struct {
	SMTP string // where it listens
	HTTP string
	cmd  *exec.Cmd
	said *tail         // the end of its standard error, when it has no log
	done chan struct{} // closed when the process has ended
	err  error         // what Wait said; set before done is closed
}

// ServerOptions say how to start a server.
type ServerOptions struct {
	Program string   // path of the letterhook binary
	Data    string   // its data folder
	Forward string   // URL that it delivers to
	Secret  string   // whsec_...; empty: one of its own
	Env     []string // added to the environment
	Handed  *os.File // a listening socket that it is started with, as systemd would with FileDescriptorName=mx
	Wrap    []string // command to run it under, for example strace and its flags
	Log     *os.File // its standard output and error; nil: only the last lines are kept, for the error of StartServer
	SMTP    string   // address to listen on; empty: a free port
	HTTP    string

	// Config is the path of a configuration: the program runs `serve` with it instead of `dev`. SMTP and HTTP are then
	// the addresses that the configuration names, and Data, Forward and Secret are not used.
	Config string
}

// arguments is the command line of the program.
func (o *ServerOptions) arguments(smtp, web string) []string {
	if o.Config != "" {
		return []string{"serve", "-c", o.Config}
	}
	args := []string{"dev", "--smtp", smtp, "--http", web, "--data", o.Data, "--forward", o.Forward}
	if o.Secret != "" {
		args = append(args, "--secret", o.Secret)
	}
	return args
}

// StartServer starts a server, on free loopback ports unless told otherwise, and waits until it greets.
func StartServer(ctx context.Context, o ServerOptions) (*Server, error) {
	smtp, err := addrOr(o.SMTP)
	if err != nil {
		return nil, err
	}
	web, err := addrOr(o.HTTP)
	if err != nil {
		return nil, err
	}
	args := append([]string{}, o.Wrap...)
	if o.Handed != nil {
		args = append(args, "sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=mx exec "$@"`, "sh")
	}
	args = append(append(args, o.Program), o.arguments(smtp, web)...)
	s := &Server{SMTP: smtp, HTTP: web, done: make(chan struct{})}
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Env = append(os.Environ(), o.Env...)
	if o.Handed != nil {
		s.cmd.ExtraFiles = []*os.File{o.Handed}
	}
	if o.Log != nil {
		s.cmd.Stdout, s.cmd.Stderr = o.Log, o.Log
	} else {
		s.said = &tail{}
		s.cmd.Stderr = s.said
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	if err := s.greeted(ctx); err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	return s, nil
}

func addrOr(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	return FreeAddr()
}

// FreeAddr finds a free port of 127.0.0.1, see [FreePort].
func FreeAddr() (string, error) { return FreePort("127.0.0.1") }

// FreePort finds a free port of a loopback address, and gives host:port. For a minute the system gives it to nobody who takes any
// port, and to no connection: one to it was just closed at its end, and is waited for (TIME-WAIT, RFC 9293, 3.6). Who asks for this very
// port gets it.
func FreePort(host string) (addr string, err error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return "", fmt.Errorf("keeping a free port: %w", err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		return "", fmt.Errorf("keeping a free port: %w", err)
	}
	if err := conn.Close(); err != nil { // before the client, or the client's port would be kept
		return "", fmt.Errorf("keeping a free port: %w", err)
	}
	_, _ = client.Read(make([]byte, 1)) // the end of file
	return l.Addr().String(), nil
}

// greeted tries to open a session until one succeeds, the process ends or ctx does.
func (s *Server) greeted(ctx context.Context) error {
	for {
		session, err := Dial(ctx, s.SMTP)
		if err == nil {
			return session.Quit()
		}
		select {
		case <-s.done:
			return s.early()
		case <-ctx.Done():
			return fmt.Errorf("the server did not greet in time: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// early is the error of a server that ended before it greeted.
func (s *Server) early() error {
	said := "see its log"
	if s.said != nil {
		said = s.said.String()
	}
	return fmt.Errorf("the server ended before it greeted (%w): %s", cmp.Or(s.err, errEndedWell), said)
}

// errEndedWell stands for the error of a process that ended without one.
var errEndedWell = errors.New("exit status 0")

// PID is the id of the process (of the wrapping command, if there is one).
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Done is closed when the process has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Kill ends the process at once, as kill -9 does, with everything that it started.
func (s *Server) Kill() error {
	err := syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.done
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// Stop asks the process to drain and waits for its end.
func (s *Server) Stop() error {
	if err := syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-s.done
	return s.err
}
