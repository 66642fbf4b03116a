package testenv

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// NewSentinel starts a Redis Sentinel that watches a master under a name and,
// alone as it is, names another one when it has been gone for half a second.
func NewSentinel(t testing.TB, name string, master *Redis) *Redis {
	t.Helper()
	port, err := freePort()
	must(t, err)
	host, masterPort, err := net.SplitHostPort(master.Addr())
	must(t, err)
	dir := t.TempDir()
	conf := filepath.Join(dir, "sentinel.conf") // the Sentinel writes to it too
	must(t, os.WriteFile(conf, fmt.Appendf(nil, `bind 127.0.0.1
port %d
sentinel monitor %[2]s %s %s 1
sentinel down-after-milliseconds %[2]s 500
sentinel failover-timeout %[2]s 5000
`, port, name, host, masterPort), 0o644))
	r := &Redis{server{
		name: "sentinel", program: master.program, dir: dir, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		args: []string{conf, "--sentinel"},
	}}
	r.ready = r.answers
	t.Cleanup(func() {
		if err := r.end(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
	must(t, r.start())
	return r
}
