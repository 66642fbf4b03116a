package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// Ports that tests give to servers that cannot choose one for themselves: below
// those that kernels give to outgoing connections and to listeners on port 0
// (from 32768 on Linux, 49152 elsewhere), so that no connection takes one
// between the choice and the server's start.
const (
	firstPort = 15000
	lastPort  = 31999
)

// claims are the locked files of this process's ports. They stay open until it
// ends: no test of another package, side by side with this one, gets the same.
var claims struct {
	sync.Mutex
	files []*os.File
}

// FreePort is a TCP port of the loopback that nobody listens on, and that no
// other test gets while this process lives. Servers that can take port 0 should.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	must(t, err)
	return port
}

func freePort() (int, error) {
	claims.Lock()
	defer claims.Unlock()
	folder := filepath.Join("/tmp", "sluice-test-ports-"+strconv.Itoa(os.Getuid())) // of the machine, whatever TMPDIR a run has: so are ports
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return 0, err
	}
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		claim, err := claimed(filepath.Join(folder, strconv.Itoa(port)))
		if err != nil {
			return 0, err
		}
		if claim == nil {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil { // somebody who knows nothing of claims
			_ = claim.Close() // nothing was written to it
			continue
		}
		claims.files = append(claims.files, claim)
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port of 127.0.0.1 between %d and %d in 200 tries", firstPort, lastPort)
}

// claimed locks a port's file for as long as it is open; nil when another
// process, or this one, has it.
func claimed(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close() // nothing was written to it
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}
