// Command go is a webhook receiver in the standard library alone. See the README beside it.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance = 5 * time.Minute
	maxBody   = 10 << 20
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	secrets, err := parseSecrets(os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		return err
	}
	address := os.Getenv("LISTEN")
	if address == "" {
		address = "127.0.0.1:8090"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	server := &http.Server{Handler: &receiver{secrets: secrets, seen: map[string]bool{}}, ReadTimeout: 30 * time.Second}
	return server.Serve(l)
}

func parseSecrets(text string) ([][]byte, error) {
	var secrets [][]byte
	for field := range strings.FieldsSeq(text) {
		secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(field, "whsec_"))
		if err != nil {
			return nil, errors.New("WEBHOOK_SECRET is not whsec_ and base64")
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return nil, errors.New("WEBHOOK_SECRET is not set")
	}
	return secrets, nil
}

type receiver struct {
	secrets [][]byte

	mu   sync.Mutex
	seen map[string]bool // ids that were handled; your database in real life
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	id := r.Header.Get("webhook-id")
	if !verify(rc.secrets, id, r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), body, time.Now()) {
		http.Error(w, "bad signature", http.StatusUnauthorized)
		return
	}
	var event struct {
		Type string
		Data struct{ Subject string }
	}
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	rc.mu.Lock()
	repeated := rc.seen[id]
	rc.seen[id] = true
	rc.mu.Unlock()
	if !repeated {
		fmt.Printf("%s %s %q\n", id, event.Type, event.Data.Subject)
	}
	w.WriteHeader(http.StatusNoContent)
}

// verify checks a request as Standard Webhooks says.
func verify(secrets [][]byte, id, timestamp, signatures string, body []byte, now time.Time) bool {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	for signature := range strings.FieldsSeq(signatures) {
		version, encoded, _ := strings.Cut(signature, ",")
		got, err := base64.StdEncoding.DecodeString(encoded)
		if version != "v1" || err != nil {
			continue
		}
		for _, secret := range secrets {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(id + "." + timestamp + "."))
			mac.Write(body)
			if hmac.Equal(mac.Sum(nil), got) {
				return true
			}
		}
	}
	return false
}
