package storage

import (
	"fmt"
	"strings"
)

// The permissions that the credentials need, as policies name them.
const (
	permitRead     = "s3:GetObject"
	permitWrite    = "s3:PutObject"
	permitDelete   = "s3:DeleteObject"
	permitList     = "s3:ListBucket"
	permitVersions = "s3:GetBucketVersioning"
)

// denied puts the permission that a request needs before the words of a server that says that one is missing. Other reasons to
// refuse, such as a secret that is wrong, stay as they are.
func (b *Bucket) denied(err error, permission string) error {
	switch codeOf(err) {
	case "AccessDenied", "Forbidden": // the latter in an answer to HEAD, which has no body
	default:
		return err
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
	return fmt.Errorf("the credentials lack the permission %s on %s: %w", permission, resource, err)
}
