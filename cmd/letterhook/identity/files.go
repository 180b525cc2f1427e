package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// Pair names the PEM files of a certificate chain and its private key. Both may be the same file.
type Pair struct {
	CertFile string
	KeyFile  string
}

// loaded is a pair as it was read.
type loaded struct {
	Pair
	certificate *tls.Certificate
	sum         [sha256.Size]byte // of both files
	trouble     string            // why the files as they are now were not taken; empty: they were
}

// Files are the certificates of a configuration, as they were read at one time.
type Files struct{ pairs []*loaded }

// ReadFiles reads the certificates of files. One that cannot be read, and one that is not of its key, is an error.
func ReadFiles(pairs []Pair) (*Files, error) {
	files := &Files{}
	for _, pair := range pairs {
		chain, key, err := pair.read()
		if err != nil {
			return nil, fmt.Errorf("loading the certificate: %w", err)
		}
		certificate, err := tls.X509KeyPair(chain, key)
		if err != nil {
			return nil, fmt.Errorf("loading the certificate %s: %w", pair.CertFile, err)
		}
		files.pairs = append(files.pairs, &loaded{Pair: pair, certificate: &certificate, sum: sumOf(chain, key)})
	}
	return files, nil
}

func (p Pair) read() (chain, key []byte, err error) {
	if chain, err = os.ReadFile(p.CertFile); err != nil {
		return nil, nil, err
	}
	if key, err = os.ReadFile(p.KeyFile); err != nil {
		return nil, nil, err
	}
	return chain, key, nil
}

func sumOf(chain, key []byte) [sha256.Size]byte {
	return sha256.Sum256(bytes.Join([][]byte{chain, key}, []byte{0}))
}

// LookEvery is how often a server looks at its certificate files.
const LookEvery = 10 * time.Second

// Watch looks at the files of the certificates every so often, until ctx ends, and takes what has changed. It reads them rather
// than to wait for news of the file system: links that change their target, mounts and network file systems give none
// that could be relied on.
//
// What writes a certificate writes two files, each in steps. So a pair is taken only once two looks in a row found the same
// octets, and only if the key is that of the certificate. What is not taken is logged once, and the old certificate stays.
func (c *Certificates) Watch(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var seen map[Pair][sha256.Size]byte
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			seen = c.look(seen)
		}
	}
}

// look takes the pairs that have changed and have settled since the last look, which saw the sums in seen. It gives those that it
// sees itself.
func (c *Certificates) look(seen map[Pair][sha256.Size]byte) map[Pair][sha256.Size]byte {
	now := map[Pair][sha256.Size]byte{}
	current := c.files.Load()
	next := &Files{pairs: append([]*loaded{}, current.pairs...)}
	changed := false
	for i, old := range current.pairs {
		chain, key, err := old.read()
		sum := sumOf(chain, key) // that of nothing where one cannot be read: a state like any other
		before, known := seen[old.Pair]
		now[old.Pair] = sum
		if sum == old.sum || !known || before != sum {
			continue
		}
		next.pairs[i], changed = old.renew(chain, key, sum, err, c.log), true
	}
	if changed {
		// A reload that came meanwhile has read the files later, and wins.
		c.files.CompareAndSwap(current, next)
	}
	return now
}

// renew is the pair after its files have changed to chain and key.
func (l *loaded) renew(chain, key []byte, sum [sha256.Size]byte, err error, log *slog.Logger) *loaded {
	next := &loaded{Pair: l.Pair, certificate: l.certificate, sum: sum}
	var certificate tls.Certificate
	if err == nil {
		certificate, err = tls.X509KeyPair(chain, key)
	}
	if err != nil {
		next.trouble = err.Error()
		log.Error("certificate not taken; the old one stays", "file", l.CertFile, "key_file", l.KeyFile, "error", err)
		return next
	}
	next.certificate = &certificate
	log.Info("certificate changed", "file", l.CertFile, "names", certificate.Leaf.DNSNames, "not_after", certificate.Leaf.NotAfter.UTC())
	return next
}
