package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/storage"
)

// The names within a data folder that this package gives.
const (
	instanceKeyName = config.InstanceKeyName
	linkKeyName     = config.LinkKeyName
	blobsName       = "blobs"
	tempName        = "tmp"
)

// tempDir is where temporary files lie: beside the data, so that one disk holds both and its watermark speaks for both.
func tempDir(c *config.Config) string {
	if c.SMTP.TempDir != "" {
		return c.SMTP.TempDir
	}
	return filepath.Join(c.DataDir, tempName)
}

// folder is an opened data folder.
type folder struct {
	store *storage.Store
	blobs storage.Blobs
	links *storage.Links
}

// folderOptions say how a data folder is opened.
type folderOptions struct {
	beside     bool // a server may run on it
	log        *slog.Logger
	registerer prometheus.Registerer
	step       func(string)
}

// openFolder opens the keys, the blobs and the store of a configuration. The caller closes the store.
func openFolder(ctx context.Context, c *config.Config, o folderOptions) (*folder, error) {
	if !o.beside {
		for _, dir := range []string{c.DataDir, tempDir(c)} {
			if err := storage.MakeFolder(dir); err != nil {
				return nil, fmt.Errorf("making the data folder: %w", err)
			}
		}
	}
	read := storage.EnsureKeys
	if o.beside {
		read = storage.ReadKeys
	}
	instance := read
	if isBegun(c) { // a new key would open nothing there, and would hide that the old one is missing
		instance = storage.ReadKeys
	}
	instanceKeys, err := instanceKeys(c, instance)
	if c.Storage.KeyFile == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; %s", err, whereIsKey(c))
	}
	if err != nil {
		return nil, err
	}
	linkKeys, err := linkKeys(c, read)
	if err != nil {
		return nil, err
	}
	// A command beside dev makes no links, and need not know where dev listens.
	links, err := storage.NewLinks(cmp.Or(c.PublicURL, "http://localhost"), linkKeys)
	if err != nil {
		return nil, fmt.Errorf("preparing links: %w", err)
	}
	blobs, err := openBlobs(ctx, c, links)
	if err != nil {
		return nil, err
	}
	connections := 0 // as SQLite has them
	if c.Storage.Database != "" {
		connections = c.Storage.DatabaseConnections
	}
	store, err := storage.Open(ctx, storage.Config{
		Dir:         c.DataDir,
		Database:    string(c.Storage.Database),
		Blobs:       blobs,
		PackInBlobs: c.Storage.Blobs == config.BlobsS3 && c.Storage.PacksInBlobs,
		Keys:        instanceKeys,
		MinFree:     minFree(c),
		Beside:      o.beside,
		Log:         o.log,
		Registerer:  o.registerer,
		Step:        o.step,

		ReadConnections: connections,
	})
	if err != nil {
		return nil, err
	}
	return &folder{store, blobs, links}, nil
}

// isBegun says that a server has made its database in the data folder, for which it had made its instance key.
func isBegun(c *config.Config) bool {
	_, err := os.Stat(filepath.Join(c.DataDir, storage.DatabaseName))
	return err == nil && c.Storage.Database == ""
}

// whereIsKey says what to do about an instance key that is not there. Beside a database it was lost, or not brought back with a backup.
func whereIsKey(c *config.Config) string {
	if isBegun(c) {
		return "the database was begun with it, so bring it back from where you keep it; a backup without --with-keys does not have it"
	}
	return "the server makes it when it starts for the first time"
}

func instanceKeys(c *config.Config, read func(string) ([][]byte, error)) ([][]byte, error) {
	if c.Storage.KeyFile != "" {
		return storage.ReadKeys(c.Storage.KeyFile)
	}
	return read(filepath.Join(c.DataDir, instanceKeyName))
}

func linkKeys(c *config.Config, read func(string) ([][]byte, error)) ([][]byte, error) {
	if len(c.Storage.LinkKeyFiles) == 0 {
		return read(filepath.Join(c.DataDir, linkKeyName))
	}
	var keys [][]byte
	for _, path := range c.Storage.LinkKeyFiles {
		more, err := storage.ReadKeys(path)
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
	}
	return keys, nil
}

func openBlobs(ctx context.Context, c *config.Config, links *storage.Links) (storage.Blobs, error) {
	if c.Storage.Blobs != config.BlobsS3 {
		return storage.NewDir(filepath.Join(c.DataDir, blobsName), links)
	}
	s3 := &c.Storage.S3
	bucket := storage.BucketConfig{
		Bucket:          s3.Bucket,
		Prefix:          s3.Prefix,
		Region:          s3.Region,
		Endpoint:        s3.Endpoint,
		LinkEndpoint:    s3.LinkEndpoint,
		PathStyle:       s3.PathStyle,
		AccessKeyID:     s3.AccessKeyID,
		SecretAccessKey: s3.SecretAccessKey,
		Encryption:      s3.Encryption,
		KMSKeyID:        s3.KMSKeyID,
		StorageClass:    s3.StorageClass,
		Unconditional:   s3.Unconditional,
	}
	if !s3.Presign {
		bucket.Links = links
	}
	return storage.NewBucket(ctx, bucket)
}

// minFree turns the configuration's "no limit" into the store's.
func minFree(c *config.Config) int64 {
	if c.Storage.MinFree == 0 {
		return -1
	}
	return int64(c.Storage.MinFree)
}

// retention is what a configuration keeps.
func retention(c *config.Config) *storage.Retention {
	r := c.Storage.Retention
	return &storage.Retention{Messages: r.Messages.Std(), Attachments: r.Attachments.Std(), Attempts: r.Attempts.Std()}
}
