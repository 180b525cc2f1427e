package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/storage"
)

// copyEnd is one end of a copy, as the flags name it.
type copyEnd struct {
	flag  string
	place string // a database or the file of a configuration
	blobs string // a folder or s3://...; empty: below the data folder, or as the configuration says
	data  string // data folder; empty: that of the database, or as the configuration says
}

func (e *copyEnd) flags(cmd *cobra.Command, flag, usage string) {
	e.flag = flag
	cmd.Flags().StringVar(&e.place, flag, "", usage)
	cmd.Flags().StringVar(&e.blobs, flag+"-blobs", "", "`place` of raw messages and attachments, where --"+flag+" is a database: a folder or s3://...")
	cmd.Flags().StringVar(&e.data, flag+"-data", "", "data `folder` with the keys, where --"+flag+" is postgres://...")
}

// openedEnd is an end of a copy with what its configuration says.
type openedEnd struct {
	config *config.Config
	store  storage.Config
	made   []string // folders of the target that were not there, the lowest first
}

// open makes the end ready. Those of the source must be there, with its keys.
func (e *copyEnd) open(ctx context.Context, source bool) (_ *openedEnd, err error) {
	c, err := e.configuration()
	if err != nil {
		return nil, err
	}
	var made []string
	if !source && c.DataDir != "" {
		if made, err = storage.MissingFolders(c.DataDir); err != nil {
			return nil, err
		}
		if err := storage.MakeFolder(c.DataDir); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, storage.RemoveUnused(made))
		}
	}()
	if source && c.DataDir == "" {
		return nil, fmt.Errorf("say in which folder the keys lie: --%s-data", e.flag)
	}
	if source && c.Storage.Database == "" {
		if _, err := os.Stat(filepath.Join(c.DataDir, storage.DatabaseName)); err != nil {
			return nil, fmt.Errorf("there is no installation: %w", err)
		}
	}
	blobs, err := openBlobs(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	o := &openedEnd{config: c, made: made, store: storage.Config{
		Dir: c.DataDir, Database: string(c.Storage.Database), Blobs: blobs,
		PackInBlobs: c.Storage.Blobs == config.BlobsS3 && c.Storage.PacksInBlobs, MinFree: -1,
	}}
	if source {
		o.store.Keys, err = instanceKeys(c, storage.ReadKeys)
	}
	return o, err
}

// configuration is that of the file, or the one that the flags come to.
func (e *copyEnd) configuration() (*config.Config, error) {
	folder, sqlite := strings.CutPrefix(e.place, "sqlite:")
	postgres := strings.HasPrefix(e.place, "postgres://") || strings.HasPrefix(e.place, "postgresql://")
	if !sqlite && !postgres {
		if e.blobs != "" || e.data != "" {
			return nil, fmt.Errorf("--%s-blobs and --%s-data are for a database; a configuration says that itself", e.flag, e.flag)
		}
		c, err := config.LoadStorage(e.place, os.Environ())
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; a place is a configuration file, sqlite:FOLDER or postgres://HOST/DATABASE", err)
		}
		return c, err
	}
	c := config.Default()
	c.DataDir = e.data
	if sqlite {
		if e.data != "" || folder == "" {
			return nil, fmt.Errorf("sqlite:FOLDER names the data folder; --%s-data is for postgres://", e.flag)
		}
		c.DataDir = strings.TrimPrefix(folder, "//")
	} else {
		if _, err := storage.CheckDatabaseURL(e.place); err != nil {
			return nil, fmt.Errorf("the URL of the database %w", err)
		}
		c.Storage.Database = config.DatabaseURL(e.place)
	}
	return c, e.placeBlobs(c)
}

// placeBlobs sets where raw messages and attachments lie.
func (e *copyEnd) placeBlobs(c *config.Config) error {
	switch {
	case strings.HasPrefix(e.blobs, "s3://"):
		s3, err := parseBucket(e.blobs)
		if err != nil {
			return fmt.Errorf("--%s-blobs: %w", e.flag, err)
		}
		c.Storage.Blobs, c.Storage.S3 = config.BlobsS3, *s3
		return nil
	case e.blobs == "" && c.DataDir == "":
		return fmt.Errorf("say where raw messages and attachments lie: --%s-blobs s3://..., or --%s-data for a folder", e.flag, e.flag)
	case e.blobs == "":
		return nil
	}
	// A server keeps them in its data folder and nowhere else.
	if c.DataDir == "" {
		c.DataDir = e.blobs
	}
	if filepath.Clean(e.blobs) != filepath.Clean(c.DataDir) && filepath.Clean(e.blobs) != filepath.Join(c.DataDir, blobsName) {
		return fmt.Errorf("--%s-blobs: a server keeps them in its data folder, %s", e.flag, c.DataDir)
	}
	return nil
}

