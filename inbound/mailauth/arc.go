package mailauth

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// The fields of an ARC set (RFC 8617 section 4.1).
const (
	arcResultsField = "arc-authentication-results"
	arcMessageField = "arc-message-signature"
	arcSealField    = "arc-seal"
)

// maxInstances is the length of the longest chain (RFC 8617 section 4.2.1).
const maxInstances = 50

// chain is the ARC chain of a message (RFC 8617).
type chain struct {
	sets []arcSet // instance 1 first
	err  error    // why it is no valid chain
}

// arcSet is one instance.
type arcSet struct {
	results *field
	message *signature // parsed of the newest set only: the message may have changed since the others
	seal    *signature
}

// parseARC finds the chain and checks its structure (RFC 8617 section 5.2, steps 1 to 3). Nil: there is none.
func parseARC(h *header, now time.Time) *chain {
	if len(h.byName[arcResultsField])+len(h.byName[arcMessageField])+len(h.byName[arcSealField]) == 0 {
		return nil
	}
	c := &chain{}
	c.err = c.collect(h)
	if c.err == nil {
		c.err = c.parse(now)
	}
	return c
}

// collect sorts the fields by instance: each must have one field of each kind, and none may be missing.
func (c *chain) collect(h *header) error {
	results, messages, seals := h.all(arcResultsField), h.all(arcMessageField), h.all(arcSealField)
	n := len(seals)
	if n > maxInstances {
		return failure("the chain is too long")
	}
	if len(results) != n || len(messages) != n {
		return failure("the chain is not whole")
	}
	c.sets = make([]arcSet, n)
	for _, f := range results {
		i, err := resultsInstance(f)
		if err != nil || i > n || c.sets[i-1].results != nil {
			return failure("an instance of the chain is missing or stands twice")
		}
		c.sets[i-1].results = f
	}
	for _, f := range slices.Concat(messages, seals) {
		tags, err := signatureTags(f)
		if err != nil {
			return failure("a field of the chain is malformed")
		}
		i, err := instance(tags.get("i"))
		if err != nil || i > n {
			return failure("an instance of the chain is missing")
		}
		place := &c.sets[i-1].message
		if f.name == arcSealField {
			place = &c.sets[i-1].seal
		}
		if *place != nil {
			return failure("an instance of the chain stands twice")
		}
		*place = &signature{field: f, tags: tags}
	}
	return nil
}

// resultsInstance is the instance of an ARC-Authentication-Results field, which stands first (section 4.1.1).
func resultsInstance(f *field) (int, error) {
	first, _, _ := strings.Cut(string(f.body), ";")
	name, value, _ := strings.Cut(first, "=")
	if withoutFold(name) != "i" {
		return 0, errNoInstance
	}
	return instance(strings.Trim(value, " \t\r\n"))
}

var errNoInstance = failure("the instance is missing or malformed")

func instance(s string) (int, error) {
	i, err := strconv.Atoi(s)
	if err != nil || i < 1 || i > maxInstances || s[0] == '+' || s[0] == '0' {
		return 0, errNoInstance
	}
	return i, nil
}

// parse reads every seal and the newest message signature.
func (c *chain) parse(now time.Time) error {
	for i := range c.sets {
		set := &c.sets[i]
		seal, err := parseCommon(set.seal.field)
		if err != nil {
			return failure("seal " + strconv.Itoa(i+1) + ": " + err.Error())
		}
		set.seal = seal
		verdict := seal.tags.get("cv")
		switch {
		case seal.tags.find("h") != nil || seal.tags.find("bh") != nil || seal.tags.find("c") != nil:
			return failure("a seal has a tag of a message signature") // section 4.1.3
		case verdict == "fail":
			return failure("a sealer found the chain to be broken")
		case i == 0 && verdict != "none" || i > 0 && verdict != "pass":
			return failure("cv= of a seal is missing or wrong")
		}
	}
	newest := &c.sets[len(c.sets)-1]
	message, err := parseCommon(newest.message.field)
	if err == nil {
		// RFC 8617 does not say what a missing c= means; the sealers that leave it out mean this.
		err = message.parseMessageTags("relaxed/relaxed")
	}
	if err == nil {
		err = message.checkTimes(now)
	}
	if err != nil {
		return failure("the message signature: " + err.Error())
	}
	switch {
	case slices.Contains(message.names, arcSealField): // section 4.1.2
		return failure("the message signature covers a seal")
	case message.limited:
		return failure("the message signature covers a part of the body only")
	}
	newest.message = message
	return nil
}

// signatures are those that need a key.
func (c *chain) signatures() []*signature {
	if c == nil || c.err != nil {
		return nil
	}
	needed := []*signature{c.newest().message}
	for i := range c.sets {
		needed = append(needed, c.sets[i].seal)
	}
	return needed
}

func (c *chain) newest() *arcSet { return &c.sets[len(c.sets)-1] }

// verify checks the newest message signature and every seal (section 5.2, steps 4 to 6).
func (c *chain) verify(h *header, bodies *bodyHashes) error {
	if c.err != nil {
		return c.err
	}
	for _, s := range c.signatures() {
		if s.err != nil {
			return s.err
		}
	}
	message := c.newest().message
	if err := message.verifyMessage(h, bodies.of(message.bodyCanon)); err != nil {
		return failure("the message signature: " + err.Error())
	}
	for i := range c.sets {
		if err := c.verifySeal(i); err != nil {
			return failure("seal " + strconv.Itoa(i+1) + ": " + err.Error())
		}
	}
	return nil
}

// verifySeal checks the seal of sets[last], which covers all sets up to its own (section 5.1.1).
func (c *chain) verifySeal(last int) error {
	hash := sha256.New()
	var canonical []byte
	for i := range c.sets[:last+1] {
		set := &c.sets[i]
		canonical = relaxed.appendField(canonical[:0], set.results)
		canonical = relaxed.appendField(canonical, set.message.field)
		if i < last {
			canonical = relaxed.appendField(canonical, set.seal.field)
		}
		hash.Write(canonical)
	}
	seal := c.sets[last].seal
	hash.Write(seal.appendUnsigned(canonical[:0], relaxed))
	return seal.key.verify(hash.Sum(nil), seal.value)
}

// result is the result of the chain. A key that could not be looked up leaves it open.
func (c *chain) result(err error) inbound.ARCResult {
	if c == nil {
		return inbound.ARCResult{Result: inbound.ResultNone}
	}
	r := inbound.ARCResult{Result: inbound.ResultPass}
	if c.err == nil {
		r.Instances, r.Sealer = len(c.sets), c.newest().seal.domain
	}
	switch {
	case err == nil:
	case isTemporary(err):
		r.Result, r.Error = inbound.ResultTempError, err.Error()
	default:
		r.Result, r.Error = inbound.ResultFail, err.Error()
	}
	return r
}
