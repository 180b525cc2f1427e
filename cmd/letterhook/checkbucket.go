package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/storage"
)

// bucketWait bounds the look at the bucket.
const bucketWait = 30 * time.Second

// tryBucket uses the bucket as a server does. What mail needs and is refused is a fault, and so is a bucket of another store.
func (r *checkResult) tryBucket(ctx context.Context, c *config.Config, o *checkOptions) error {
	if c.Storage.Blobs != config.BlobsS3 {
		return &exitError{exitUsage, errors.New("--bucket needs storage.blobs: s3")}
	}
	blobs, err := openBlobs(ctx, c, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, bucketWait)
	defer cancel()
	store, unknown := storage.StoreID(ctx, storage.Config{Dir: c.DataDir, Database: string(c.Storage.Database)})
	owner, failed, err := storage.TryBlobs(ctx, blobs, store)
	for _, f := range failed {
		reason := f.Plain()
		if o.verbose {
			reason += ": " + f.Error()
		}
		reason = printable(reason, false)
		switch f.Tried {
		case storage.TriedRead:
			r.fault(o.path, "cannot read from the bucket: "+reason)
		case storage.TriedWrite:
			r.fault(o.path, "cannot write to the bucket: "+reason)
		case storage.TriedList:
			r.warn("cannot list the bucket, so what belongs to no message is never found and stays: " + reason)
		case storage.TriedDelete:
			r.warn("cannot delete from the bucket, so what retention and erase delete stays: " + reason)
		}
	}
	switch {
	case err != nil:
		r.fault(o.path, err.Error())
	case owner == "" || store != "":
	case unknown != nil:
		r.warn(fmt.Sprintf("the bucket belongs to the store %q; whether that is the one of this configuration is not known: %s",
			owner, strings.Join(strings.Fields(unknown.Error()), " "))) // the driver of PostgreSQL has a line for each address
	default:
		r.warn(fmt.Sprintf("the bucket belongs to the store %q, and there is no database here yet: a server that makes one is refused", owner))
	}
	return nil
}

// fault notes what the bucket lacks.
func (r *checkResult) fault(path, reason string) {
	r.OK = false
	r.Faults = append(r.Faults, config.Fault{File: path, Key: "storage.s3", Reason: reason})
}

func (r *checkResult) warn(text string) { r.Warnings = append(r.Warnings, "storage.s3: "+text) }
