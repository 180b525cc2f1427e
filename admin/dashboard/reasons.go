package dashboard

import "strings"

// reason is why peers are refused, for people, and what to do about a refusal that should not have been.
type reason struct{ words, advice string }

// reasons are those of the label reason of the metrics of inbound.
var reasons = map[string]reason{
	"recipient":           {"no such recipient", "No route takes this address. Ask below where it would go and why; then declare a route, or tell the sender the right address."},
	"too_many_recipients": {"too many recipients at once", "The sender is told to send the rest in another transaction, which mail servers do by themselves. smtp.max_recipients is the limit."},
	"size":                {"too large", "The mail is larger than somebody takes: 5.3.4 in the answer is the server (smtp.max_message_size), 5.2.3 the recipient, by max_message_size of its route or domain."},
	"line_length":         {"a line too long", "A line of the mail is longer than smtp.max_line_length. The program that made it breaks the standard; raise the limit if it is not to be changed."},
	"line_ends":           {"wrong line ends", "The mail holds a bare CR, a bare LF or a NUL, and smtp.refuse_bare_line_ends is on. Turn it off, or have the sending program mended."},
	"syntax":              {"a command wrongly written", "The client does not speak SMTP as it is written down. Look at the dialogue."},
	"sequence":            {"a command out of turn", "The client does not speak SMTP as it is written down. Look at the dialogue."},
	"unsupported":         {"something not offered", "The client asked for what the server had not offered."},
	"loop":                {"going round in circles", "The mail has passed so many servers that it must be in a loop: two of them forward to each other."},
	"policy":              {"against the policy", "The settings of the server or the domain forbid it. The answer says which."},
	"disk_full":           {"the disk is nearly full", "Make room on the disk. Senders come again by themselves; storage.min_free is the limit."},
	"storage":             {"it could not be stored", "The log of the server says why. Senders come again by themselves."},
	"timeout":             {"the client was silent too long", "Its network or program is slow; it comes again by itself."},
	"budget":              {"too many mistakes in one session", "The dialogue shows them. Honest servers make none."},
	"connections":         {"too many connections", "smtp.max_connections or max_connections_per_ip is used up."},
	"tls":                 {"TLS is needed or failed", "The recipient takes mail over TLS only, or the session could not be made. The answer says which."},
	"shutdown":            {"the server was stopping", "The sender comes again by itself."},
	"panic":               {"a fault of the server", "The log of the server has it. The sender comes again by itself."},
	"aborted":             {"the client went away", "It left within the mail, so nothing was accepted. It comes again by itself."},
	"proxy":               {"no word from the proxy", "The listener waits for the PROXY protocol, and this client did not speak it or is not among the trusted proxies."},
	"auth":                {"not logged in", "The listener wants a login, and there was none that is valid."},
	"dmarc":               {"DMARC failed", "The domain of the From field does not vouch for the mail, and the recipient's domain refuses such mail: dmarc of the domain. If it is honest, its sender has to mend SPF or DKIM."},
	"rate":                {"too many connections in a time", "The limits for one source stand in the section defence. Add the sender to defence.exempt_networks if it is one of yours."},
	"harvest":             {"guessing addresses", "Many unknown recipients came from this source. Add it to defence.exempt_networks if it is one of yours."},
	"early_talker":        {"spoke before it was greeted", "Programs of spammers do that. Add the sender to defence.exempt_networks if it is one of yours."},
	"blocked":             {"blocked by a lever", "Somebody blocked this network or sender. Settings has the list."},
	"drain":               {"the server is drained", "A lever is pulled: no new connections. Settings lets go of it."},
	"defer":               {"all mail is put off", "A lever is pulled: every mail is put off. Settings lets go of it."},
	"listed":              {"the client is on a block list", "The list is named below. Its operator says how to be taken off; allow_lists let a client in all the same."},
	"greylisted":          {"never seen before", "Greylisting puts off who was never seen, once. The sender comes again by itself."},
	"in_flight":           {"too much is being received", "The budget for mail on its way in is used up for a moment. The sender comes again by itself."},
	"spam":                {"spam", "The scanner takes it for spam; its verdict stands below. The scanner's limits are set in scanners."},
	"virus":               {"a virus", "The scanner found what stands below."},
	"application":         {"the application refused it", "The endpoint of a synchronous route answered so; its text is part of the answer."},
	"unanswered":          {"the application gave no answer", "The endpoint of a synchronous route did not answer in time. The sender comes again by itself."},
	"quota":               {"the account is full", "What is stored of the account has reached its limit, limits.stored. The sender comes again by itself; make room with a shorter retention or letterhook erase, or raise the limit."},
	"backlog":             {"too much waits already", "Too many deliveries of the account wait, limits.backlog. The sender comes again by itself; look at the account's endpoints."},
	"account_rate":        {"too much mail for the account", "More messages come for the account than limits.messages_per_minute or messages_per_hour lets in. The sender comes again by itself."},
	"suppressed":          {"not wanted by the account", "A suppression of the account names the sender or the recipient. Remove it if the mail is wanted again."},
	"unscanned":           {"it could not be scanned", "A scanner failed, and the settings want no mail that was not scanned. Look at the scanner."},
}

// refusalWords says why, in words; an unknown word speaks for itself.
func refusalWords(name string) string {
	if r, ok := reasons[name]; ok {
		return r.words
	}
	return strings.ReplaceAll(name, "_", " ")
}

func refusalAdvice(name string) string { return reasons[name].advice }