// parseBucket reads s3://BUCKET/PREFIX?KEY=VALUE&... with the keys of storage.s3.
func parseBucket(text string) (*config.S3, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, errors.New("is not s3://BUCKET/PREFIX")
	}
	s3 := &config.S3{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	for key, values := range u.Query() {
		value := values[len(values)-1]
		switch key {
		case "endpoint":
			s3.Endpoint = value
		case "region":
			s3.Region = value
		case "encryption":
			s3.Encryption = value
		case "kms_key_id":
			s3.KMSKeyID = value
		case "storage_class":
			s3.StorageClass = value
		case "path_style":
			s3.PathStyle, err = strconv.ParseBool(value)
		case "unconditional":
			s3.Unconditional, err = strconv.ParseBool(value)
		default:
			err = errors.New("is not known; there are endpoint, region, path_style, encryption, kms_key_id, storage_class and unconditional")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return s3, nil
}

// takeKeys brings the keys of the source along, or with [mayKeepKeys] only looks whether they can be, and proves that key files which the
// target's configuration names have them. The notes say what is left to be done by hand.
func (to *openedEnd) takeKeys(from *openedEnd, keep func(path string, keys [][]byte) error) (notes []string, err error) {
	links, err := linkKeys(from.config, storage.ReadKeys)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; name its folder, or use the configuration file", err)
	}
	if err != nil {
		return nil, err
	}
	to.store.Keys = from.store.Keys // the target has these at least
	if to.config.DataDir == "" {
		return []string{"Take the keys along by hand, or no message can be read and no link opens: instance.key and link.key of " + from.config.DataDir + "."}, nil
	}
	if named := to.config.Storage.KeyFile; named != "" {
		err = hasKeys(named, from.store.Keys)
	} else {
		err = keep(filepath.Join(to.config.DataDir, instanceKeyName), from.store.Keys)
	}
	if err != nil {
		return nil, fmt.Errorf("the instance key: %w", err)
	}
	if files := to.config.Storage.LinkKeyFiles; len(files) > 0 {
		there, err := linkKeys(to.config, storage.ReadKeys)
		if err == nil && !storage.HasKeys(there, links) {
			err = errors.New("no link that was sent opens any more: storage.link_key_files of the target lack a key of the source")
		}
		if err != nil {
			return nil, err
		}
	} else if err := keep(filepath.Join(to.config.DataDir, linkKeyName), links); err != nil {
		return nil, fmt.Errorf("the link key: %w", err)
	}
	return to.leftBehind(from), nil
}

// mayKeepKeys says what would keep [storage.KeepKeys] from it, and makes no file.
func mayKeepKeys(path string, keys [][]byte) error {
	err := hasKeys(path, keys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// hasKeys proves that a file has the keys.
func hasKeys(path string, keys [][]byte) error {
	there, err := storage.ReadKeys(path)
	if err == nil && !storage.HasKeys(there, keys) {
		err = fmt.Errorf("%s lacks a key of the source: add its line, behind those that are there", path)
	}
	return err
}

// leftBehind names what lies in the source's folder and is not part of a copy.
func (to *openedEnd) leftBehind(from *openedEnd) (notes []string) {
	if filepath.Clean(to.config.DataDir) == filepath.Clean(from.config.DataDir) {
		return nil
	}
	for _, left := range [][2]string{{acmeName, "certificates by ACME, which are got anew otherwise"}, {leverFile, "levers that are pulled"}} {
		path := filepath.Join(from.config.DataDir, left[0])
		if _, err := os.Stat(path); err == nil {
			notes = append(notes, fmt.Sprintf("Not copied: %s (%s).", path, left[1]))
		}
	}
	return notes
}
