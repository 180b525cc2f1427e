package identity

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
)

// Stored gives the newest certificate for a name that ACME keeps in a folder, for a command beside the server; nil: there is
// none that can be read.
func Stored(folder, name string) *x509.Certificate {
	paths, err := filepath.Glob(filepath.Join(folder, "certificates", "*", name, name+".crt"))
	if err != nil {
		return nil
	}
	var newest *x509.Certificate
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		block, _ := pem.Decode(text)
		if block == nil {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err == nil && (newest == nil || certificate.NotAfter.After(newest.NotAfter)) {
			newest = certificate
		}
	}
	return newest
}
