package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/reading"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// messagePage is what the page of a mail shows.
type messagePage struct {
	Mail    *storage.Mail
	Message *parser.Message // nil: not parsed
	From    string
	Subject string
	Kind    string
	State   string

	Show string // the tab
	Tabs []tab
	View any // of the tab

	Sender     sender
	Steps      []step
	Deliveries []deliveryLine
	MayReplay  bool
}

type tab struct{ Show, Name string }

// deliveryLine is a delivery with its endpoint.
type deliveryLine struct {
	storage.DeliveryRow

	Endpoint string // name
	State    string // as it is shown
	CanRetry bool
}

// message is the page of a mail.
func (d *dashboard) message(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	ctx := r.Context()
	mail, err := d.mail(ctx, v, r.PathValue("id"))
	if err != nil {
		return err
	}
	p := &messagePage{Mail: mail, Sender: whoSent(&mail.Envelope), MayReplay: v.May(access.ScopeReplay)}
	if err := d.deliveriesOf(ctx, p); err != nil {
		return err
	}
	if mail.Erased {
		p.erased()
		return d.show(w, r, v, http.StatusOK, "message", page{Title: p.Subject, Here: "/messages", Body: p})
	}
	c, err := d.Desk.Open(ctx, mail)
	if err != nil && !errors.Is(err, reading.ErrBusy) && ctx.Err() == nil {
		// The list of what happened is worth showing without the mail.
		d.Log.Error("mail not opened", "message", mail.ID, "error", err)
		p.View = trouble{Title: "The mail cannot be read", Text: "Its content cannot be read now. The reason stands in the log of the server. What happened to it stands beside."}
		p.Show = "trouble"
	} else if err != nil {
		return err
	}
	if c != nil {
		defer c.Close()
		if err := p.view(c, r); err != nil {
			return err
		}
	}
	p.name()
	return d.show(w, r, v, http.StatusOK, "message", page{Title: p.Subject, Here: "/messages", Body: p})
}

// erased says of what was erased nothing but that: what is not known any more must not look like a mail without it.
func (p *messagePage) erased() {
	p.From, p.Subject, p.MayReplay, p.Show = erasedWord, erasedWord, false, "trouble"
	p.Sender = sender{Colour: "grey", Sentence: "It was erased, and who sent it with it."}
	p.View = trouble{Title: "It was erased", Text: "Nobody can open it any more. What stands here until retention ends is when it came, how large it was and what became of its deliveries."}
}

// name fills in what the mail is called by.
func (p *messagePage) name() {
	if s := p.Mail.Summary; s != nil {
		p.From, p.Subject, p.Kind = s.From, s.Subject, s.Kind
	}
	if m := p.Message; m != nil {
		p.Subject, p.Kind = m.Subject, m.Kind
		if len(m.From) > 0 {
			p.From = m.From[0].Address
			if m.From[0].Name != "" {
				p.From = m.From[0].Name + " <" + m.From[0].Address + ">"
			}
		}
	}
	p.From = cmp.Or(p.From, reverse(&p.Mail.Envelope), "nobody")
	p.Subject = cmp.Or(p.Subject, "(no subject)")
}

// deliveriesOf fills in what happened to the mail.
func (d *dashboard) deliveriesOf(ctx context.Context, p *messagePage) error {
	rows, err := d.Store.Deliveries(ctx, storage.DeliveryFilter{Message: p.Mail.ID})
	if err != nil {
		return err
	}
	made, err := d.Store.Attempts(ctx, p.Mail.ID)
	if err != nil {
		return err
	}
	slices.Reverse(rows) // the oldest first
	held := false
	for i := range rows {
		row := rows[i]
		line := deliveryLine{DeliveryRow: row, Endpoint: d.endpointName(row.Endpoint), State: row.State, CanRetry: !row.NotAccepted() && row.ReplayedBy == ""}
		if row.State == storage.StatePending && row.Attempts > 0 {
			line.State = storage.StateRetrying
		}
		held = held || row.NotAccepted()
		p.Deliveries = append(p.Deliveries, line)
	}
	if p.State = worst(p.Deliveries); p.State == "" {
		p.State = storage.StateDiscarded
	}
	p.Steps = append(arrival(p.Mail, held, d.endpointName), attempts(made, d.endpointName)...)
	for i := range p.Deliveries {
		p.Steps = append(p.Steps, p.Deliveries[i].step())
	}
	return nil
}

