package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sys/unix"
)

const (
	// connectTimeout bounds the making of a connection, unless the URL has a connect_timeout.
	connectTimeout = 5 * time.Second
	// idleWrites bounds how long a process that was stopped amid a transaction keeps its locks: for less time than its lease.
	idleWrites = "SET idle_in_transaction_session_timeout = 8000; "
	// writeTimeout bounds a statement of a committer. A batch takes milliseconds, so what takes this long has failed.
	writeTimeout = 15 * time.Second
	// readTimeout bounds a statement of the readers; fsck and counts walk over whole tables.
	readTimeout = 10 * time.Minute
	// unansweredTimeout is how long the other end may leave octets unacknowledged before the connection is given up.
	unansweredTimeout = 20 * time.Second
)

// postgresEngine is a database on a PostgreSQL server.
type postgresEngine struct {
	config *pgx.ConnConfig
	// pooled says that a transaction pooler stands before the server: a connection is no session, so nothing is set on it.
	pooled bool
	joins  string   // settings of what writes: how the planner may join
	texts  sync.Map // statements as PostgreSQL wants them, by what they are made of
}

const (
	// joinByKey leaves a planner no other join than to look up row by row.
	joinByKey = "SET enable_hashjoin = off; SET enable_mergejoin = off"
	// joinByHash leaves it no other than one that reads either side once. It is for insertResults, the one join of its connection: an
	// array finds the rows there, whatever is known of the table, and row by row the rest would cost the square of a batch.
	joinByHash = "SET enable_nestloop = off; SET enable_mergejoin = off"
)

func newPostgresEngine(databaseURL string) (*postgresEngine, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("is not a URL that PostgreSQL has: " + reasonOf(err))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "letterhook"
	}
	if config.DialFunc == nil || config.Host != "" {
		config.DialFunc = dialDatabase
	}
	mode := config.DefaultQueryExecMode
	return &postgresEngine{config: config, pooled: mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol, joins: joinByKey}, nil
}

// joining is the same database with other joins.
func (e *postgresEngine) joining(how string) *postgresEngine {
	return &postgresEngine{config: e.config, pooled: e.pooled, joins: how}
}

// reasonOf is why a URL does not do, without the URL, which pgx puts in front with no more than its password masked.
func reasonOf(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		return inner.Error()
	}
	return "look at its host, port and parameters"
}

// CheckDatabaseURL says what is wrong with the URL of a PostgreSQL database, or what is allowed but probably not meant. Neither shows
// what it holds.
func CheckDatabaseURL(databaseURL string) (warning string, err error) {
	if !strings.HasPrefix(databaseURL, "postgres://") && !strings.HasPrefix(databaseURL, "postgresql://") {
		return "", errors.New("must begin with postgres://")
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", errors.New("is no URL: a user name, password or path with one of / ? # % in it is written with percent signs")
	}
	e, err := newPostgresEngine(databaseURL)
	if err != nil {
		return "", err
	}
	local := strings.HasPrefix(e.config.Host, "/") || e.config.Host == "localhost"
	if ip := net.ParseIP(e.config.Host); ip != nil {
		local = ip.IsLoopback()
	}
	if mode := u.Query().Get("sslmode"); !local && mode != "verify-full" && mode != "verify-ca" {
		return "without sslmode=verify-full nothing proves that the server is the right one", nil
	}
	return "", nil
}

// dialDatabase connects such that a server that falls silent is noticed: without that a connection to a machine that is gone
// stays for a quarter of an hour.
func dialDatabase(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 2},
		Control: func(network, _ string, c syscall.RawConn) (err error) {
			if !strings.HasPrefix(network, "tcp") {
				return nil
			}
			refused := c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unansweredTimeout.Milliseconds()))
			})
			return errors.Join(err, refused)
		},
	}
	return d.DialContext(ctx, network, address)
}

// settings are those of a session. The plans of these statements are known beforehand: by key or along an index. A planner that
// met a table when it was small would scan it for the minute until its statistics follow; and one that starts workers for a page of
// rows waits longer for them than for the rows.
func settings(timeout time.Duration, more string) string {
	return fmt.Sprintf("SET statement_timeout = %d; SET lock_timeout = %d; SET idle_in_transaction_session_timeout = 60000; SET jit = off; SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0; %s",
		timeout.Milliseconds(), timeout.Milliseconds(), more)
}

func (e *postgresEngine) connect() (connection, error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.config.ConnectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, e.config.Copy())
	if err != nil {
		return nil, databaseError{fmt.Errorf("connect to the database: %w", err)}
	}
	if !e.pooled {
		if _, err := conn.Exec(ctx, settings(writeTimeout, idleWrites+e.joins)); err != nil {
			return nil, databaseError{errors.Join(fmt.Errorf("prepare the connection to the database: %w", err), conn.Close(ctx))}
		}
	}
	return &postgresConnection{engine: e, conn: conn}, nil
}

func (e *postgresEngine) open() (*sql.DB, error) { return e.pool("") }

// openSearch makes the pool of searches, whose statements go over the days of half a year: a plan that was made once and passes over
// days while it runs costs them less than a new plan for each, which looks at every partition.
func (e *postgresEngine) openSearch() (*sql.DB, error) {
	return e.pool("SET plan_cache_mode = force_generic_plan; " + joinByKey)
}

func (e *postgresEngine) pool(more string) (*sql.DB, error) {
	prepare := stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		if e.pooled {
			return nil
		}
		_, err := conn.Exec(ctx, settings(readTimeout, more))
		return err
	})
	return stdlib.OpenDB(*e.config.Copy(), prepare), nil
}

func (e *postgresEngine) form(f forms) string { return f.postgres }

func (e *postgresEngine) argument(v any) any { return plain(v) }

func (e *postgresEngine) snapshot() *sql.TxOptions {
	return &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
}

// text numbers the arguments of a statement.
func (e *postgresEngine) text(statement string) string {
	if text, ok := e.texts.Load(statement); ok {
		return text.(string)
	}
	text := numbered(statement)
	e.texts.Store(statement, text)
	return text
}

// numbered writes $1, $2 ... for the question marks outside of literals.
func numbered(statement string) string {
	var b strings.Builder
	n, quoted := 0, false
	for i := range len(statement) {
		switch c := statement[i]; {
		case c == '\'':
			quoted = !quoted
			b.WriteByte(c)
		case c == '?' && !quoted:
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// plain makes of a text what PostgreSQL takes for one: no octets that are not UTF-8, and no U+0000. Nothing by which a row is found
// has any; what a stranger wrote is shown, not compared.
func plain(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
