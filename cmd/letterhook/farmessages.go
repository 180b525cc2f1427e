package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/storage"
)

// listFarMessages prints the messages of a server. before is the id of a message.
func listFarMessages(ctx context.Context, w, messages io.Writer, c *apiclient.Client, search string, limit int, before string, asJSON bool) error {
	partial := false
	list, err := pages(limit, func(cursor string, size int64) ([]apiclient.Message, string, error) {
		if cursor == "" && before != "" {
			cursor = base64.RawURLEncoding.EncodeToString([]byte(before)) // as the server makes it of the last of a page
		}
		p, err := c.ListMessages(ctx, apiclient.ListMessagesParams{Q: search, Cursor: cursor, Limit: size})
		if err != nil {
			return nil, "", err
		}
		if p.Partial {
			partial = true
			return p.Items, "", nil
		}
		return p.Items, p.NextCursor, nil
	})
	if err != nil {
		return err
	}
	if partial && len(list) > 0 {
		fmt.Fprintln(messages, "Not all messages were looked at; go on with --before "+list[len(list)-1].ID)
	}
	return printList(w, list, asJSON, "ID|RECEIVED|SIZE|FROM|TO|STATE|SUBJECT", func(m *apiclient.Message) []any {
		return []any{m.ID, moment(m.ReceivedAt), m.Size, reverseOf(m.MailFrom, m.Erased), firstOf(m.Recipients), m.State, subjectOf(m.Subject, m.Erased)}
	})
}

// erasedWord stands where something was before a message was erased: <> would be the null reverse-path.
const erasedWord = "(erased)"

// reverseOf is a reverse-path as people read it.
func reverseOf(path string, erased bool) string {
	if erased {
		return erasedWord
	}
	return "<" + path + ">"
}

// cameFrom is who connected.
func cameFrom(ip string, erased bool) string {
	if erased {
		return erasedWord
	}
	return orWord(ip, "a unix socket")
}

// sizeOf has no hash of what was erased: that is gone too.
func sizeOf(octets int64, sha256 string, erased bool) string {
	if erased {
		return plural(octets, "octet")
	}
	return plural(octets, "octet") + ", sha256 " + sha256
}

func subjectOf(subject string, erased bool) string {
	if erased {
		return erasedWord
	}
	return subject
}

// firstOf names one and counts the others.
func firstOf(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return fmt.Sprintf("%s and %d more", words[0], len(words)-1)
}

func showFarMessage(ctx context.Context, w io.Writer, c *apiclient.Client, id string, asJSON bool) error {
	m, err := c.GetMessage(ctx, id)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, m)
	}
	known, err := farEndpoints(ctx, c)
	if err != nil {
		return err
	}
	fields := []field{
		{"message", m.ID}, {"received", moment(m.ReceivedAt) + " from " + cameFrom(m.RemoteIP, m.Erased)},
		{"size", sizeOf(m.Size, m.Sha256, m.Erased)}, {"from", reverseOf(m.MailFrom, m.Erased)},
	}
	for _, to := range m.Recipients {
		fields = append(fields, field{"to", to})
	}
	printFieldsOf(w, append(fields, field{"subject", subjectOf(m.Subject, m.Erased)}, field{"state", m.State})...)
	fmt.Fprintln(w)
	if err := printFarDeliveries(w, m.Deliveries, known, false); err != nil {
		return err
	}
	return printFarAttempts(w, m.Attempts)
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

// writeFarRaw copies the raw bytes.
func writeFarRaw(ctx context.Context, w io.Writer, c *apiclient.Client, id string) error {
	response, err := c.GetRawMessage(ctx, id)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if n, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("reading the raw bytes, after %d of them: %w", n, err)
	}
	return nil
}

func retryFarMessage(ctx context.Context, w io.Writer, c *apiclient.Client, id string, all bool) error {
	m, err := c.GetMessage(ctx, id)
	if err != nil {
		return err
	}
	retried := false
	for i := range m.Deliveries {
		switch d := &m.Deliveries[i]; {
		case d.ReplayedBy != "":
			continue
		case d.State == storage.StateDead || d.State == storage.StatePending:
		case all && (d.State == storage.StateDelivered || d.State == storage.StateMissed || d.State == storage.StateFiltered):
		default:
			continue
		}
		if err := retryFarDelivery(ctx, w, c, m.Deliveries[i].ID); err != nil {
			return err
		}
		retried = true
	}
	if !retried {
		_, err = fmt.Fprintf(w, "%s: nothing to retry\n", printable(id, false))
	}
	return err
}

