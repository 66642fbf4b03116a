package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel"

	"github.com/sluicehq/sluice/agent"
	"github.com/sluicehq/sluice/internal/telemetry"
)

// agentEnv is the prefix of the variables that stand for the agent's flags.
const agentEnv = "SLUICE_AGENT_"

func newAgentCommand() *cobra.Command {
	var opts agent.Options
	var sim simulationFlags
	var mode, logLevel, logFormat string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Bring a profile's configuration to a program beside it",
		Long: `Bring a profile's configuration to a program that knows nothing of Sluice: write it to a
file, make the program load it, and report how the program does.

Every flag is also a variable: --health-url is SLUICE_AGENT_HEALTH_URL. A flag wins.
The agent ends with exit code 0 on SIGTERM or an interrupt.

With --simulate it is many instances instead, which have no program behind them: for trying a server
and a strategy. Their health is as --behaviour says, and as --when says while the configuration that
they apply is of a kind.`,
		Example: `  sluice agent --service payment-service --environment Production --token-file token --file config.json --health-url http://127.0.0.1:8080/healthz
  sluice agent --service payment-service --environment Production --token-file token --simulate 1000 --when 'timeoutMs<100: errors=60,latency=2s'`,
		Args:          nothing,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := agentFlagsFromEnv(cmd.Flags(), os.LookupEnv); err != nil {
				return err
			}
			if mode != "" {
				m, err := strconv.ParseUint(mode, 8, 32)
				if err != nil || m == 0 || m > 0o777 {
					return fmt.Errorf("--mode %q: want an octal number such as 0640", mode)
				}
				opts.Mode = fs.FileMode(m)
			}
			log, err := agentLogger(cmd, logLevel, logFormat)
			if err != nil {
				return err
			}
			opts.Session.Logger = log
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, os.Interrupt)
			defer stop()
			if sim.instances != 0 {
				return sim.run(ctx, opts, cmd.ErrOrStderr())
			}
			return runAgent(ctx, opts)
		},
	}
	agentFlags(cmd.Flags(), &opts)
	sim.register(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&mode, "mode", "", "`mode` of the file, octal (default: the present file's, 0640 for a new one)")
	f.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&logFormat, "log-format", "json", "json or text")
	return cmd
}

// runAgent runs the agent with tracing set up by the standard OTEL_* variables, as the daemon does. An
// agent that exports nothing passes the trace of a change on as it came: a span of its own would be one
// that nobody finds.
func runAgent(ctx context.Context, opts agent.Options) (err error) {
	if !telemetry.Exports(os.Getenv) {
		return agent.Run(ctx, opts)
	}
	telemetry.LogErrors(opts.Session.Logger)
	tracing, err := telemetry.NewTracerProvider(ctx, os.Getenv, "sluice-agent", programVersion())
	if err != nil {
		return fmt.Errorf("set up tracing: %w", err)
	}
	otel.SetTracerProvider(tracing)
	otel.SetTextMapPropagator(telemetry.Propagator())
	defer func() { err = errors.Join(err, bounded(ctx, tracing.Shutdown)) }()
	return agent.Run(ctx, opts)
}

