package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childEnv makes this program one of the servers that are measured: each in a process of its own, so
// that its memory is its own and its clients' work is nobody's.
const childEnv = "SLUICE_BENCH_CHILD"

// children are what it can be.
var children = map[string]func(ctx context.Context) (serving, error){"bare": bareServer, "sluice": sluiceServer, "readers": readersProcess, "syncer": syncer, "onlooker": onlooker}

// serving is a server, if it is one, and what it does at a command of the test: each gives a number,
// which for a time is its nanoseconds.
type serving struct {
	door     http.Handler
	commands map[string]command
}

type command func(ctx context.Context, data []byte) (int64, error)

// child runs this process as a server until its standard input ends.
func child(name string) int {
	if err := serveChild(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveChild(name string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := children[name](ctx)
	if err != nil {
		return err
	}
	control := http.NewServeMux()
	for name, do := range s.commands {
		control.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			data, err := io.ReadAll(r.Body)
			var result int64
			if err == nil {
				result, err = do(r.Context(), data)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, result)
		})
	}
	control.HandleFunc("POST /memory", func(w http.ResponseWriter, _ *http.Request) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprint(w, m.HeapInuse+m.StackInuse)
	})
	control.HandleFunc("POST /processor", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, processorTime().Microseconds()) })
	control.HandleFunc("POST /resident", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		fmt.Fprint(w, residentKB())
	})
	if err := profiled(name); err != nil {
		return err
	}
	ports := []int{}
	for _, h := range []http.Handler{s.door, control} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
		go http.Serve(listener, h) //nolint:errcheck,gosec // it serves until the process ends
	}
	if err := json.NewEncoder(os.Stdout).Encode(ports); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	pprof.StopCPUProfile()
	return nil
}

// profilesEnv names a folder for profiles of what each server did.
const profilesEnv = "SLUICE_BENCH_PROFILES"

func profiled(name string) error {
	dir := os.Getenv(profilesEnv)
	if dir == "" {
		return nil
	}
	file, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.cpu", name, os.Getpid())))
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(file)
}

// process is a child from outside.
type process struct {
	t             testing.TB
	door, control string // host:port
}

// startChild starts a server that ends with the test.
func startChild(t testing.TB, name string, env ...string) *process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(append(os.Environ(), childEnv+"="+name), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait() //nolint:errcheck // how it ended tells nothing any more
	})
	var ports []int
	if err := json.NewDecoder(out).Decode(&ports); err != nil {
		t.Fatalf("the %s server does not say where it is: %v", name, err)
	}
	return &process{t: t, door: fmt.Sprintf("127.0.0.1:%d", ports[0]), control: fmt.Sprintf("127.0.0.1:%d", ports[1])}
}

// do has the child carry a command out.
func (p *process) do(command, body string) int64 {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+p.control+"/"+command, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s %s, %v", command, res.Status, text, err)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// residentKB is what the machine gives this process of its memory, in KiB.
func residentKB() int64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// processorTime is how long this process has kept processors busy.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// processorMS is the same of a child, in milliseconds.
func (p *process) processorMS() float64 { return float64(p.do("processor", "")) / 1000 }

// residentKB is what the limit of a container is held against, after a collection.
func (p *process) residentKB() float64 { return float64(p.do("resident", "")) }

// memoryKB is what its heap and its stacks take, in KiB.
func (p *process) memoryKB() float64 { return float64(p.do("memory", "")) / 1024 }
