package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"

	"github.com/sluicehq/sluice/migrations"
)

// postgresEngine is a PostgreSQL server, 15 or newer, that any number of
// replicas share.
var postgresEngine = &engine{
	asked:      []any{pgx.QueryExecModeCacheDescribe},
	lock:       " FOR NO KEY UPDATE", // foreign keys of others' new rows do not wait for it
	keep:       " FOR KEY SHARE",     // as a foreign key does it
	steady:     sql.LevelRepeatableRead,
	value:      postgresValue,
	explain:    explainPostgres,
	repeat:     postgresRepeat,
	denied:     postgresDenied,
	astray:     postgresAstray,
	full:       postgresFull,
	dialect:    goose.DialectPostgres,
	migrations: func() (fs.FS, error) { return fs.Sub(migrations.Postgres, "postgres") },
	river:      func(db *sql.DB) riverdriver.Driver[*sql.Tx] { return riverdatabasesql.New(db) },
}

// Bounds on what a database that does not answer may cost. The server gives up
// a statement before this end gives up the connection, so that a slow statement
// does not look like a broken line.
const (
	connectTimeout    = 2 * time.Second
	statementTimeout  = 4 * time.Second
	silenceTimeout    = 5 * time.Second // of a connection that waits for an answer
	usualConnections  = 16
	reserved          = 8 // of the steps of rollouts and of orders, half of each for reading
	connectionMaxLife = 30 * time.Minute
)

// pgConfig is where a PostgreSQL database is and how to talk to it.
type pgConfig struct{ *pgx.ConnConfig }

// openPostgres opens the pools. That the server answers is found out by the
// first query: a replica may start before it does.
func (s *Store) openPostgres(ctx context.Context, opts Options) error {
	s.engine = postgresEngine
	config, err := parsePostgres(opts.URL)
	if err != nil {
		return err
	}
	s.config = config
	s.name = net.JoinHostPort(config.Host, fmt.Sprint(config.Port)) + "/" + config.Database
	usual := max(opts.Connections, 2)
	if opts.Connections == 0 {
		usual = usualConnections
	}
	s.read = s.openPools(usual/2, true)
	if !opts.ReadOnly {
		s.write = s.openPools(usual-usual/2, false)
	}
	return s.readClock(Urgent(ctx), s.read)
}

// openPools makes pools of one kind, the usual one of at most n connections.
func (s *Store) openPools(n int, readOnly bool) pools {
	open := func(n int) *sql.DB { return s.config.open(n, readOnly, &s.db) }
	return pools{usual: open(n), steps: open(reserved / 4), orders: open(reserved / 4), engine: postgresEngine, ahead: &s.ahead}
}

// parsePostgres reads a URL. Its errors never show the password.
func parsePostgres(url string) (pgConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return pgConfig{}, fmt.Errorf("database URL: %w", err)
	}
	if config.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return pgConfig{}, errors.New("database URL: the simple protocol is not used: it puts values into statements; leave out default_query_exec_mode")
	}
	for key, value := range map[string]string{
		"application_name":                    "sluice",
		"timezone":                            "UTC",
		"statement_timeout":                   milliseconds(statementTimeout),
		"lock_timeout":                        milliseconds(statementTimeout - time.Second),
		"idle_in_transaction_session_timeout": milliseconds(2 * statementTimeout),
	} {
		if config.RuntimeParams[key] == "" {
			config.RuntimeParams[key] = value
		}
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &impatientConn{Conn: conn, patience: patience(config.RuntimeParams["statement_timeout"])}, nil
	}
	return pgConfig{config}, nil
}

