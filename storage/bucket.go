package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// BucketConfig says where a bucket is and how to use it.
type BucketConfig struct {
	Bucket string // required; it must exist
	Prefix string // of every key, for example "letterhook/"; empty: none
	Region string // empty: AWS_REGION or the shared configuration; with an Endpoint "us-east-1"

	// Endpoint is the URL of an S3-compatible server; empty: AWS. LinkEndpoint is the one that presigned links name, when
	// receivers reach the server under another URL than we do.
	Endpoint     string
	LinkEndpoint string
	// PathStyle puts the name of the bucket into the path instead of before the host name. Most servers but AWS want it.
	PathStyle bool

	// Static credentials. Empty: the usual chain of environment, shared configuration, web identity and instance role.
	AccessKeyID, SecretAccessKey, SessionToken string

	// Encryption at rest by the server: "AES256", "aws:kms" (with KMSKeyID or the default key), or empty: the bucket's own.
	Encryption string
	KMSKeyID   string
	// StorageClass of new objects, such as "STANDARD_IA"; empty: what the server has for them. See [CheckStorageClass].
	StorageClass string

	// Unconditional stores without If-None-Match, for servers that do not implement it. Same keys are then written over.
	Unconditional bool

	Timeout  time.Duration // for the answer to a request, and for the next octet of a transfer; 0: 30 s
	Attempts int           // of each request, at errors that may pass; 0: 3
	Backoff  time.Duration // longest wait between two attempts; 0: 2 s

	// Links, when not nil, make the URLs instead of presigning them: for buckets that receivers cannot reach.
	Links *Links
}

// Bucket is Blobs in an S3 bucket. Objects carry their SHA-256 in the metadata, and are stored on condition that the key is
// free. A key that is taken by the same content is a success, so a request that is repeated because its answer was
// lost is one too. Every octet sent is covered by the signature of its request.
type Bucket struct {
	client *s3.Client
	cfg    BucketConfig

	threshold, partSize int64            // of uploads in parts; tests lower them
	now                 func() time.Time // of presigned links; tests turn it back
}

var _ Blobs = (*Bucket)(nil)

// minRate is the speed, in octets a second, below which an upload is given up.
const minRate = 64 << 10

// NewBucket makes the client. It sends nothing to the bucket (see [Bucket.Ping]) but may read the AWS shared configuration.
func NewBucket(ctx context.Context, cfg BucketConfig) (*Bucket, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", cfg.Bucket, err)
	}
	options := []func(*config.LoadOptions) error{
		// Not a plain http.Client: the SDK could not add the roots of AWS_CA_BUNDLE to that.
		config.WithHTTPClient(httpClient(cfg.Timeout)),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = cfg.Attempts
				o.MaxBackoff = cfg.Backoff
			})
		}),
	}
	if cfg.Region != "" {
		options = append(options, config.WithRegion(cfg.Region))
	}
	if cfg.AccessKeyID != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(cfg.AccessKeyID, cfg.SecretAccessKey, cfg.SessionToken)))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: load AWS configuration: %w", cfg.Bucket, err)
	}
	if loaded.Region == "" {
		return nil, fmt.Errorf("bucket %s: no region is set", cfg.Bucket)
	}
	client := s3.NewFromConfig(loaded, func(o *s3.Options) {
		if cfg.Endpoint != "" {
			o.BaseEndpoint = &cfg.Endpoint
		}
		o.UsePathStyle = cfg.PathStyle
		// The defaults frame the body in chunks with a trailing checksum, which many servers do not understand, and
		// put a checksum header into presigned links. What we send is covered by the payload hash instead. Some servers refuse
		// even x-amz-checksum-sha256, though the hash is known; a bucket with Object Lock and a default retention wants it.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return &Bucket{client: client, cfg: cfg, threshold: 64 << 20, partSize: 16 << 20, now: time.Now}, nil
}

// String names bucket and prefix, for messages.
func (b *Bucket) String() string {
	return fmt.Sprintf("bucket %q, prefix %q", b.cfg.Bucket, b.cfg.Prefix)
}

// complete checks the configuration and fills in the defaults.
func (c *BucketConfig) complete() error {
	if c.Bucket == "" {
		return errors.New("its name is not set")
	}
	for _, endpoint := range []string{c.Endpoint, c.LinkEndpoint} {
		if endpoint == "" {
			continue
		}
		if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("endpoint %q is no http or https URL", endpoint)
		}
	}
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		return errors.New("only one of access key id and secret access key is set")
	}
	if prefix := strings.TrimSuffix(c.Prefix, "/"); prefix != "" {
		if err := checkKey(prefix); err != nil || len(prefix) > 100 {
			return fmt.Errorf("prefix %q cannot be used", c.Prefix)
		}
		c.Prefix = prefix + "/"
	}
	switch c.Encryption {
	case "", "AES256", "aws:kms":
	default:
		return fmt.Errorf("encryption %q is neither AES256 nor aws:kms", c.Encryption)
	}
	if c.KMSKeyID != "" && c.Encryption != "aws:kms" {
		return errors.New("a KMS key needs the encryption aws:kms")
	}
	if err := CheckStorageClass(c.StorageClass); err != nil {
		return fmt.Errorf("storage class %w", err)
	}
	if c.Endpoint != "" && c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Attempts == 0 {
		c.Attempts = 3
	}
	if c.Backoff == 0 {
		c.Backoff = 2 * time.Second
	}
	return nil
}

