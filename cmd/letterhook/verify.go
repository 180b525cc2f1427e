package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/dispatch/signature"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	headers  string
	body     string
	secrets  []string
	at       string
	computed string
	json     bool
}

func newVerifyRequestCommand() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Find out why a captured request does not verify",
		Long: `Find out why a captured request does not verify: a body that was decoded and written again, a secret that was not decoded,
a clock, a header that is missing or doubled, a wrong order of what is signed, a compressed body, and the like.

--headers is a file of "Name: value" lines, or JSON with names and values. Without --body the body stands in the same file, behind an
empty line. Write both down as the application that refuses them has them. The timestamp is held against a clock only with --at.
The exit code is 1 when the request does not verify.`,
		Example: "  letterhook verify --secret whsec_... --headers headers.txt --body body.json\n" +
			"  letterhook verify --secret whsec_... --headers request.txt --at now --computed v1,...",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.InOrStdin(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.headers, "headers", "", "`file` with the headers; -: standard input")
	f.StringVar(&o.body, "body", "", "`file` with the body, octet for octet")
	f.StringArrayVar(&o.secrets, "secret", nil, "`secret` to try, whsec_... (or whpk_... for v1a), as the application has it; several are tried in turn")
	f.StringVar(&o.at, "at", "", "`time` of the request's arrival, to look at the clock: now, RFC 3339 or seconds of the Unix epoch")
	f.StringVar(&o.computed, "computed", "", "`signature` that the application computed: what led to it is looked for")
	f.BoolVar(&o.json, "json", false, "print JSON")
	for _, name := range []string{"headers", "secret"} {
		_ = cmd.MarkFlagRequired(name) // they exist
	}
	return cmd
}

// errNotVerified says what verify found in its exit code.
var errNotVerified = errors.New("the request does not verify")

func (o *verifyOptions) run(in io.Reader, w io.Writer) error {
	at, err := parseMoment(o.at)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	request, err := o.read(in)
	if err != nil {
		return err
	}
	request.Computed = o.computed
	v := signature.Explain(request, o.secrets, at)
	if o.json {
		if err := printJSON(w, v); err != nil {
			return err
		}
	} else {
		printVerdict(w, &v, len(o.secrets))
	}
	if !v.Verified {
		return errNotVerified
	}
	return nil
}

func printVerdict(w io.Writer, v *signature.Verdict, secrets int) {
	switch {
	case v.Verified && secrets > 1:
		fmt.Fprintf(w, "verified, with secret %d\n", v.Secret+1)
	case v.Verified:
		fmt.Fprintln(w, "verified")
	}
	for _, f := range v.Findings {
		fmt.Fprintf(w, "%-17s %s\n", f.Code, printable(f.Text, false))
	}
}

func parseMoment(text string) (time.Time, error) {
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return time.Now(), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(n, 0), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--at is now, a time of RFC 3339 or seconds of the Unix epoch, not %q", text)
	}
	return at, nil
}

// read reads the captured request.
func (o *verifyOptions) read(in io.Reader) (*signature.Request, error) {
	text, err := readNamed(o.headers, in)
	if err != nil {
		return nil, err
	}
	header, rest, err := readHeader(text)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--headers: %w", err)}
	}
	if o.body == "" {
		return &signature.Request{Header: header, Body: rest}, nil
	}
	body, err := readNamed(o.body, in)
	if err != nil {
		return nil, err
	}
	return &signature.Request{Header: header, Body: body}, nil
}

func readNamed(path string, in io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(in)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	return b, nil
}

// readHeader reads a header, as lines or as JSON, and gives what follows the empty line behind it.
func readHeader(text []byte) (http.Header, []byte, error) {
	if trimmed := bytes.TrimSpace(text); bytes.HasPrefix(trimmed, []byte("{")) {
		header, err := headerOfJSON(trimmed)
		return header, nil, err
	}
	if line, rest, ok := bytes.Cut(text, []byte("\n")); ok && isRequestLine(string(line)) {
		text = rest
	}
	if !bytes.Contains(text, []byte("\n\n")) && !bytes.Contains(text, []byte("\r\n\r\n")) {
		text = append(bytes.TrimRight(text, "\r\n"), "\r\n\r\n"...)
	}
	r := bufio.NewReader(bytes.NewReader(text))
	header, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		return nil, nil, errors.New(`the header has a line that is not "Name: value"`)
	}
	rest, err := io.ReadAll(r)
	return http.Header(header), rest, err
}

// isRequestLine knows the first line of a request or an answer of HTTP/1.
func isRequestLine(line string) bool {
	words := strings.Fields(line)
	return len(words) > 1 && (strings.HasPrefix(words[len(words)-1], "HTTP/") || strings.HasPrefix(words[0], "HTTP/"))
}

// headerOfJSON reads an object whose values are texts or lists of them.
func headerOfJSON(text []byte) (http.Header, error) {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return nil, errors.New("it is no JSON object of names and values")
	}
	header := http.Header{}
	for name, value := range object {
		values, ok := value.([]any)
		if !ok {
			values = []any{value}
		}
		for _, v := range values {
			header[name] = append(header[name], fmt.Sprint(v))
		}
	}
	return header, nil
}
