package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// sendOptions are the flags of send.
type sendOptions struct {
	server      string
	helo        string
	from        string
	to          []string
	subject     string
	text        string
	attach      []string
	count       int
	connections int
	tls         string
	json        bool
}

func newSendCommand() *cobra.Command {
	var o sendOptions
	cmd := &cobra.Command{
		Use:   "send [FILE|-]...",
		Short: "Send a sample mail, or .eml files, over real SMTP",
		Long: `Send a sample mail, or .eml files, over real SMTP.

A file is sent octet by octet as it is, bare CR, bare LF and NUL included. Only the protocol's own needs are added: a
dot at the start of a line is doubled on the wire, and a file that does not end in CR LF gets one.

Exit code 0: every message got 250. 1: one was refused or lost. 3: the server asked to try again later or could not be
reached, and nothing was refused for good.`,
		Example: "  letterhook send --to support@in.example.com\n  letterhook send --smtp mx.example.com:25 --to me@example.com mail.eml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.server, "smtp", "127.0.0.1:2525", "`address` of the server")
	f.StringVar(&o.helo, "helo", "localhost", "`name` to say in EHLO")
	f.StringVarP(&o.from, "from", "f", "sender@sender.example", "reverse-path; empty: the null reverse-path")
	f.StringArrayVarP(&o.to, "to", "t", []string{"hello@in.example.com"}, "recipient; may be repeated")
	f.StringVar(&o.subject, "subject", "Hello from Letterhook", "of the sample mail")
	f.StringVar(&o.text, "text", "This mail was made by letterhook send.\n\nGrüße!\n", "of the sample mail")
	f.StringArrayVarP(&o.attach, "attach", "a", nil, "`file` to attach to the sample mail; may be repeated")
	f.IntVarP(&o.count, "count", "n", 1, "how often to send each message")
	f.IntVar(&o.connections, "connections", 1, "how many connections to send over")
	f.StringVar(&o.tls, "tls", string(tlsAuto), "auto: STARTTLS where offered, any certificate; never: in clear; require: STARTTLS and a certificate that verifies")
	f.BoolVar(&o.json, "json", false, "print one JSON object per message")
	return cmd
}

// outgoing is a message to send; name says where it came from.
type outgoing struct {
	name string
	make func() ([]byte, error)
}

// sent is what became of one message. It is printed.
type sent struct {
	Message string `json:"message"`         // file name, or "sample"
	OK      bool   `json:"ok"`              // it got 250
	ID      string `json:"id,omitempty"`    // queue id in the 250, where the server names one
	Reply   string `json:"reply,omitempty"` // the server's words
	Error   string `json:"error,omitempty"` // why it was not sent

	temporary bool
}

func (o *sendOptions) run(ctx context.Context, files []string, in io.Reader, out io.Writer) error {
	switch tlsPolicy(o.tls) {
	case tlsAuto, tlsNever, tlsRequire:
	default:
		return &exitError{exitUsage, fmt.Errorf("--tls is auto, never or require, not %q", o.tls)}
	}
	if o.count < 1 || o.connections < 1 {
		return &exitError{exitUsage, errors.New("--count and --connections are at least 1")}
	}
	messages, err := o.messages(files, in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work, results := make(chan outgoing), make(chan sent)
	go func() {
		defer close(work)
		for range o.count {
			for _, m := range messages {
				select {
				case work <- m:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	var senders sync.WaitGroup
	for range min(o.connections, o.count*len(messages)) {
		senders.Go(func() { o.sendAll(ctx, work, results) })
	}
	go func() {
		senders.Wait()
		close(results)
	}()
	return o.report(out, results, cancel)
}

// messages reads the files, or makes the sample.
func (o *sendOptions) messages(files []string, in io.Reader) ([]outgoing, error) {
	if len(files) == 0 {
		return []outgoing{{"sample", func() ([]byte, error) {
			return sample{o.from, o.to, o.subject, o.text, o.attach, time.Now()}.bytes()
		}}}, nil
	}
	if len(o.attach) > 0 {
		return nil, &exitError{exitUsage, errors.New("--attach goes with the sample mail, not with files")}
	}
	messages := make([]outgoing, len(files))
	for i, file := range files {
		content, err := readInput(file, in)
		if err != nil {
			return nil, err
		}
		messages[i] = outgoing{file, func() ([]byte, error) { return content, nil }}
	}
	return messages, nil
}

// readInput reads a file, or what comes in for "-".
func readInput(file string, in io.Reader) ([]byte, error) {
	if file == "-" {
		content, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("reading the input: %w", err)
		}
		return content, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the mail: %w", err)
	}
	return content, nil
}

// sendAll sends what comes over one connection, which is opened anew after it broke.
func (o *sendOptions) sendAll(ctx context.Context, work <-chan outgoing, results chan<- sent) {
	var c *client
	for m := range work {
		result := sent{Message: m.name}
		r, err := o.sendOne(ctx, &c, m)
		if err == nil {
			result.OK, result.Reply, result.ID = true, r.Error(), queueID.FindString(r.Text)
		} else {
			result.temporary, result.Error = isTemporary(err), err.Error()
		}
		results <- result
	}
	if c != nil {
		_ = c.quit() // every message has its answer; nothing depends on the farewell
	}
}

// queueID finds our id in a reply.
var queueID = regexp.MustCompile(`\bmsg_[0-9a-z]{26}\b`) //nolint:gochecknoglobals // a pattern

// sendOne sends a message over *c, which it opens where there is none and closes where it is of no use any more. A session
// that the server ends with 421, as after so many messages, costs no message: it is sent again over a new one.
func (o *sendOptions) sendOne(ctx context.Context, c **client, m outgoing) (*reply, error) {
	message, err := m.make()
	if err != nil {
		return nil, err
	}
	for {
		fresh := *c == nil
		if fresh {
			if *c, err = dialSMTP(ctx, o.server, o.helo, tlsPolicy(o.tls)); err != nil {
				*c = nil
				return nil, &unreachableError{err}
			}
		}
		r, err := (*c).send(o.from, o.to, message)
		refusal, refused := errors.AsType[*reply](err)
		closing := refused && refusal.Code == closingCode
		if err != nil && (!refused || closing) {
			_ = (*c).conn.Close() // the session is over or out of step; its error is kept
			*c = nil
		}
		if fresh || !closing {
			return r, err
		}
	}
}

// closingCode says that the server closes the connection (RFC 5321 section 3.8). The message before it was not taken.
const closingCode = 421

// unreachableError says that there was no session to send in.
type unreachableError struct{ error }

func (e *unreachableError) Unwrap() error { return e.error }

// isTemporary says whether the same message may get through later.
func isTemporary(err error) bool {
	if refusal, ok := errors.AsType[*reply](err); ok {
		return refusal.temporary()
	}
	_, unreachable := errors.AsType[*unreachableError](err)
	return unreachable
}

// report prints the results as they come and turns them into the exit code.
func (o *sendOptions) report(out io.Writer, results <-chan sent, cancel func()) error {
	accepted, refused, temporary := 0, 0, 0
	var failed error
	for r := range results {
		switch {
		case r.OK:
			accepted++
		case r.temporary:
			temporary++
		default:
			refused++
		}
		if err := o.print(out, r); err != nil && failed == nil {
			failed = err
			cancel()
		}
	}
	switch {
	case failed != nil:
		return failed
	case refused > 0:
		return &exitError{exitFailed, fmt.Errorf("%d of %d not accepted", refused+temporary, accepted+refused+temporary)}
	case temporary > 0:
		return &exitError{exitTemporary, fmt.Errorf("%d of %d not accepted for now", temporary, accepted+temporary)}
	default:
		return nil
	}
}

func (o *sendOptions) print(out io.Writer, r sent) error {
	if o.json {
		return printJSON(out, r)
	}
	_, err := fmt.Fprintf(out, "%s: %s\n", r.Message, printable(r.Reply+r.Error, false))
	return err
}
