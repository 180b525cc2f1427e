package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// KeepsVersions says whether the bucket keeps what is deleted or written over as an old version, or did once: then what was deleted
// is only gone when a lifecycle rule, or somebody by hand, removes noncurrent versions. A server that does not know versions keeps
// none.
func (b *Bucket) KeepsVersions(ctx context.Context) (bool, error) {
	got, err := b.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.cfg.Bucket})
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && (api.ErrorCode() == "NotImplemented" || api.ErrorCode() == "VersioningNotConfigured"):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("bucket %s: ask for versioning: %w", b.cfg.Bucket, b.because(err, permitVersions))
	}
	return got.Status == types.BucketVersioningStatusEnabled || got.Status == types.BucketVersioningStatusSuspended, nil
}

// KeepsVersions says whether the Blobs keep what is deleted as an old version, as [Bucket.KeepsVersions] does. A folder does not.
func (s *Store) KeepsVersions(ctx context.Context) (bool, error) {
	if b, ok := s.cfg.Blobs.(*Bucket); ok {
		return b.KeepsVersions(ctx)
	}
	return false, nil
}
