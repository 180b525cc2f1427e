package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// maxPresign is how long a presigned URL can live (AWS Signature Version 4).
const maxPresign = 7 * 24 * time.Hour

// URL implements [Blobs]: a presigned GET, which lives for at most seven days and no longer than the credentials that sign
// it, or a link to our own listener when the bucket was given [Links]. Only attachments can be linked.
func (b *Bucket) URL(ctx context.Context, key string, link Link) (string, time.Time, error) {
	if b.cfg.Links != nil || !IsAttachmentKey(key) {
		return linkBlob(b.cfg.Links, key, link)
	}
	url, expires, err := b.presign(ctx, key, link)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("link to blob %s: %w", key, err)
	}
	return url, expires, nil
}

func (b *Bucket) presign(ctx context.Context, key string, link Link) (string, time.Time, error) {
	name, err := b.name(key)
	if err != nil {
		return "", time.Time{}, err
	}
	provider := b.client.Options().Credentials
	if provider == nil {
		return "", time.Time{}, errors.New("there are no credentials")
	}
	credentials, err := provider.Retrieve(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	// A URL says when it was signed, and for how many seconds it is good, in whole seconds.
	now := b.now().Truncate(time.Second)
	end := link.Expires
	if credentials.CanExpire && credentials.Expires.Before(end) {
		end = credentials.Expires
	}
	life := min(end.Sub(now), maxPresign).Truncate(time.Second)
	if life <= 0 {
		return "", time.Time{}, fmt.Errorf("it would end at %s, which has passed", end.UTC().Format(time.RFC3339))
	}
	request, err := s3.NewPresignClient(b.client).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &b.cfg.Bucket, Key: name,
		ResponseContentDisposition: aws.String(AttachmentDisposition(link.Filename)),
		ResponseContentType:        aws.String(SafeContentType(link.ContentType)),
	}, func(o *s3.PresignOptions) {
		o.Expires = life
		o.Presigner = presignAt{now: now, credentials: credentials}
		if b.cfg.LinkEndpoint != "" {
			o.ClientOptions = append(o.ClientOptions, func(o *s3.Options) { o.BaseEndpoint = &b.cfg.LinkEndpoint })
		}
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return request.URL, now.Add(life), nil
}

// presignAt signs with the very time and credentials that the expiry was computed from.
type presignAt struct {
	now         time.Time
	credentials aws.Credentials
}

// PresignHTTP implements s3.HTTPPresignerV4.
func (p presignAt) PresignHTTP(ctx context.Context, _ aws.Credentials, r *http.Request, payloadHash, service, region string,
	_ time.Time, options ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // S3 signs the path as it is sent
	return signer.PresignHTTP(ctx, p.credentials, r, payloadHash, service, region, p.now, options...)
}
