package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
)

func newContextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Name the servers that commands are about",
		Long: `Name the servers that commands are about. While a context is in use, or --context names one, messages, deliveries, endpoints and
all other commands that work against a server ask that one by its API; without one they look at the data on this machine. LETTERHOOK_URL
and LETTERHOOK_KEY in the environment stand for a context that has no name.

Contexts are kept with their keys in a file of your configuration folder that nobody else can read.`,
		Example: "  letterhook context add prod --url https://mail.example.com --use\n  letterhook messages list --context prod\n  letterhook context use local",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newContextAdd(), newContextUse(), newContextList(), newContextRemove())
	return cmd
}

// editContexts reads the file, has it changed and saves it.
func editContexts(change func(*contexts.File) error) error {
	f, err := contexts.Read(contexts.Path())
	if err != nil {
		return err
	}
	if err := change(f); err != nil {
		return err
	}
	return f.Save()
}

// contextOptions are the flags of context add.
type contextOptions struct {
	url            string
	key            string
	noKey, noCheck bool
	use            bool
}

func newContextAdd() *cobra.Command {
	var o contextOptions
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Keep a server and its key, and try whether they work",
		Long: `Keep a server and its key, and try whether they work. The key is asked for, or read from standard input where that is no
terminal; with --key it stands in the history of your shell. A context of the same name is replaced.`,
		Example: "  letterhook context add prod --url https://mail.example.com\n  letterhook keys create laptop | letterhook context add here --url http://127.0.0.1:8080",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := contexts.CheckName(args[0]); err != nil {
				return &exitError{exitUsage, err}
			}
			return o.add(cmd, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.url, "url", "", "the public `URL` of the server")
	f.StringVar(&o.key, "key", "", "`key` of its API, lhk_...")
	f.BoolVar(&o.noKey, "no-key", false, "it lets you in without one, as dev does on its own machine")
	f.BoolVar(&o.noCheck, "no-check", false, "do not ask the server whether it works")
	f.BoolVar(&o.use, "use", false, "use it from now on")
	cmd.MarkFlagsMutuallyExclusive("key", "no-key")
	if err := cmd.MarkFlagRequired("url"); err != nil {
		panic(err) // the flag is declared above
	}
	return cmd
}

func (o *contextOptions) add(cmd *cobra.Command, name string) (err error) {
	added := contexts.Context{Name: name, URL: o.url, Key: o.key}
	if added.Key == "" && !o.noKey {
		if added.Key, err = readKey(cmd); err != nil {
			return err
		}
	}
	client, err := apiclient.New(added.URL, added.Key, nil)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	who := "not tried"
	if !o.noCheck {
		self, err := client.GetSelf(cmd.Context())
		if err != nil {
			return fmt.Errorf("it does not work, and is not kept: %w", err)
		}
		who = describeSelf(self)
	}
	err = editContexts(func(f *contexts.File) error {
		if f.Put(added); o.use {
			return f.Use(name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is %s, %s\n", name, added.URL, printable(who, false))
	return nil
}

// describeSelf says whose a key is and what it may do.
func describeSelf(s *apiclient.Self) string {
	whose := "the operator"
	if !s.Operator {
		whose = "account " + s.AccountID
	}
	scopes := make([]string, len(s.Scopes))
	for i, scope := range s.Scopes {
		scopes[i] = string(scope)
	}
	return fmt.Sprintf("as %s with %s", whose, strings.Join(scopes, ", "))
}

// readKey asks for a key, or reads it from what is piped in.
func readKey(cmd *cobra.Command) (string, error) {
	in := cmd.InOrStdin()
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), "Key: ")
		text, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		if err != nil {
			return "", fmt.Errorf("reading the key: %w", err)
		}
		return strings.TrimSpace(string(text)), nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, 1<<10)).ReadString('\n')
	if key := strings.TrimSpace(line); key != "" {
		return key, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the key: %w", err)
	}
	return "", &exitError{exitUsage, errors.New("no key: write it on standard input, or say --key or --no-key")}
}

func newContextUse() *cobra.Command {
	return &cobra.Command{
		Use:               "use NAME",
		Short:             "Use a context from now on; " + contexts.Local + ": the data on this machine",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(func(*cobra.Command) []string { return append(contextNames(nil), contexts.Local) }),
		RunE: func(_ *cobra.Command, args []string) error {
			return editContexts(func(f *contexts.File) error { return f.Use(args[0]) })
		},
	}
}

func newContextRemove() *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Short:             "Forget a context and its key",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(contextNames),
		RunE: func(_ *cobra.Command, args []string) error {
			return editContexts(func(f *contexts.File) error { return f.Remove(args[0]) })
		},
	}
}

func newContextList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the contexts, without their keys; * marks the one in use",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := contexts.Read(contexts.Path())
			if err != nil {
				return err
			}
			return listContexts(cmd.OutOrStdout(), f, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per context")
	return cmd
}

func listContexts(w io.Writer, f *contexts.File, asJSON bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "  NAME\tURL\tKEY")
	}
	for i := range f.Contexts {
		c := &f.Contexts[i]
		if asJSON {
			err := printJSON(w, struct {
				Name  string `json:"name"`
				URL   string `json:"url"`
				Key   string `json:"key_id"`
				InUse bool   `json:"in_use"`
			}{c.Name, c.URL, keyID(c.Key), c.Name == f.Current})
			if err != nil {
				return err
			}
			continue
		}
		mark := " "
		if c.Name == f.Current {
			mark = "*"
		}
		fmt.Fprintf(table, "%s %s\t%s\t%s\n", mark, c.Name, printable(c.URL, false), orDash(keyID(c.Key)))
	}
	return table.Flush()
}

// keyID is the part of a token that is no secret.
func keyID(token string) string {
	words := strings.Split(token, "_")
	if len(words) != 3 || words[0] != "lhk" {
		return ""
	}
	return "key_" + words[1]
}
