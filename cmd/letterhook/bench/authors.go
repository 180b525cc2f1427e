package bench

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/letterhook/letterhook/inbound/resolver/nameserver"
)

const (
	knownDomains = 300 // domains that write again and again
	sealedEvery  = 10  // so many authors later comes one whose mail was forwarded, with an ARC chain
	forwarder    = "forwarder.example"
	keyBits      = 2048 // RSA, as nearly all mail is signed
)

// Authors are domains whose mail passes SPF, DKIM and DMARC, in part with an ARC chain. The messages go round the known ones;
// a share comes from domains that were not seen before.
//
// Everything is signed before the load begins, so that it costs nothing while that is measured: the signature of an author
// covers the fields that all the mails of that author have in common, which are all but Subject and Message-ID, and the body.
type Authors struct {
	unseen float64
	known  []author
	fresh  []author
}

// author writes for one domain. The reverse-path is below it, as bulk mail has it: alignment is relaxed.
type author struct {
	domain, selector string
	sealed           bool
	signatures       []byte // fields that stand on top
}

func (a *author) reversePath() string { return "bounce@mail." + a.domain }
func (a *author) fromField() string   { return "From: Load <load@" + a.domain + ">\r\n" }

// newAuthors makes the authors of a load, the share unseen (0 to 1) of its messages from domains of their own, and publishes
// what is to be known of them.
func newAuthors(load Load, unseen float64, dns *nameserver.Server) (*Authors, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	a := &Authors{unseen: unseen, known: make([]author, knownDomains), fresh: make([]author, freshBefore(load.Messages, unseen))}
	for i := range a.known {
		a.known[i] = author{domain: fmt.Sprintf("known%d.example", i), selector: fmt.Sprintf("s%d", 1+i%3)}
	}
	for i := range a.fresh {
		a.fresh[i] = author{domain: fmt.Sprintf("fresh%d.example", i), selector: "mail"}
	}
	record := "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
	dns.AddTXT("arc._domainkey."+forwarder, record)
	dns.AddTXT("_spf.provider.example", "v=spf1 ip4:127.0.0.0/8 -all")
	for _, one := range append(append([]author{}, a.known...), a.fresh...) {
		dns.AddTXT("mail."+one.domain, "v=spf1 include:_spf.provider.example -all")
		dns.AddTXT(one.selector+"._domainkey."+one.domain, record)
		dns.AddTXT("_dmarc."+one.domain, "v=DMARC1; p=reject; rua=mailto:reports@"+one.domain)
	}
	maker := NewMaker(load.Run, load.Size, load.Attachment)
	return a, a.sign(maker, key)
}

// freshBefore is how many of the first n messages come from domains that were not seen before.
func freshBefore(n int64, share float64) int64 { return int64(math.Floor(float64(n) * share)) }

// of is the author of the n-th message.
func (a *Authors) of(n int64) *author {
	if i := freshBefore(n, a.unseen); freshBefore(n+1, a.unseen) > i {
		return &a.fresh[i]
	}
	return &a.known[n%knownDomains]
}

// sign makes the signatures of all authors, on all processors.
func (a *Authors) sign(maker *Maker, key crypto.Signer) error {
	all := make(chan *author)
	var signing sync.WaitGroup
	var once sync.Once
	var failed error
	for range runtime.GOMAXPROCS(0) {
		signing.Go(func() {
			for one := range all {
				if err := one.sign(maker, key); err != nil {
					once.Do(func() { failed = err })
				}
			}
		})
	}
	for _, list := range [][]author{a.known, a.fresh} {
		for i := range list {
			list[i].sealed = i%sealedEvery == 0
			all <- &list[i]
		}
	}
	close(all)
	signing.Wait()
	return failed
}

func (a *author) sign(maker *Maker, key crypto.Signer) error {
	mail := maker.appendRest([]byte(a.fromField()), 0)
	var signed bytes.Buffer
	err := dkim.Sign(&signed, bytes.NewReader(mail), &dkim.SignOptions{
		Domain: a.domain, Selector: a.selector, Signer: key, Hash: crypto.SHA256,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: []string{"From", "To", "Date", "MIME-Version", "Content-Type"},
	})
	if err != nil {
		return fmt.Errorf("signing for %s: %w", a.domain, err)
	}
	a.signatures = signed.Bytes()[:signed.Len()-len(mail)]
	if a.sealed {
		return a.seal(mail, key)
	}
	return nil
}
