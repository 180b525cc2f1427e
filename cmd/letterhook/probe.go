package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// A message that may have taken the program down is parsed in a child process first. These are the child's limits; an
// honest message needs a fraction of them.
const (
	probeMemory  = 1 << 30 // octets of address space beside the message and what the process has at its start
	startMemory  = 1 << 30 // what that is where nobody tells: nearly all of it is only reserved by the runtime
	probeCPU     = 20      // seconds
	probeTime    = time.Minute
	probeLargest = 1 << 40 // octets of a message; far beyond the largest smtp.max_message_size
)

const probeCommand = "parse-probe"

// probeParse parses raw in a child process under hard limits. The error says that the child did not come through, or
// could not be asked.
func probeParse(ctx context.Context, raw *storage.Raw) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, probeCommand, strconv.FormatInt(raw.Size(), 10))
	cmd.Stdin = io.NewSectionReader(raw, 0, raw.Size())
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if _, ran := errors.AsType[*exec.ExitError](err); ran {
			err = fmt.Errorf("%w: %w", dispatch.ErrProbeDied, err)
		}
		return fmt.Errorf("the child process: %w", errors.Join(err, ctx.Err()))
	}
	return nil
}

// newProbeCommand is the child's side of probeParse.
func newProbeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    probeCommand + " SIZE",
		Short:  "Parse SIZE octets of standard input under hard limits (used by the server itself)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			size, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || size < 0 || size > probeLargest {
				return &exitError{exitUsage, fmt.Errorf("%q is not the size of a message", args[0])}
			}
			return probe(cmd.InOrStdin(), size)
		},
	}
}

// probe does with a message what the delivery will do with it: parse it and read every attachment.
func probe(in io.Reader, size int64) error {
	memory := mapped() + probeMemory + uint64(size)
	for resource, limit := range map[int]uint64{unix.RLIMIT_AS: memory, unix.RLIMIT_CPU: probeCPU, unix.RLIMIT_CORE: 0} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fmt.Errorf("setting a limit: %w", err)
		}
	}
	message := make([]byte, size)
	if _, err := io.ReadFull(in, message); err != nil {
		return fmt.Errorf("reading the message: %w", err)
	}
	parsed, err := parseMail(bytes.NewReader(message), size, parser.Limits{})
	if err != nil {
		return fmt.Errorf("parsing: %w", err)
	}
	for _, part := range parsed.Attachments {
		if _, err := io.Copy(io.Discard, part.Open()); err != nil {
			return fmt.Errorf("reading part %s: %w", part.ID, err)
		}
	}
	return nil
}

// mapped gives the octets of address space that the process has. With the race detector these are terabytes, so that a fixed limit would
// lie below what is there, and the runtime would die of the next page that it asks for.
func mapped() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil { // not Linux
		return startMemory
	}
	pages, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseUint(pages, 10, 64)
	if err != nil {
		return startMemory
	}
	return n * uint64(os.Getpagesize())
}