func agentFlags(f *pflag.FlagSet, o *agent.Options) {
	s := &o.Session
	f.StringVar(&s.Server, "server", "http://127.0.0.1:5000", "`URL` of the Sluice server")
	f.StringVar(&s.RegistrationToken, "token", "", "registration `token` (better: --token-file)")
	f.StringVar(&s.RegistrationTokenFile, "token-file", "", "`file` that holds the registration token")
	f.StringVar(&s.Service, "service", "", "`name` of the service")
	f.StringVar(&s.Environment, "environment", "", "Development, Staging or Production")
	f.StringToStringVar(&s.Labels, "label", nil, "label `key=value` of this instance; may be repeated")
	f.StringToStringVar(&s.Metadata, "metadata", nil, "metadata `key=value`, such as group=blue; may be repeated")
	f.StringVar(&s.Hostname, "hostname", "", "`name` of this instance's host (default: the system's)")
	f.IntVar(&s.Port, "port", 0, "`port` where the service listens")
	f.StringVar(&s.ServiceVersion, "service-version", "", "`version` of the service itself, for reports")
	f.StringVar(&s.StateDir, "state-dir", "", "`directory` for identity and last known good configuration (default: .NAME.sluice beside the file)")
	f.BoolVar(&s.Deregister, "deregister", false, "deregister the instance when the agent ends")
	f.DurationVar(&s.MinHeartbeat, "min-heartbeat", 0, "shortest heartbeat `interval`, whatever the server asks for (default 200ms)")
	f.DurationVar(&s.MaxHeartbeat, "max-heartbeat", 0, "longest heartbeat `interval` (default 1m)")

	b := &s.Bootstrap
	f.StringVar(&b.From, "bootstrap", "", "`directory` or URL of signed snapshots, to start from while the server is away and nothing is kept here; needs --profile")
	f.StringSliceVar(&b.Keys, "bootstrap-key", nil, "public `key` that snapshots must be signed by; may be repeated")
	f.DurationVar(&b.MaxAge, "bootstrap-max-age", 0, "`age` at which a snapshot is refused (default 168h)")

	f.StringVar(&o.Profile, "profile", "", "`name` of the profile (default: the first one assigned)")
	f.StringVar(&o.File, "file", "", "`path` of the file to write")
	f.StringVar((*string)(&o.Format), "format", "", "json, yaml, toml, env or template (default: by the file's ending)")
	f.StringVar(&o.Template, "template", "", "`file` with a Go text/template")
	f.StringVar(&o.CheckCommand, "check-command", "", "shell `command` that must accept $SLUICE_FILE before it takes its place")
	f.DurationVar(&o.CheckTimeout, "check-timeout", 0, "time for the check command (default 10s)")

	f.StringVar(&o.AppConfigListen, "appconfig-listen", "", "`address` of this machine where programs read what was applied as from AWS AppConfig's agent: 127.0.0.1:2772")

	r := &o.Reload
	f.StringVar(&r.Signal, "reload-signal", "", "`signal` that makes the program load the file, such as HUP")
	f.StringVar(&r.PIDFile, "pid-file", "", "`file` with the id of the process to signal")
	f.StringVar(&r.Process, "process", "", "`name` of the process to signal")
	f.StringVar(&r.Command, "reload-command", "", "shell `command` that makes the program load the file")
	f.StringVar(&r.URL, "reload-url", "", "`URL` to POST to, which answers 2xx when the file is loaded")
	f.DurationVar(&r.Timeout, "reload-timeout", 0, "time for a reload (default 10s)")

	p := &o.Probe
	f.StringVar(&p.HealthURL, "health-url", "", "`URL` that answers 2xx while the program is healthy")
	f.StringVar(&p.MetricsURL, "metrics-url", "", "`URL` of the program's Prometheus metrics")
	f.DurationVar(&p.Timeout, "probe-timeout", 0, "time for reading health or metrics (default 3s)")
	f.StringVar(&p.RequestsMetric, "requests-metric", "http_requests_total", "counter of requests")
	f.StringVar(&p.ErrorsMetric, "errors-metric", "", "counter of errors (default: requests by their status label)")
	f.StringVar(&p.ErrorsLabel, "errors-label", "", "label of the requests counter that begins with 5 for an error (default: code, status or status_code)")
	f.StringVar(&p.LatencyMetric, "latency-metric", "http_request_duration_seconds", "histogram of latencies")
	f.StringVar(&p.LatencyUnit, "latency-unit", "", "s or ms (default: by the histogram's name)")
}

// agentFlagsFromEnv gives each flag that was not set the value of its variable.
func agentFlagsFromEnv(f *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var errs []error
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed || flag.Name == "help" {
			return
		}
		name := agentEnv + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		value, ok := lookup(name)
		if !ok || value == "" {
			return
		}
		if err := f.Set(flag.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: not valid for --%s", name, flag.Name)) // the value may be a secret
		}
	})
	return errors.Join(errs...)
}

func agentLogger(cmd *cobra.Command, level, format string) (*slog.Logger, error) {
	l, err := telemetry.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	if format != "json" && format != "text" {
		return nil, fmt.Errorf("--log-format %q: want json or text", format)
	}
	return telemetry.NewLogger(cmd.ErrOrStderr(), format, telemetry.NewLevels(l)), nil
}
