package inbound

// Path is a reverse-path or a forward-path (RFC 5321 section 4.1.2) taken apart, so that no later code has to search
// for an "@" in a string. The zero value is the null reverse-path "<>".
type Path struct {
	// LocalPart is the decoded local-part: the quotes and backslashes of a quoted-string are removed. At most 64
	// octets; UTF-8 only where the session said SMTPUTF8 (RFC 6531).
	LocalPart string
	// Domain is the domain as the peer wrote it (an address literal keeps its brackets). At most 255 octets. Compare
	// it only after normalising it.
	Domain string
}