func httpClient(timeout time.Duration) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		// Off: it also counts while we send, and would cut long uploads. See within and stallReader.
		WithReadTimeout(0).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = min(timeout, 10*time.Second) }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = 64 // the default of 10 makes busy servers dial for most requests
			t.ResponseHeaderTimeout = timeout
			t.TLSHandshakeTimeout = min(timeout, 10*time.Second)
		})
}

// within bounds a request, with all of its attempts, that sends size octets.
func (b *Bucket) within(ctx context.Context, size int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.cfg.Timeout+time.Duration(size/minRate)*time.Second)
}

// name is the key in the bucket.
func (b *Bucket) name(key string) (*string, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return aws.String(b.cfg.Prefix + key), nil
}

// Ping proves that the bucket is there and that the credentials may list it.
func (b *Bucket) Ping(ctx context.Context) error {
	ctx, cancel := b.within(ctx, 0)
	defer cancel()
	_, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.cfg.Bucket, Prefix: &b.cfg.Prefix, MaxKeys: aws.Int32(1)})
	if err != nil {
		return fmt.Errorf("reach bucket %s: %w", b.cfg.Bucket, b.because(err, permitList))
	}
	return nil
}

// OpenRange implements [Blobs]. Octets that do not come within the timeout are an error.
func (b *Bucket) OpenRange(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	r, err := b.openRange(ctx, key, offset, n)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", key, b.because(err, permitRead))
	}
	return r, nil
}

func (b *Bucket) openRange(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	name, err := b.name(key)
	if err != nil {
		return nil, err
	}
	in := &s3.GetObjectInput{Bucket: &b.cfg.Bucket, Key: name}
	switch {
	case offset < 0:
		return nil, fmt.Errorf("negative offset %d", offset)
	case n == 0: // no Range field says so; ask for one octet to learn whether there is such an object
		in.Range = aws.String("bytes=0-0")
	case n > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+n-1))
	case offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	r := newStallReader(ctx, b.cfg.Timeout)
	out, err := b.client.GetObject(r.ctx, in)
	if err != nil {
		err = r.explain(err)
		r.stop()
		if statusOf(err) == http.StatusRequestedRangeNotSatisfiable {
			return http.NoBody, nil // from the end of the object or behind it
		}
		if codeOf(err) == "NoSuchKey" {
			return nil, ErrNotFound
		}
		return nil, err
	}
	r.begin(out.Body)
	switch {
	case n == 0:
		return http.NoBody, r.Close()
	case out.ContentLength == nil:
		err = errors.New("the server does not tell the length")
	case in.Range != nil && out.ContentRange == nil:
		err = errors.New("the server ignores the range")
	default:
		r.left = *out.ContentLength
		return r, nil
	}
	return nil, errors.Join(err, r.Close())
}

// codeOf is the S3 error code behind an error. An absent key is "NoSuchKey", or "NotFound" in the answer to HEAD, which has
// no body. An absent bucket answers 404 too, but is no reason to believe that an object is gone.
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// statusOf is the HTTP status behind an error, 0 when there was no answer.
func statusOf(err error) int {
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return response.HTTPStatusCode()
	}
	return 0
}

// Delete implements [Blobs].
func (b *Bucket) Delete(ctx context.Context, key string) error {
	name, err := b.name(key)
	if err != nil {
		return err
	}
	ctx, cancel := b.within(ctx, 0)
	defer cancel()
	_, err = b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.cfg.Bucket, Key: name})
	if err != nil && codeOf(err) != "NoSuchKey" {
		return fmt.Errorf("delete blob %s: %w", key, b.because(err, permitDelete))
	}
	return nil
}

// List implements [Blobs]. Objects below the prefix that no Put of ours can have stored are left out.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{
			Bucket: &b.cfg.Bucket, Prefix: aws.String(b.cfg.Prefix + prefix),
		})
		for pages.HasMorePages() {
			page, err := b.nextPage(ctx, pages)
			if err != nil {
				yield(Object{}, fmt.Errorf("list blobs: %w", b.because(err, permitList)))
				return
			}
			for _, o := range page.Contents {
				key := strings.TrimPrefix(aws.ToString(o.Key), b.cfg.Prefix)
				if checkKey(key) != nil {
					continue
				}
				if !yield(Object{Key: key, Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

func (b *Bucket) nextPage(ctx context.Context, pages *s3.ListObjectsV2Paginator) (*s3.ListObjectsV2Output, error) {
	ctx, cancel := b.within(ctx, 0)
	defer cancel()
	return pages.NextPage(ctx)
}