// step is where a delivery stands now.
func (l *deliveryLine) step() step {
	s := step{ID: "end-" + l.ID, Colour: colour(l.State), At: l.FinishedAt, Title: l.Endpoint + ": " + stateWords(l.State), Text: l.Reason}
	if l.DeliveryRow.State == storage.StatePending {
		s.Text = "next attempt " + ago(l.DueAt, time.Now())
		if l.DueAt.Before(time.Now()) {
			s.Text = "the next attempt is due"
		}
		if l.Attempts == 0 {
			s.Text = "the first attempt is due"
		}
	}
	if l.ReplayedBy != "" {
		s.Text = with(s.Text, "", "sent again since")
	}
	return s
}

// worst is the state that a mail is shown by: what somebody should look at comes first.
func worst(list []deliveryLine) string {
	order := []string{storage.StateDead, storage.StateRetrying, storage.StateHeld, storage.StateRefused, storage.StateWithdrawn, storage.StatePending, storage.StateDelivered, storage.StateFiltered, storage.StateMissed}
	best := ""
	for i := range list {
		if list[i].ReplayedBy != "" {
			continue
		}
		if best == "" || slices.Index(order, list[i].State) < slices.Index(order, best) {
			best = list[i].State
		}
	}
	return best
}

// endpointName is what an endpoint is called, by its id.
func (d *dashboard) endpointName(id string) string {
	if e := d.Directory().Endpoints[id]; e != nil {
		return e.Name
	}
	return id
}

// sendAgain has a delivery made once more, or now where it waits.
func (d *dashboard) sendAgain(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	mail, err := d.mail(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return err
	}
	if !v.May(access.ScopeReplay) {
		return errNoPermission
	}
	delivery := r.FormValue("delivery")
	if delivery == "" {
		return storage.ErrNotFound
	}
	if err := d.ask(r, http.MethodPost, "/deliveries/"+url.PathEscape(delivery)+"/retry", nil, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/messages/"+mail.ID, "again")
	return nil
}

// view fills in the tab that was asked for, or the first that there is.
func (p *messagePage) view(c *reading.Mail, r *http.Request) error {
	p.Message = c.Message
	m := c.Message
	if m != nil && m.HTML != nil {
		p.Tabs = append(p.Tabs, tab{"html", "HTML"})
	}
	if m != nil && m.Text != nil {
		p.Tabs = append(p.Tabs, tab{"text", "Text"})
	}
	if m != nil {
		p.Tabs = append(p.Tabs, tab{"headers", "Headers"}, tab{"structure", "Structure"}, tab{"attachments", fmt.Sprintf("Attachments %d", len(m.Attachments))})
	}
	p.Tabs = append(p.Tabs, tab{"raw", "Raw"})
	p.Show = p.Tabs[0].Show
	for _, t := range p.Tabs {
		if t.Show == r.URL.Query().Get("show") {
			p.Show = t.Show
		}
	}
	switch p.Show {
	case "html":
		remote := r.URL.Query().Get("images") == "remote"
		_, blocked := sanitise(*m.HTML, &pictures{inline: inlineImages(m), remote: remote})
		p.View = htmlView{Blocked: blocked, Remote: remote}
	case "structure":
		p.View = structure(m)
	case "attachments":
		p.View = attachmentLines(m)
	case "raw":
		text, cut, err := c.Head(maxRawShown)
		if err != nil {
			return fmt.Errorf("reading %s: %w", p.Mail.ID, err)
		}
		p.View = rawView{Text: strings.ToValidUTF8(text, "\uFFFD"), Cut: cut}
	}
	return nil
}

// maxRawShown is how much of the raw mail is shown, in octets; all of it can be downloaded.
const maxRawShown = 256 << 10

type htmlView struct {
	Blocked int // pictures and styles on other servers that are not fetched
	Remote  bool
}

type rawView struct {
	Text string
	Cut  bool
}

// partLine is a part in the tree.
type partLine struct {
	parser.Reading

	Indent string
}

func structure(m *parser.Message) []partLine {
	readings := m.Explain()
	list := make([]partLine, len(readings))
	for i, r := range readings {
		list[i] = partLine{Reading: r, Indent: strings.Repeat("\u2003", r.Depth)}
	}
	return list
}

// attachmentLine is an attachment in the list. Its size is that of what was sent: decoding all of them would take long.
type attachmentLine struct {
	*parser.Part

	Name string
}

func attachmentLines(m *parser.Message) []attachmentLine {
	list := make([]attachmentLine, len(m.Attachments))
	for i, p := range m.Attachments {
		list[i] = attachmentLine{p, cmp.Or(p.Filename, "part "+p.ID)}
	}
	return list
}
