package main

import (
	"context"
	"errors"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/storage"
)

// bucketWait bounds the look at the bucket.
const bucketWait = 30 * time.Second

// tryBucket uses the bucket as a server does at its start. What mail needs and is refused is a fault.
func (r *checkResult) tryBucket(ctx context.Context, c *config.Config, path string) error {
	if c.Storage.Blobs != config.BlobsS3 {
		return &exitError{exitUsage, errors.New("--bucket needs storage.blobs: s3")}
	}
	blobs, err := openBlobs(ctx, c, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, bucketWait)
	defer cancel()
	kept, err := storage.TryBlobs(ctx, blobs)
	if kept != nil {
		r.Warnings = append(r.Warnings, "storage.s3: nothing can be deleted, so retention and erase leave objects behind: "+kept.Error())
	}
	if err != nil {
		r.OK = false
		r.Faults = append(r.Faults, config.Fault{File: path, Key: "storage.s3", Reason: "the bucket cannot be used: " + err.Error()})
	}
	return nil
}
