package storage

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"
)

// The permissions that the credentials need, as policies name them.
const (
	permitRead     = "s3:GetObject"
	permitWrite    = "s3:PutObject"
	permitDelete   = "s3:DeleteObject"
	permitList     = "s3:ListBucket"
	permitVersions = "s3:GetBucketVersioning"
)

// BucketError is why a bucket did not do what it was asked. Its text has all that the SDK says of the request, which is for a log;
// [BucketError.Plain] is for people.
type BucketError struct {
	Code       string // of S3; empty: there was no answer
	Permission string // that the credentials lack, and on what; empty: that is not the reason

	err error
}

// Error implements error. A permission that is missing stands before the words of the server.
func (e *BucketError) Error() string {
	if e.Permission == "" {
		return e.err.Error()
	}
	return e.lacks() + ": " + e.err.Error()
}

// Unwrap gives what the SDK says.
func (e *BucketError) Unwrap() error { return e.err }

func (e *BucketError) lacks() string { return "the credentials lack the permission " + e.Permission }

// Plain is the reason in a few words, with the code of S3 where there is one.
func (e *BucketError) Plain() string {
	if e.Code == "" {
		return e.unanswered()
	}
	return e.meaning() + " (" + e.Code + ")"
}

// meaning is what a code says. There are many; a configuration leads to these.
func (e *BucketError) meaning() string {
	if e.Permission != "" {
		return e.lacks()
	}
	switch e.Code {
	case noSuchBucket:
		return "there is no such bucket"
	case "InvalidAccessKeyId":
		return "the server does not know the access key id"
	case "SignatureDoesNotMatch":
		return "the secret access key does not belong to the access key id"
	case "ExpiredToken":
		return "the credentials have expired"
	case "PermanentRedirect", "AuthorizationHeaderMalformed":
		return "the bucket is in another region"
	case "RequestTimeTooSkewed":
		return "the clock of this machine and that of the server differ"
	}
	return fmt.Sprintf("the server answered %d", statusOf(e.err))
}

// unanswered is why there is no code.
func (e *BucketError) unanswered() string {
	if errors.Is(e.err, context.DeadlineExceeded) || errors.Is(e.err, errStalled) {
		return "there was no answer in time"
	}
	operation, ok := errors.AsType[*smithy.OperationError](e.err)
	if !ok {
		return e.err.Error() // our own words
	}
	if _, other := errors.AsType[*smithy.OperationError](operation.Err); other { // of the last service in the chain of credentials
		return "no credentials are configured, and none could be got otherwise"
	}
	if sent, ok := errors.AsType[*url.Error](operation.Err); ok {
		return "there was no answer: " + sent.Err.Error()
	}
	inner := operation.Err
	for next := errors.Unwrap(inner); next != nil; next = errors.Unwrap(inner) {
		inner = next
	}
	return inner.Error()
}

// because makes an error of a request that needs a permission. Of a server that refuses for other reasons, such as a secret that is wrong,
// it names none.
func (b *Bucket) because(err error, permission string) error {
	e := &BucketError{Code: codeOf(err), err: err}
	switch e.Code {
	case "AccessDenied", "Forbidden": // the latter in an answer to HEAD, which has no body
	default:
		return e
	}
	resource := "arn:aws:s3:::" + b.cfg.Bucket
	if strings.HasSuffix(permission, "Object") {
		resource += "/" + b.cfg.Prefix + "*"
	}
	switch {
	case permission == permitRead: // who may not list is not told that an object is not there
		permission += " or " + permitList
	case permission == permitWrite && b.cfg.Encryption == "aws:kms":
		permission += " or kms:GenerateDataKey"
	}
	e.Permission = permission + " on " + resource
	return e
}
