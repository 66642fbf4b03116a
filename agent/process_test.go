package agent_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/agent"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/fakeserver"
)

// TestMain lets the test binary play a program with a file, or an agent that can be killed.
func TestMain(m *testing.M) {
	switch os.Getenv("PLAY") {
	case "program":
		playProgram(os.Getenv("PLAY_FILE"))
	case "agent":
		playAgent()
	default:
		os.Exit(m.Run())
	}
}

// playProgram loads its file at HUP and says so; it ends when its file is deadly.
func playProgram(file string) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	fmt.Println("ready")
	for range hup {
		raw, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(raw), "666") {
			os.Exit(1)
		}
		fmt.Println(strings.Join(strings.Fields(string(raw)), ""))
	}
}

func playAgent() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := agent.Run(ctx, agent.Options{
		File:         os.Getenv("PLAY_FILE"),
		CheckCommand: os.Getenv("PLAY_CHECK"),
		Reload:       agent.Reload{Command: os.Getenv("PLAY_RELOAD")},
		Session: client.SessionOptions{Server: os.Getenv("PLAY_SERVER"), RegistrationToken: fakeserver.RegistrationToken,
			Service: "payment", Environment: "Production", Hostname: "host-1", Logger: fakeserver.Quiet()},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is a started one with its lines of output.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func play(t *testing.T, role string, env ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, "PLAY="+role)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return &process{cmd, bufio.NewScanner(out)}
}

func (p *process) line(t *testing.T, want string) {
	t.Helper()
	if !p.lines.Scan() || p.lines.Text() != want {
		t.Errorf("program says %q, want %q", p.lines.Text(), want)
	}
}

func TestReloadBySignal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := play(t, "program", "PLAY_FILE="+b.opts.File)
	p.line(t, "ready")
	b.write("pid", strconv.Itoa(p.cmd.Process.Pid)+"\nand more\n", 0o600)
	b.opts.Reload = agent.Reload{Signal: "SIGHUP", PIDFile: b.path("pid")}
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	b.f.UntilAck(1, true)
	p.line(t, `{"n":1}`)
	b.f.Assign(assigned("1.0.1", 2, 2))
	b.f.UntilAck(2, true)
	p.line(t, `{"n":2}`)
	b.f.Assign(assigned("1.0.2", 3, 666)) // the program cannot live with this one
	if ack := b.f.UntilAck(3, false); !strings.Contains(ack.Error, "ended after the signal") {
		t.Errorf("reason %q", ack.Error)
	}
	b.want("app.json", fileOf(2))
}

func TestReloadByNameOfTheProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name := fmt.Sprintf("sluice-p%d", os.Getpid())
	if err := os.Symlink(os.Args[0], b.path(name)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(b.path(name))
	cmd.Env = append(os.Environ(), "PLAY=program", "PLAY_FILE="+b.opts.File)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := &process{cmd, bufio.NewScanner(out)}
	p.line(t, "ready")
	b.opts.Reload = agent.Reload{Signal: "HUP", Process: name}
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	b.f.UntilAck(1, true)
	p.line(t, `{"n":1}`)
}

// killed waits for the agent to end by SIGKILL.
func killed(t *testing.T, p *process) {
	t.Helper()
	_ = p.cmd.Wait() // its error is the signal that is looked at
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("agent ended with %s", p.cmd.ProcessState)
	}
}

func TestAgentKilledBetweenWriteAndAcknowledgement(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.json", fileOf(0), 0o600)
	b.f.Assign(assigned("1.0.0", 1, 1))
	env := []string{"PLAY_SERVER=" + b.f.URL(), "PLAY_FILE=" + b.opts.File}
	killed(t, play(t, "agent", append(env, "PLAY_RELOAD=kill -9 $PPID")...))
	b.want("app.json", fileOf(1))
	b.f.Until("no acknowledgement", func() bool { return len(b.f.Acks) == 0 })

	second := play(t, "agent", append(env, "PLAY_RELOAD=cat $SLUICE_FILE >> "+b.path("loaded"))...)
	b.f.UntilAck(1, true)
	b.want("app.json", fileOf(1))
	b.want("loaded", fileOf(1)) // whether the program had loaded it was not known
	b.f.Until("the same instance", func() bool { return len(b.f.Registers) == 1 })
	if err := second.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := second.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM the agent ended with %v", err)
	}
}

func TestAgentKilledBeforeItCouldPutTheFormerFileBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.json", fileOf(0), 0o600)
	b.f.Assign(assigned("1.0.0", 1, 666))
	env := []string{"PLAY_SERVER=" + b.f.URL(), "PLAY_FILE=" + b.opts.File}
	killed(t, play(t, "agent", append(env, "PLAY_RELOAD=kill -9 $PPID")...))
	b.want("app.json", fileOf(666))
	play(t, "agent", append(env, "PLAY_RELOAD=! grep 666 $SLUICE_FILE")...)
	b.f.UntilAck(1, false)
	b.want("app.json", fileOf(0))
}

func TestAgentKilledWhileItChecks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.json", fileOf(0), 0o600)
	b.f.Assign(assigned("1.0.0", 1, 1))
	env := []string{"PLAY_SERVER=" + b.f.URL(), "PLAY_FILE=" + b.opts.File}
	killed(t, play(t, "agent", append(env, "PLAY_CHECK=kill -9 $PPID")...))
	b.want("app.json", fileOf(0))
	play(t, "agent", append(env, "PLAY_CHECK=true")...)
	b.f.UntilAck(1, true)
	b.want("app.json", fileOf(1))
	b.noLeftovers()
}
