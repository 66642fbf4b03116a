package main

import (
	"github.com/spf13/cobra"
)

// The groups of the help page.
const (
	groupRun    = "run"
	groupFiles  = "files"
	groupLook   = "look"
	groupAct    = "act"
	groupAccess = "access"
	groupOther  = "other"
)

const rootLong = `Sluice rolls out application configuration from Git: merge a change, and it
reaches the running services a few instances at a time, is watched, is rolled
back if it hurts, and the commit is told what happened.

Exit codes: 0 done, or so; 1 the thing asked about is not so (problems were
found, the deployment failed); others say why there is no answer, see
sluice help exit-codes. sluice help environment has the variables and files.`

// newRootCommand puts every command together.
func newRootCommand(sh *shell) *cobra.Command {
	root := &cobra.Command{
		Use:     "sluice",
		Short:   "Progressive delivery of application configuration from Git",
		Long:    rootLong,
		Version: programVersion(),
		// An error is one line and what to do next, not a page of usage.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(unknownFlag)
	root.SetIn(sh.stdin)
	root.SetOut(sh.stdout)
	root.SetErr(sh.stderr)
	root.PersistentFlags().Var(&sh.color, "color", "colour output: auto, always or never")
	complete(root, "color", func(string) []string { return colourings() })
	root.SetVersionTemplate("sluice {{.Version}}\n")
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run:"},
		&cobra.Group{ID: groupFiles, Title: "Check files, without a daemon:"},
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupAct, Title: "Act:"},
		&cobra.Group{ID: groupAccess, Title: "Access:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)

	grouped := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	grouped(groupRun, newServeCommand(sh), newHealthcheckCommand(sh), newAgentCommand(), newDemoCommand(sh))
	grouped(groupFiles, newValidateCommand(sh), newDiffCommand(sh), newExplainCommand(sh))
	grouped(groupLook, newGetCommand(sh), newDescribeCommand(sh), newWatchCommand(sh), newHealthCommand(sh), newHistoryCommand(sh), newReportCommand(sh), newStatusCommand(sh),
		newAuditCommand(sh))
	grouped(groupAct, newRollbackCommand(sh), newDeployCommand(sh), newConfigCommand(sh), newSchemaCommand(sh), newReleaseCommand(sh), newPauseCommand(sh), newResumeCommand(sh),
		newPromoteCommand(sh), newCancelCommand(sh), newRetryCommand(sh), newFreezeCommand(sh), newUnfreezeCommand(sh),
		newSyncCommand(sh), newDeregisterCommand(sh))
	grouped(groupAccess, newLoginCommand(sh), newLogoutCommand(sh), newUserCommand(sh), newTokenCommand(sh), newContextCommand(sh), newWhoamiCommand(sh))
	grouped(groupOther, newMigrateCommand(sh), newBackupCommand(sh),
		newRestoreCommand(sh), newNotifyCommand(sh), newSecretsCommand(sh), newSnapshotCommand(sh), newLoggingCommand(sh), newVersionCommand(sh))
	root.AddCommand(newHelpTopics()...)
	prepare(sh, root)
	return root
}
