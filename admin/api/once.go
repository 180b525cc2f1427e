package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// onceHeader names a request, so that sending it again does nothing again (draft-ietf-httpapi-idempotency-key-header).
const onceHeader = "Idempotency-Key"

const (
	maxOnceKey    = 200     // octets of the header
	maxOnceAnswer = 1 << 20 // octets of an answer that is kept
)

// once carries out a POST with an idempotency key once, and answers its repetition with the first answer.
func (s *service) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get(onceHeader)
		p, ok := access.Of(r.Context())
		if r.Method != http.MethodPost || key == "" || !ok {
			next.ServeHTTP(w, r)
			return
		}
		if len(key) > maxOnceKey {
			problem.Write(w, http.StatusBadRequest, "An Idempotency-Key is at most 200 octets long.")
			return
		}
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			problem.Write(w, http.StatusRequestEntityTooLarge, "The body is too large, or ended early.")
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(content))
		id := hashOf(p.Account, p.Key, key)
		request := hashOf(r.Method, r.URL.RequestURI(), string(content))
		known, err := s.Store.BeginOnce(r.Context(), id, request)
		switch {
		case errors.Is(err, storage.ErrInProgress):
			w.Header().Set("Retry-After", "1")
			problem.Write(w, http.StatusConflict, "The same request is being carried out.")
		case err != nil:
			s.Log.Error("an idempotency key could not be looked up", "error", err)
			problem.Write(w, http.StatusServiceUnavailable, "The request was not carried out. Try again.")
		case known != nil && known.Request != request:
			problem.Write(w, http.StatusUnprocessableEntity, "This Idempotency-Key was used for another request.")
		case known != nil:
			s.repeat(w, known)
		default:
			s.carryOut(w, r, next, id, request)
		}
	})
}

// hashOf hashes words so that no two lists of them give the same.
func hashOf(words ...string) [sha256.Size]byte {
	text, err := json.Marshal(words)
	if err != nil {
		panic(err) // strings always encode
	}
	return sha256.Sum256(text)
}

func (s *service) repeat(w http.ResponseWriter, a *storage.Answer) {
	var header map[string]string
	if err := json.Unmarshal([]byte(a.Header), &header); err != nil {
		s.Log.Error("a kept answer is damaged", "error", err)
	}
	for name, value := range header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

func (s *service) carryOut(w http.ResponseWriter, r *http.Request, next http.Handler, id, request [sha256.Size]byte) {
	// The answer is kept whether the peer still waits or not: it may have gone just before it would have read it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	kept := &keeper{ResponseWriter: w, status: http.StatusOK}
	var answer *storage.Answer
	defer func() {
		if err := s.Store.EndOnce(ctx, id, answer); err != nil {
			s.Log.Error("an answer was not kept for its repetition", "error", err)
		}
	}()
	next.ServeHTTP(kept, r)
	if kept.status >= http.StatusInternalServerError || kept.body.Len() > maxOnceAnswer {
		return // it may be tried again
	}
	header := map[string]string{}
	for _, name := range []string{"Content-Type", "ETag"} {
		if value := w.Header().Get(name); value != "" {
			header[name] = value
		}
	}
	answer = &storage.Answer{Request: request, Status: kept.status, Header: asText(header), Body: kept.body.Bytes()}
}

// Unwrap lets deadlines be set.
func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// keeper keeps an answer while it is sent.
type keeper struct {
	http.ResponseWriter

	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (k *keeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (k *keeper) Write(b []byte) (int, error) {
	if k.body.Len() <= maxOnceAnswer {
		k.body.Write(b)
	}
	return k.ResponseWriter.Write(b)
}