// patience is how long a connection may say nothing, so that a statement which
// the URL gives more time is ended by the server and not by this end.
func patience(statement string) time.Duration {
	ms, err := strconv.Atoi(statement)
	if err != nil {
		return silenceTimeout
	}
	return max(silenceTimeout, time.Duration(ms)*time.Millisecond+silenceTimeout-statementTimeout)
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// open makes a pool of at most n connections, whose transactions hear the clock.
func (c pgConfig) open(n int, readOnly bool, clock *dbClock) *sql.DB {
	config := c.Copy()
	if readOnly {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	db := sql.OpenDB(clocked{stdlib.GetConnector(*config), clock})
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxLifetime(connectionMaxLife)
	return db
}

// openPatient makes a pool for statements that take their time: migrations.
func (c pgConfig) openPatient() *sql.DB {
	config := c.Copy()
	for _, key := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		config.RuntimeParams[key] = "0"
	}
	config.DialFunc = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	return stdlib.OpenDB(*config)
}

// postgresValue keeps times as timestamptz. A text of PostgreSQL holds no NUL
// and no invalid UTF-8: what a commit message or an instance's error has of it
// is left out.
func postgresValue(arg any) (driver.Value, bool) {
	switch v := arg.(type) {
	case stamp:
		if v.zero() {
			return nil, true
		}
		return v.time(), true
	case string:
		return cleanText(v), true
	case object:
		text, err := jsonText(v.v)
		if err != nil {
			return nil, false // the driver asks again, and tells
		}
		return withoutNUL(text), true
	}
	return nil, false
}

// withoutNUL leaves NULs out of JSON text. PostgreSQL keeps it with them, and then
// fails whoever asks for a field of it: one row would fail every look at all.
func withoutNUL(text string) string {
	const nul = `\u0000`
	if !strings.Contains(text, nul) {
		return text
	}
	var b strings.Builder
	for text != "" {
		escape := strings.IndexByte(text, '\\')
		if escape < 0 || escape+1 == len(text) {
			break
		}
		b.WriteString(text[:escape])
		if text = text[escape:]; strings.HasPrefix(text, nul) {
			text = text[len(nul):]
			continue
		}
		b.WriteString(text[:2]) // what is escaped begins no escape
		text = text[2:]
	}
	return b.String() + text
}

func cleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// What PostgreSQL's codes mean to a caller. Classes are the first two letters.
var (
	pgExists     = map[string]bool{"23505": true}
	pgConflict   = map[string]bool{"23503": true, "23514": true, "P0001": true}
	pgRepeat     = map[string]bool{"40001": true, "40P01": true, "55P03": true}
	pgAway       = map[string]bool{"57014": true, "57P01": true, "57P02": true, "57P03": true, "57P05": true, "25006": true, "25P03": true, "55P03": true}
	pgAwayClass  = map[string]bool{"08": true, "53": true, "58": true}
	pgSeverities = map[string]bool{"FATAL": true, "PANIC": true}
)

func explainPostgres(err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, context.Canceled) {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case pgExists[e.Code]:
			return fmt.Errorf("%w: %w", ErrExists, err)
		case pgConflict[e.Code]:
			return fmt.Errorf("%w: %w", ErrConflict, err)
		case postgresFull(err):
			return fmt.Errorf("%w: %w", ErrFull, err)
		case pgAway[e.Code] || len(e.Code) == 5 && pgAwayClass[e.Code[:2]] || pgSeverities[e.Severity]:
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	if lineBroken(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// lineBroken says that an error is of the connection and not of what was asked.
func lineBroken(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) || pgconn.Timeout(err)
}

func postgresRepeat(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgRepeat[e.Code]
}

// postgresAstray holds after a fail-over, when the server that was the primary is
// a standby: the next connection may find the new one.
func postgresAstray(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "25006"
}

// postgresFull holds when the server's disk is full, broken or only read from.
func postgresFull(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "53100" || e.Code == "58030" || e.Code == "25006")
}

// postgresDenied holds when the server itself said that a commit failed. A
// server that goes away in the middle of it says nothing of the outcome.
func postgresDenied(err error) bool {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return true
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && !pgSeverities[e.Severity]
}
