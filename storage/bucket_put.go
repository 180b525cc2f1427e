package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
)

// metaSHA256 is the metadata field that holds the hash of the content.
const metaSHA256 = "sha256"

// maxParts is the most that S3 allows for one object.
const maxParts = 10_000

// Put implements [Blobs]. r is read twice, once for its hash. Large objects are sent in parts, one after the other, straight
// from r: the memory needed does not grow with the size. The parts of an upload that a crash cut off stay until a
// lifecycle rule of the bucket (AbortIncompleteMultipartUpload) removes them.
func (b *Bucket) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	name, err := b.name(key)
	if err != nil {
		return err
	}
	if err := b.put(ctx, name, r, size); err != nil {
		return fmt.Errorf("store blob %s: %w", key, b.because(err, permitWrite))
	}
	return nil
}

func (b *Bucket) put(ctx context.Context, name *string, r io.ReadSeeker, size int64) error {
	content, err := newSection(r, size)
	if err != nil {
		return err
	}
	hash, err := content.hash(ctx)
	if err != nil {
		return err
	}
	// 409 says that another conditional request to the same key is under way: the next attempt sees what became of it.
	for try := 0; ; try++ {
		if size > b.threshold {
			err = b.putParts(ctx, name, content, hash)
		} else {
			err = b.putWhole(ctx, name, content, hash)
		}
		if statusOf(err) != http.StatusConflict || try == 2 {
			break
		}
	}
	switch statusOf(err) {
	case http.StatusPreconditionFailed, http.StatusNotFound: // the key is taken, or the upload in parts is completed already
		if same, herr := b.holds(ctx, name, hash, size); same {
			return nil
		} else if herr != nil {
			return errors.Join(err, herr)
		}
	}
	return err
}

// condition is the If-None-Match of an upload.
func (b *Bucket) condition() *string {
	if b.cfg.Unconditional {
		return nil
	}
	return aws.String("*")
}

// CheckStorageClass says what is wrong with the name of a storage class: objects of an archive cannot be read when they are wanted. A
// name that is not known is the server's to judge.
func CheckStorageClass(name string) error {
	switch types.StorageClass(name) {
	case types.StorageClassGlacier, types.StorageClassDeepArchive:
		return fmt.Errorf("%s is an archive, whose objects cannot be read at once", name)
	}
	return nil
}

func (b *Bucket) kmsKey() *string {
	if b.cfg.KMSKeyID == "" {
		return nil
	}
	return &b.cfg.KMSKeyID
}

func (b *Bucket) putWhole(ctx context.Context, name *string, content *section, hash string) error {
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return err
	}
	ctx, cancel := b.within(ctx, content.size)
	defer cancel()
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.cfg.Bucket, Key: name, Body: content, ContentLength: &content.size,
		Metadata: map[string]string{metaSHA256: hash}, IfNoneMatch: b.condition(),
		ServerSideEncryption: types.ServerSideEncryption(b.cfg.Encryption), SSEKMSKeyId: b.kmsKey(), StorageClass: types.StorageClass(b.cfg.StorageClass),
	}, withPayloadHash(hash))
	return err
}

// putParts uploads in parts. It aborts what it cannot complete.
func (b *Bucket) putParts(ctx context.Context, name *string, content *section, hash string) (err error) {
	started, err := b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &b.cfg.Bucket, Key: name, Metadata: map[string]string{metaSHA256: hash},
		ServerSideEncryption: types.ServerSideEncryption(b.cfg.Encryption), SSEKMSKeyId: b.kmsKey(), StorageClass: types.StorageClass(b.cfg.StorageClass),
	})
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		ctx, cancel := b.within(context.WithoutCancel(ctx), 0) // also when it was cancelled
		defer cancel()
		_, aerr := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.cfg.Bucket, Key: name, UploadId: started.UploadId})
		if aerr != nil && statusOf(aerr) != http.StatusNotFound {
			err = errors.Join(err, aerr)
		}
	}()
	var parts []types.CompletedPart
	partSize := max(b.partSize, (content.size+maxParts-1)/maxParts)
	for offset := int64(0); offset < content.size; offset += partSize {
		part := content.sub(offset, min(partSize, content.size-offset))
		number := int32(len(parts) + 1)
		etag, err := b.putPart(ctx, name, started.UploadId, number, part)
		if err != nil {
			return fmt.Errorf("part %d: %w", number, err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: &number, ETag: etag})
	}
	_, err = b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &b.cfg.Bucket, Key: name, UploadId: started.UploadId, IfNoneMatch: b.condition(),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

func (b *Bucket) putPart(ctx context.Context, name, upload *string, number int32, part *section) (etag *string, err error) {
	hash, err := part.hash(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	ctx, cancel := b.within(ctx, part.size)
	defer cancel()
	out, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &b.cfg.Bucket, Key: name, UploadId: upload, PartNumber: &number, Body: part, ContentLength: &part.size,
	}, withPayloadHash(hash))
	if err != nil {
		return nil, err
	}
	return out.ETag, nil
}

// holds says whether the key has the content already. An object without our metadata (a backup that was copied back, for
// one) is read.
func (b *Bucket) holds(ctx context.Context, name *string, hash string, size int64) (bool, error) {
	ctx, cancel := b.within(ctx, size)
	defer cancel()
	head, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.cfg.Bucket, Key: name})
	switch {
	case codeOf(err) == "NotFound":
		return false, nil
	case err != nil:
		return false, b.because(err, permitRead)
	case aws.ToInt64(head.ContentLength) != size:
		return false, nil
	case head.Metadata[metaSHA256] != "":
		return head.Metadata[metaSHA256] == hash, nil
	}
	got, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.cfg.Bucket, Key: name, IfMatch: head.ETag})
	if err != nil {
		return false, err
	}
	h := sha256.New()
	_, err = io.Copy(h, got.Body)
	if err := errors.Join(err, got.Body.Close()); err != nil {
		return false, err
	}
	return hex.EncodeToString(h.Sum(nil)) == hash, nil
}

// withPayloadHash signs the body by its known hash. The SDK would hash it a second time over http and leave it out of the
// signature over https.
func withPayloadHash(hash string) func(*s3.Options) {
	set := middleware.InitializeMiddlewareFunc("PayloadHash",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, hash), in)
		})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(set, middleware.Before)
		})
	}
}

// section is size octets of a reader from where it stands. Sections of one reader must not be read at once.
type section struct {
	r           io.ReadSeeker
	start, size int64
	offset      int64
}

func newSection(r io.ReadSeeker, size int64) (*section, error) {
	if size < 0 {
		return nil, fmt.Errorf("negative size %d", size)
	}
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	return &section{r: r, start: start, size: size}, nil
}

func (s *section) sub(offset, size int64) *section {
	return &section{r: s.r, start: s.start + offset, size: size}
}

func (s *section) Read(p []byte) (int, error) {
	if s.offset >= s.size {
		return 0, io.EOF
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.size-s.offset)])
	s.offset += int64(n)
	return n, err
}

func (s *section) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.offset
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d", offset)
	}
	if _, err := s.r.Seek(s.start+offset, io.SeekStart); err != nil {
		return 0, err
	}
	s.offset = offset
	return offset, nil
}

// hash reads the section whole, which proves that it has its size.
func (s *section) hash(ctx context.Context) (string, error) {
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.CopyN(h, untilDone(ctx, s), s.size); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
