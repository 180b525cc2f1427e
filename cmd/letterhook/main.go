// Command letterhook receives mail over SMTP and posts it as signed JSON to webhooks.
//
// Exit codes: 0 done; 1 what was asked failed, or faults were found; 2 wrong use of the command line; 3 not now, try
// again (send: the server answered 4yz or could not be reached).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitOK        = 0
	exitFailed    = 1
	exitUsage     = 2
	exitTemporary = 3
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run carries out one command and gives the exit code.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Once the shutdown has begun a second signal ends the process at once, as it does by default.
	context.AfterFunc(ctx, stop)
	root, started := newRoot()
	root.SetArgs(args)
	root.SetOut(os.Stdout)
	root.SetErr(os.Stderr)
	root.SetIn(os.Stdin)
	err := root.ExecuteContext(ctx)
	exit, exits := errors.AsType[*exitError](err)
	switch {
	case err == nil:
		return exitOK
	case !*started:
		fmt.Fprintf(os.Stderr, "letterhook: %v\nSee letterhook --help.\n", err)
		return exitUsage
	case exits:
		if exit.err != nil {
			fmt.Fprintf(os.Stderr, "letterhook: %s\n", printable(exit.err.Error(), true))
		}
		return exit.code
	default:
		fmt.Fprintf(os.Stderr, "letterhook: %s\n", printable(err.Error(), true)) // a server may have said a part of it
		return exitFailed
	}
}

// exitError ends the process with a code of its own. A nil err means that everything has been said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d: %v", e.code, e.err) }

func (e *exitError) Unwrap() error { return e.err }
