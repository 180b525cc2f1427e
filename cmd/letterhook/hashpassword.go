package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/term"
)

func newHashPasswordCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash-password",
		Short: "Make the hash of a password for the section users",
		Long: `Make the hash (bcrypt) of a password for the section users of the configuration. The password is read from standard input,
without an echo where that is a terminal: at most 72 octets, the line end not counted.`,
		Example: "  openssl rand -base64 24 | tee printer.password | letterhook hash-password",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return hashPassword(cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

func hashPassword(in io.Reader, out, messages io.Writer) error {
	password, err := readPassword(in, messages)
	if err != nil {
		return fmt.Errorf("reading the password: %w", err)
	}
	if password == "" {
		return errors.New("the password is empty")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil { // it is too long
		return fmt.Errorf("hashing the password: %w", err)
	}
	fmt.Fprintf(out, "%s\n", hash)
	return nil
}

// readPassword reads a line.
func readPassword(in io.Reader, messages io.Writer) (string, error) {
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(messages, "Password: ")
		password, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(messages)
		return string(password), err
	}
	line, err := bufio.NewReader(io.LimitReader(in, 1<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
