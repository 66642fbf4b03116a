package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

func newWhoamiCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Say as whom commands speak, to which server, and what chose both",
		Args:  nothing,
	}
	conn := connected(sh, cmd)
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		who, err := r.c.Identity(cmd.Context())
		if err != nil {
			return err
		}
		return sh.show(*format, listing{value: who, kind: who.Kind, names: []string{who.Name}, text: func(l look) string {
			return drawIdentity(who, *conn.found, l)
		}})
	}
	return cmd
}

func drawIdentity(who wire.Identity, at destination, l look) string {
	out := &sheet{l: l}
	out.head(who.Name, who.Role, cyan)
	out.say("server", at.Server+" ("+at.from+")")
	out.say("signed in by", who.Kind+", from "+at.tokenFrom)
	out.say("environments", strings.Join(who.Environments, ", "))
	out.say("profiles", strings.Join(who.Profiles, ", "))
	return out.b.String()
}
