package storage

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// The prefixes of ids. What follows is a ULID in lower case.
const (
	messagePrefix  = "msg_"
	deliveryPrefix = "dlv_"
	accountPrefix  = "acc_"
	endpointPrefix = "ep_"
	routePrefix    = "rt_"
	testPrefix     = "tst_"
	replayPrefix   = "rpl_"
	secretPrefix   = "sec_"
	apiKeyPrefix   = "key_"
	auditPrefix    = "aud_"
	domainPrefix   = "dom_"
	refusalPrefix  = "ref_"
	memberPrefix   = "node_"

	suppressionPrefix = "sup_"
)

const ulidTimeLen = 10 // characters of a ULID that hold its time

// newID makes an id with the given time in it, which has a resolution of milliseconds.
func newID(prefix string, at time.Time) string {
	var id ulid.ULID
	ms := at.UnixMilli()
	id[0], id[1], id[2] = byte(ms>>40), byte(ms>>32), byte(ms>>24)
	id[3], id[4], id[5] = byte(ms>>16), byte(ms>>8), byte(ms)
	rand.Read(id[6:])
	return prefix + lowerULID(id)
}

func lowerULID(id ulid.ULID) string {
	var text [ulid.EncodedSize]byte
	if err := id.MarshalTextTo(text[:]); err != nil {
		panic(err) // only for a buffer of another size
	}
	for i := range text {
		text[i] |= 0x20 // digits have that bit set already
	}
	return string(text[:])
}

// firstMessageID is the least id of a message that can be made at a time or later.
func firstMessageID(at time.Time) string { return firstID(messagePrefix, at) }

// firstID is the least id with the prefix that can be made at a time or later.
func firstID(prefix string, at time.Time) string {
	var id ulid.ULID
	ms := max(at.UnixMilli(), 0)
	id[0], id[1], id[2] = byte(ms>>40), byte(ms>>32), byte(ms>>24)
	id[3], id[4], id[5] = byte(ms>>16), byte(ms>>8), byte(ms)
	return prefix + lowerULID(id)
}

// idTime is when an id with the prefix was made; zero for what is none.
func idTime(prefix, id string) time.Time {
	text, ok := strings.CutPrefix(id, prefix)
	made, err := ulid.Parse(text)
	if !ok || err != nil {
		return time.Time{}
	}
	return ulid.Time(made.Time())
}

// messageRange gives the bounds between which the message of a delivery lies: the id of a delivery carries the time of
// its message's id, so a delivery is found by its id alone without an index for that. It is false for what is no such id.
func messageRange(delivery string) (low, high string, ok bool) {
	text, ok := strings.CutPrefix(delivery, deliveryPrefix)
	if !ok || len(text) != ulid.EncodedSize {
		return "", "", false
	}
	at := messagePrefix + text[:ulidTimeLen]
	return at, at + "~", true // "~" sorts after every character of a ULID
}

// deliveryIDOf makes the id of a delivery of the message.
func deliveryIDOf(message string) string {
	id := newID(deliveryPrefix, time.UnixMilli(0))
	t := message[len(messagePrefix) : len(messagePrefix)+ulidTimeLen]
	return deliveryPrefix + t + id[len(deliveryPrefix)+ulidTimeLen:]
}