// listFarDeliveries prints the deliveries of a server.
func listFarDeliveries(ctx context.Context, w io.Writer, c *apiclient.Client, f storage.DeliveryFilter, asJSON bool) error {
	known, err := farEndpoints(ctx, c)
	if err != nil {
		return err
	}
	if f.Endpoint != "" {
		if f.Endpoint, err = known.find(f.Endpoint); err != nil {
			return err
		}
	}
	list, err := pages(f.Limit, func(cursor string, size int64) ([]apiclient.Delivery, string, error) {
		p, err := c.ListDeliveries(ctx, apiclient.ListDeliveriesParams{
			State: f.State, Message: f.Message, Endpoint: f.Endpoint, Cursor: cursor, Limit: size,
		})
		if err != nil {
			return nil, "", err
		}
		return p.Items, p.NextCursor, nil
	})
	if err != nil {
		return err
	}
	return printFarDeliveries(w, list, known, asJSON)
}

func printFarDeliveries(w io.Writer, list []apiclient.Delivery, known farEndpointsByID, asJSON bool) error {
	return printList(w, list, asJSON, "DELIVERY|ENDPOINT|STATE|ATTEMPTS|CREATED|DUE OR FINISHED|REASON", func(d *apiclient.Delivery) []any {
		at, reason := d.DueAt, d.Reason
		if at.IsZero() {
			at = d.FinishedAt
		}
		if d.ReplayedBy != "" {
			reason += " (replayed by " + d.ReplayedBy + ")"
		}
		return []any{d.ID, known.name(d.EndpointID), d.State, d.Attempts, moment(d.CreatedAt), moment(at), reason}
	})
}

func printFarAttempts(w io.Writer, list []apiclient.Attempt) error {
	if len(list) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nATTEMPT OF\tN\tAT\tTOOK\tOUTCOME\tSTATUS\tERROR")
	for i := range list {
		a := &list[i]
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", a.DeliveryID, a.N, moment(a.At), milliseconds(a.DurationMs), printable(a.Outcome, false),
			status(int(a.Status)), printable(a.Detail.Error, false))
	}
	return table.Flush()
}

func milliseconds(ms float64) string {
	return time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond).String()
}

func showFarDelivery(ctx context.Context, w io.Writer, c *apiclient.Client, id string, asJSON bool) error {
	d, err := c.GetDelivery(ctx, id)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, d)
	}
	known, err := farEndpoints(ctx, c)
	if err != nil {
		return err
	}
	row := apiclient.Delivery{
		ID: d.ID, EndpointID: d.EndpointID, State: d.State, Attempts: d.Attempts, CreatedAt: d.CreatedAt, DueAt: d.DueAt, FinishedAt: d.FinishedAt,
		Reason: d.Reason, ReplayedBy: d.ReplayedBy,
	}
	if err := printFarDeliveries(w, []apiclient.Delivery{row}, known, false); err != nil {
		return err
	}
	if err := printFarAttempts(w, d.Log); err != nil {
		return err
	}
	for i := range d.Log {
		a, err := attemptOf(&d.Log[i])
		if err != nil {
			return err
		}
		printDetail(w, a)
	}
	return nil
}

// retryFarDelivery says under which id the delivery goes on.
func retryFarDelivery(ctx context.Context, w io.Writer, c *apiclient.Client, id string) error {
	d, err := c.RetryDelivery(ctx, id)
	if err != nil {
		return err
	}
	line := strconv.Quote(id)
	if id == d.ID {
		line = id
	}
	if d.ReplayedBy != "" {
		_, err = fmt.Fprintf(w, "%s is tried again as %s\n", line, d.ReplayedBy)
	} else {
		_, err = fmt.Fprintf(w, "%s is tried again\n", line)
	}
	return err
}

// attemptOf is an attempt as the store has it.
func attemptOf(a *apiclient.Attempt) (*storage.Attempt, error) {
	own := &storage.Attempt{
		Delivery: a.DeliveryID, Message: a.MessageID, Endpoint: a.EndpointID, N: int(a.N), At: a.At,
		Duration: time.Duration(a.DurationMs * float64(time.Millisecond)), Outcome: a.Outcome, Status: int(a.Status),
	}
	text, err := json.Marshal(a.Detail)
	if err == nil {
		err = json.Unmarshal(text, &own.Detail)
	}
	if err != nil {
		return nil, fmt.Errorf("reading an attempt: %w", err)
	}
	return own, nil
}
