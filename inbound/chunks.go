package inbound

import (
	"bytes"
	"fmt"
	"strings"
)

// smallChunk is how many octets a chunk must have for the budget in octets to bound the number of chunks. A smaller one
// counts as a command.
const smallChunk = 512

// bdat answers BDAT (RFC 3030). The chunk follows the command whatever the answer, so it is read whatever the answer.
// go-smtp hears of none of it until the last chunk is here, and then is given a DATA whose content was read already: its own
// BDAT runs the session in a second goroutine and shares the verdict channel between an aborted message and the next
// one (docs/decisions/0004-chunks-are-read-by-the-edge.md).
func (c *conn) bdat(arg string) *refusal {
	chunk, known, refusal := parseChunk(arg)
	if !known {
		c.dead, c.linger = true, true // octets of unknown number follow
		return refusal
	}
	if chunk.size < smallChunk {
		if c.commands++; over(c.commands, c.srv.cfg.MaxCommands) {
			return refuseCommands
		}
	}
	if refusal == nil {
		refusal = c.ready()
	}
	if refusal != nil {
		if failure := c.dropChunk(chunk.size); failure != nil {
			return failure
		}
		return c.refuseChunk(refusal, nil, chunk.last)
	}
	if c.tx.content == nil {
		c.tx.content = c.newContent()
	}
	if failure := c.readChunk(c.tx.content, chunk.size); failure != nil {
		return failure
	}
	switch {
	case c.tx.content.refusal != nil:
		return c.refuseChunk(c.tx.content.refusal, c.tx.content.err, chunk.last)
	case chunk.last:
		c.pass("DATA", "")
		c.verb = "BDAT"
	default:
		c.out = fmt.Appendf(c.out, "250 2.0.0 %d octets received\r\n", chunk.size)
	}
	return nil
}

// refuseChunk answers a chunk that is not taken and ends the transaction: what came later would be a message with a
// hole in it. LMTP answers the last chunk once for each recipient (RFC 2033 section 4.3).
func (c *conn) refuseChunk(r *refusal, cause error, last bool) *refusal {
	line := c.judge(r, []error{cause}).appendTo(nil, c.smtputf8())
	if last && c.tx != nil && len(c.tx.commands) > 0 {
		c.out = c.editVerdict(c.out, line)
	} else {
		c.out = append(c.out, line...)
	}
	if c.tx != nil && !c.dead {
		c.passMuted("RSET")
	}
	return nil
}

// doubtChunk ends the conversation after a BDAT line that is not to be understood: it is followed by a chunk of unknown
// size, which must not be taken for commands.
func (c *conn) doubtChunk(line string) {
	if len(line) >= 4 && strings.EqualFold(line[:4], "BDAT") {
		c.dead, c.linger = true, true
	}
}

// dropChunk reads a chunk that was refused. Who stalls in it gets nowhere, and outside of a transaction nothing ends it that the
// next octets could belong to.
func (c *conn) dropChunk(size int64) *refusal {
	c.setAwaiting(true)
	defer c.setAwaiting(false)
	failure := c.readChunk(nil, size)
	if c.tx == nil {
		c.pace.end()
	}
	return failure
}

// readChunk reads size octets into content, or drops them if that is nil.
func (c *conn) readChunk(content *content, size int64) *refusal {
	c.pace.begin(c.read)
	for size > 0 {
		if _, err := c.reader.Peek(1); err != nil {
			return c.contentFailed(err)
		}
		octets, _ := c.reader.Peek(int(min(size, int64(c.reader.Buffered()))))
		size -= int64(len(octets))
		if content != nil {
			for rest := octets; len(rest) > 0; {
				end := bytes.IndexByte(rest, '\n') + 1
				if end == 0 {
					end = len(rest)
				}
				content.write(rest[:end])
				rest = rest[end:]
			}
		}
		_, _ = c.reader.Discard(len(octets)) // they are in the buffer
	}
	return nil
}
