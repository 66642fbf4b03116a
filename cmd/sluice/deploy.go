package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

const deployLong = `Roll out a version that the profile has already, by its strategy or another one.
What is under way for the profile is superseded.

A version that never completed on a profile cannot go Direct to Production;
--force breaks that glass, and a freeze and a deny window with it. It needs the
role Admin and a reason, and is kept in the audit log.`

func newDeployCommand(sh *shell) *cobra.Command {
	var req wire.CreateDeploymentRequest
	var strategy, health []string
	var watch bool
	cmd := &cobra.Command{
		Use:   "deploy PROFILE VERSION",
		Short: "Roll out a version that the profile has",
		Long:  deployLong,
		Example: `  sluice deploy payment-service.production 1.4.0 --watch
  sluice deploy payment-service.staging 1.4.0 --strategy Direct
  sluice deploy payment-service.production 1.4.0 --override 'steps=[50, 100]' --health errorRateThreshold=1`,
		Args: needs(2, "a profile and one of its versions: sluice deploy PROFILE VERSION (sluice get versions PROFILE lists them)"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, profileNames, versionNames)
	format := outputFlag(cmd)
	cmd.Flags().StringVar(&req.Strategy, "strategy", "", "Canary, Rolling, BlueGreen or Direct; otherwise as the profile says")
	cmd.Flags().StringArrayVar(&strategy, "override", nil, "a field of the strategy for this deployment, as FIELD=VALUE; may be given more than once (sluice explain strategy)")
	cmd.Flags().StringArrayVar(&health, "health", nil, "a field of the health section for this deployment, as FIELD=VALUE; may be given more than once (sluice explain health)")
	cmd.Flags().StringSliceVar(&req.TargetInstances, "instance", nil, "only to this instance; may be given more than once")
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why; kept in the audit log")
	cmd.Flags().BoolVar(&req.Force, "force", false, "break the glass; needs the role Admin and --reason")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "follow it until it ends")
	complete(cmd, "strategy", strategyWords)
	conn.completeFlag(cmd, "instance", instanceNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		if req.Force && strings.TrimSpace(req.Reason) == "" {
			return errors.New("--force needs --reason: breaking the glass is explained in the audit log")
		}
		for i, id := range req.TargetInstances {
			req.TargetInstances[i] = bare(id)
		}
		req.ConfigName, req.ConfigVersion = args[0], args[1]
		var err error
		if req.Config, err = overrides("--override", strategy); err != nil {
			return err
		}
		if req.HealthCheck, err = overrides("--health", health); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		d, err := r.c.CreateDeployment(cmd.Context(), req)
		if err != nil {
			return err
		}
		if err := sh.show(*format, deploymentStarted(d, watch)); err != nil || !watch {
			return err
		}
		w := &watcher{sh: sh, remote: r, tick: time.Second}
		if *format != formatTable && *format != formatWide {
			w.out = sh.stderr // standard output has its answer
		}
		return w.follow(cmd.Context(), d.ID)
	}
	return cmd
}

// overrides reads fields that were given as FIELD=VALUE, the value as in a
// profile's file; nil when there are none. What fields there are the daemon says.
func overrides(flag string, given []string) (json.RawMessage, error) {
	if len(given) == 0 {
		return nil, nil
	}
	fields := map[string]any{}
	for _, text := range given {
		field, value, ok := strings.Cut(text, "=")
		if !ok || strings.TrimSpace(field) == "" {
			return nil, fmt.Errorf("%s %q: wants FIELD=VALUE", flag, text)
		}
		read, err := profile.ParseData(flag, []byte("value: "+value))
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", flag, text, err)
		}
		fields[strings.TrimSpace(field)] = read["value"]
	}
	return json.Marshal(fields)
}

func deploymentStarted(d wire.Deployment, watched bool) listing {
	return listing{value: d, kind: "deployment", names: []string{d.ID}, text: func(look) string {
		text := fmt.Sprintf("%s %s is rolled out by %s to %s: %s\n", oneLine(d.ConfigName), oneLine(d.ConfigVersion),
			oneLine(d.Strategy), plural(d.Progress.Targets, "instance"), oneLine(d.Status))
		if !watched {
			text += "follow it: sluice watch " + oneLine(d.ID) + "\n"
		}
		return text
	}}
}
