package storage

import (
	"bytes"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestEraseOnBucket erases messages whose bytes lie in a bucket, and tries what the store still has on them: every key of every row.
func TestEraseOnBucket(t *testing.T) {
	for name, server := range map[string]func(*testing.T) testS3{
		"fake":      func(t *testing.T) testS3 { return newFakeS3(t, nil) },
		"versitygw": newRealS3,
	} {
		t.Run(name, func(t *testing.T) {
			b := server(t).open(t, nil)
			s := openStoreOn(t, b)
			for i, size := range []int{1000, 2 << 20} {
				id, err := acceptRaw(t.Context(), s, noise(size, byte(i)))
				if err != nil {
					t.Fatal(err)
				}
				other, err := acceptRaw(t.Context(), s, noise(size+1, byte(i+10)))
				if err != nil {
					t.Fatal(err)
				}
				attachment := AttachmentKey("acc_1", id, "00ff")
				if err := b.Put(t.Context(), attachment, bytes.NewReader([]byte("x")), 1); err != nil {
					t.Fatal(err)
				}
				before, err := s.Mail(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := s.Erase(t.Context(), Erasure{Message: id}); err != nil || got.Attachments != 1 || !got.Checkpointed {
					t.Fatalf("%+v, %v", got, err)
				}
				if _, err := b.OpenRange(t.Context(), attachment, 0, -1); !errors.Is(err, ErrNotFound) {
					t.Errorf("the attachment: %v", err)
				}
				sealed := readBlob(t, b, before.raw.pack, before.raw.offset, before.raw.length)
				all, err := s.Messages(t.Context(), MessageFilter{})
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range all {
					key, err := unwrapKey(s.cfg.Keys, m.ID, m.raw.key)
					if m.Erased == (err == nil) {
						t.Errorf("the key of %s: %v", m.ID, err)
					}
					if _, err := unseal(key, bytes.Clone(sealed)); !errors.Is(err, ErrDamaged) {
						t.Errorf("the key of %s opens what was erased: %v", m.ID, err)
					}
				}
				if key, err := unwrapKey(s.cfg.Keys, id, before.raw.key); err != nil {
					t.Error(err)
				} else if _, err := unseal(key, sealed); err != nil {
					t.Errorf("the test looks at other bytes: %v", err)
				}
				if _, err := readRaw(t.Context(), s, other); err != nil {
					t.Errorf("another message: %v", err)
				}
			}
		})
	}
}

func TestBucketKeepsVersions(t *testing.T) {
	b := newFakeS3(t, nil).open(t, nil)
	for _, want := range []bool{false, true} {
		if got, err := b.KeepsVersions(t.Context()); err != nil || got != want {
			t.Errorf("it keeps versions: %v, %v; want %v", got, err, want)
		}
		_, err := b.client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
			Bucket: &b.cfg.Bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	without := newRealS3(t).open(t, nil)
	if got, err := without.KeepsVersions(t.Context()); err != nil || got {
		t.Errorf("a server without versions: %v, %v", got, err)
	}
}
