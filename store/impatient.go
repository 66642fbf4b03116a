package store

import (
	"net"
	"sync"
	"time"
)

// impatientConn gives up a connection whose other end says nothing for so long:
// a network that swallows packets breaks no connection by itself, and a
// statement's own timeout cannot come through it.
type impatientConn struct {
	net.Conn
	patience time.Duration

	mu       sync.Mutex
	deadline time.Time // that the driver set, which counts alone
}

// Read waits no longer than the patience lasts.
func (c *impatientConn) Read(p []byte) (int, error) {
	if err := c.arm(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write waits no longer than the patience lasts.
func (c *impatientConn) Write(p []byte) (int, error) {
	if err := c.arm(c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *impatientConn) arm(set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.deadline.IsZero() {
		return nil
	}
	return set(time.Now().Add(c.patience))
}

// SetDeadline is the driver's word; the zero time gives the patience its place again.
func (c *impatientConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline is the driver's word for reading.
func (c *impatientConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetReadDeadline(t)
}
