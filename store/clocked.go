package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// clocked makes connections whose transactions begin with a look at the server's
// clock, in the same round trip: every transaction needs it.
type clocked struct {
	driver.Connector
	clock *dbClock
}

// Connect makes a connection.
func (c clocked) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &clockedConn{conn.(*stdlib.Conn), c.clock}, nil
}

// plain is named so that embedding it hides nothing of it.
type plain = stdlib.Conn

type clockedConn struct {
	*plain
	clock *dbClock
}

const beginAndClock = `begin; select (extract(epoch from clock_timestamp()) * 1000000)::bigint`

// BeginTx begins a transaction and hears the clock.
func (c *clockedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if opts.ReadOnly || opts.Isolation != driver.IsolationLevel(sql.LevelDefault) {
		return c.plain.BeginTx(ctx, opts)
	}
	conn := c.Conn()
	if conn.IsClosed() {
		return nil, driver.ErrBadConn
	}
	said, err := beginTx(ctx, conn)
	if err != nil {
		giveUp(conn)
		return nil, err
	}
	c.clock.set(said)
	return clockedTx{ctx, conn}, nil
}

func beginTx(ctx context.Context, conn *pgx.Conn) (said time.Time, err error) {
	results, err := conn.PgConn().Exec(ctx, beginAndClock).ReadAll()
	if err != nil {
		return said, err
	}
	if len(results) != 2 || len(results[1].Rows) != 1 {
		return said, errors.New("the server did not say what time it is")
	}
	micros, err := strconv.ParseInt(string(results[1].Rows[0][0]), 10, 64)
	if err != nil {
		return said, fmt.Errorf("read the server's clock: %w", err)
	}
	return time.UnixMicro(micros), nil
}

// giveUp closes a connection that may be in the middle of something.
func giveUp(conn *pgx.Conn) {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	conn.Close(now) //nolint:errcheck // whatever it says, the connection is used no more
}

// clockedTx is a transaction that beginAndClock began.
type clockedTx struct {
	ctx  context.Context //nolint:containedctx // database/sql ends a transaction without one
	conn *pgx.Conn
}

// over says that the transaction has ended: endBehind sent COMMIT with the last that it wrote.
func (t clockedTx) over() bool { return !t.conn.IsClosed() && t.conn.PgConn().TxStatus() == 'I' }

// Commit ends it; pgx.ErrTxCommitRollback when the server rolled it back instead.
func (t clockedTx) Commit() error {
	if t.over() {
		return nil
	}
	tag, err := t.conn.Exec(t.ctx, "commit")
	switch {
	case err != nil && t.conn.PgConn().TxStatus() != 'I':
		giveUp(t.conn)
	case err == nil && tag.String() == "ROLLBACK":
		err = pgx.ErrTxCommitRollback
	}
	return err
}

// Rollback ends it.
func (t clockedTx) Rollback() error {
	if t.over() {
		return nil
	}
	_, err := t.conn.Exec(t.ctx, "rollback")
	if err != nil {
		giveUp(t.conn)
	}
	return err
}
