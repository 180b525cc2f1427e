package bench

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// seal puts the ARC set of a forwarder on top (RFC 8617 section 5.1). Each of its fields is one line without a blank too many,
// and the body ends in one line end: they are canonical as they are.
func (a *author) seal(mail []byte, key crypto.Signer) error {
	_, body, _ := strings.Cut(string(mail), "\r\n\r\n")
	results := "i=1; " + forwarder + "; dmarc=pass header.from=" + a.domain
	message := "i=1; a=rsa-sha256; c=relaxed/simple; d=" + forwarder + "; s=arc; h=from; bh=" + digest(body) + "; b="
	sum, err := signText(key, "from:Load <load@"+a.domain+">\r\narc-message-signature:"+message)
	if err != nil {
		return err
	}
	message += sum
	seal := "i=1; a=rsa-sha256; cv=none; d=" + forwarder + "; s=arc; b="
	sum, err = signText(key, "arc-authentication-results:"+results+"\r\narc-message-signature:"+message+"\r\narc-seal:"+seal)
	if err != nil {
		return err
	}
	set := "ARC-Seal: " + seal + sum + "\r\nARC-Message-Signature: " + message + "\r\nARC-Authentication-Results: " + results + "\r\n"
	a.signatures = append([]byte(set), a.signatures...)
	return nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func signText(key crypto.Signer, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("sealing: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}
