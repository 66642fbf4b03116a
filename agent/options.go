package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/client"
)

// Options says what the agent does. The zero value of every duration has a default.
type Options struct {
	// Session describes the instance and its server. Its Health is the agent's own, and its StateDir
	// is a directory beside File (.NAME.sluice) when empty.
	Session client.SessionOptions
	// Profile is the profile to bring; the first one assigned when empty.
	Profile string

	File     string      // that is written
	Format   Format      // of the file; by its extension when empty
	Template string      // file with the template of FormatTemplate
	Mode     fs.FileMode // of the file; 0 keeps that of the present file, 0640 for a new one

	// CheckCommand is run by sh -c with SLUICE_FILE naming the new file before it takes its place;
	// anything but exit code 0 refuses the configuration.
	CheckCommand string
	CheckTimeout time.Duration // 10 s

	Reload Reload
	Probe  Probe

	// AppConfigListen is an address of this machine, such as 127.0.0.1:2772, where what was applied is
	// served at the path of AWS AppConfig's agent; "" for none.
	AppConfigListen string
}

// Reload says how the program is told to load its file. At most one way is given; without any, the
// program is expected to watch the file.
type Reload struct {
	Signal  string // such as HUP, to the process that PIDFile or Process names
	PIDFile string
	Process string // name of the program, as in /proc/PID/comm
	Command string // run by sh -c with SLUICE_FILE naming the file
	URL     string // that gets a POST and answers 2xx when the file is loaded

	Timeout time.Duration // of the whole, 10 s
}

// Probe says where the program's health is read.
type Probe struct {
	HealthURL  string        // 2xx is Healthy
	MetricsURL string        // in the Prometheus text format
	Timeout    time.Duration // of each, 3 s

	RequestsMetric string // counter, http_requests_total
	// ErrorsMetric is a counter of errors; when empty, errors are the requests whose label code,
	// status or status_code (or ErrorsLabel) begins with 5.
	ErrorsMetric  string
	ErrorsLabel   string
	LatencyMetric string // histogram, http_request_duration_seconds
	// LatencyUnit is s or ms; by the metric's name when empty: ms for ..._ms and ..._milliseconds.
	LatencyUnit string
}

func (o Options) withDefaults() (Options, error) {
	if o.File == "" {
		return o, errors.New("no file to write is given: --file names it")
	}
	file, err := filepath.Abs(o.File)
	if err != nil {
		return o, fmt.Errorf("file: %w", err)
	}
	o.File = file
	if o.Format == "" {
		o.Format = formatOf(o.File, o.Template)
	}
	switch {
	case !o.Format.valid():
		return o, fmt.Errorf("format %q: want json, yaml, toml, env or template", o.Format)
	case (o.Format == FormatTemplate) != (o.Template != ""):
		return o, errors.New("format template and a template file go together")
	case o.Mode&^fs.ModePerm != 0:
		return o, fmt.Errorf("mode %#o: only permissions can be given", o.Mode)
	}
	o.CheckTimeout = or(o.CheckTimeout, 10*time.Second)
	if o.Reload, err = o.Reload.withDefaults(); err != nil {
		return o, fmt.Errorf("reload: %w", err)
	}
	if o.Probe, err = o.Probe.withDefaults(); err != nil {
		return o, err
	}
	if o.Session.Bootstrap.From != "" && o.Profile == "" {
		return o, errors.New("bootstrap: name the profile too: which one is assigned only the server can say")
	}
	if o.Session.StateDir == "" {
		o.Session.StateDir = filepath.Join(filepath.Dir(o.File), "."+filepath.Base(o.File)+".sluice")
	}
	if o.Session.Logger == nil {
		o.Session.Logger = slog.Default()
	}
	if o.Session.UserAgent == "" {
		o.Session.UserAgent = "sluice-agent"
	}
	return o, nil
}

func (r Reload) withDefaults() (Reload, error) {
	r.Timeout = or(r.Timeout, 10*time.Second)
	ways := 0
	for _, way := range []string{r.Signal, r.Command, r.URL} {
		if way != "" {
			ways++
		}
	}
	if ways > 1 {
		return r, errors.New("give one of signal, command and URL")
	}
	if r.Signal != "" {
		if _, err := parseSignal(r.Signal); err != nil {
			return r, err
		}
		if (r.PIDFile == "") == (r.Process == "") {
			return r, errors.New("a signal needs either a pid file or the name of the process")
		}
	} else if r.PIDFile != "" || r.Process != "" {
		return r, errors.New("a pid file or process is of use with a signal only")
	}
	return r, checkURL(r.URL)
}

func (p Probe) withDefaults() (Probe, error) {
	p.Timeout = or(p.Timeout, 3*time.Second)
	if p.RequestsMetric == "" {
		p.RequestsMetric = "http_requests_total"
	}
	if p.LatencyMetric == "" {
		p.LatencyMetric = "http_request_duration_seconds"
	}
	switch p.LatencyUnit {
	case "", "s", "ms":
	default:
		return p, fmt.Errorf("latency unit %q: want s or ms", p.LatencyUnit)
	}
	if err := checkURL(p.HealthURL); err != nil {
		return p, fmt.Errorf("health: %w", err)
	}
	if err := checkURL(p.MetricsURL); err != nil {
		return p, fmt.Errorf("metrics: %w", err)
	}
	return p, nil
}

func checkURL(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("not a URL: want http:// or https:// and a host") // the parser's error would repeat what may hold a password
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("URL %s: want http or https and a host", u.Redacted())
	}
	return nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// readTemplate reads the template at each use, so that a changed one works from the next
// configuration on.
func readTemplate(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	return string(raw), nil
}
