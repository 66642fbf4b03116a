package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/demo"
)

const demoLong = `Show the whole way on this machine, with nothing pretended: a Git repository, the
daemon, twelve agents beside twelve small services under load.

A good change goes out in steps; a bad one is caught and taken back; the fix ends
the hold; a broken file stops nothing else; an emergency rollback; kill -9 in
the middle of a canary. It ends by itself within about a minute, with exit code
0 only if every outcome was as it should be.

With --database-url it shows a cluster: two replicas behind a balancer, and the
kill hits the one that is at the deployment at that moment.`

func newDemoCommand(sh *shell) *cobra.Command {
	var keep bool
	var dir, databaseURL, redisURL string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a canary, a rollback and a crash on this machine",
		Long:  demoLong,
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			binary, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			inside := func() look { // the demo indents what it shows
				l := sh.lookOf(sh.stdout)
				l.Width -= 2
				return l
			}
			err = demo.Run(cmd.Context(), demo.Options{
				Binary: binary, Dir: dir, Keep: keep, DatabaseURL: databaseURL, RedisURL: redisURL, Out: sh.stdout,
				Look: demo.Look{
					Live: sh.onTerminal(sh.stdout), Unicode: sh.utf8(),
					Draw: func(d wire.Deployment) string { return drawDeployment(d, inside()) },
					Line: func(d wire.Deployment) string { return drawLine(d, inside()) },
				},
			})
			if errors.Is(err, demo.ErrNotSo) {
				return notSo(err)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave everything running at the end, until Ctrl-C")
	cmd.Flags().StringVar(&databaseURL, "database-url", "", "PostgreSQL database to run two replicas on, in a schema that is removed at the end; empty is one daemon on the embedded database")
	cmd.Flags().StringVar(&redisURL, "redis-url", "", "Redis that the replicas share")
	cmd.Flags().StringVar(&dir, "dir", "", "keep the repository, the database and the instances in this folder")
	return cmd
}
