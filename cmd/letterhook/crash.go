//go:build crashpoints

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/letterhook/letterhook/parser"
)

// A program built with the tag crashpoints kills itself where the environment says so. It is for the crash tests alone.
//
//	LETTERHOOK_CRASH_AT=step[:n]   right after the named step was taken for the n-th time (1 when left out)
//	LETTERHOOK_POISON=token        when a message that holds the token is parsed
const (
	crashAt = "LETTERHOOK_CRASH_AT"
	poison  = "LETTERHOOK_POISON"
)

// crashStep gives the function that dies at its step.
func crashStep() func(string) {
	value := os.Getenv(crashAt)
	if value == "" {
		return nil
	}
	name, number, _ := strings.Cut(value, ":")
	n := int64(1)
	if number != "" {
		var err error
		if n, err = strconv.ParseInt(number, 10, 64); err != nil {
			panic(fmt.Sprintf("%s=%s: %v", crashAt, value, err))
		}
	}
	var taken atomic.Int64
	return func(step string) {
		if step == name && taken.Add(1) == n {
			die()
		}
	}
}

// die ends the process as a power cut would, as far as a process can: nothing is flushed, nothing deferred runs.
func die() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {} // the signal is on its way
}

// parseMail is the parser, which a poisonous message kills. Tests that poison send small messages.
func parseMail(r io.ReaderAt, size int64, limits parser.Limits) (*parser.Message, error) {
	if token := os.Getenv(poison); token != "" {
		message, err := io.ReadAll(io.NewSectionReader(r, 0, size))
		if err != nil {
			return nil, err
		}
		if bytes.Contains(message, []byte(token)) {
			die()
		}
	}
	return parser.Parse(r, size, limits)
}
