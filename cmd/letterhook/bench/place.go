package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Place is where the server of a run keeps what it stores; zero: in a temporary folder.
type Place struct {
	Database string // URL of an empty PostgreSQL database
	Bucket   string // URL of a bucket with its credentials: http://KEY:SECRET@host:port/NAME
}

// section gives the lines of the section storage.
func (p *Place) section() (string, error) {
	lines := []string{"  min_free: 1MiB"}
	if p.Database != "" {
		lines = append(lines, fmt.Sprintf("  database: %q", p.Database))
	}
	if p.Bucket != "" {
		u, err := url.Parse(p.Bucket)
		if err != nil || u.User == nil {
			return "", errors.New("the bucket is given as http://KEY:SECRET@host:port/NAME")
		}
		secret, _ := u.User.Password()
		lines = append(lines, "  blobs: s3", fmt.Sprintf("  s3: {endpoint: %q, region: us-east-1, bucket: %q, path_style: true, access_key_id: %q, secret_access_key: %q}",
			u.Scheme+"://"+u.Host, strings.Trim(u.Path, "/"), u.User.Username(), secret))
	}
	return strings.Join(lines, "\n"), nil
}

// written is how far the log of the database has been written, in octets; 0 without one.
func (p *Place) written(ctx context.Context) (octets int64, err error) {
	if p.Database == "" {
		return 0, nil
	}
	conn, err := pgx.Connect(ctx, p.Database)
	if err != nil {
		return 0, err
	}
	err = conn.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").Scan(&octets)
	return octets, errors.Join(err, conn.Close(ctx))
}

// counter reads a counter of a server.
func counter(ctx context.Context, address, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", address, name)
}
