package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

const rollbackLong = `Bring every instance back to an earlier version, at once, and put the profile on
hold: what was rolled back is refused until other content is merged or
sluice release ends the hold. Needs the database and the instances, nothing else.

On a terminal it shows what will happen, asks for the reason where none is given,
and then whether to go on; --yes does not ask. Without a terminal it needs --yes
and --reason. --dry-run only shows. Then it follows the deployment until every
instance is back; --no-wait returns at once.

Exit code 0 when every instance is back (with --no-wait: when it is accepted), 1
when it ended any other way or the question was answered with no.`

// previewTime is how long what will happen may take to be read. In an emergency
// a late answer is worth less than going on.
const previewTime = 5 * time.Second

type rollbackOptions struct {
	reason, to          string
	yes, dryRun, noWait bool
	format              string
}

func newRollbackCommand(sh *shell) *cobra.Command {
	var o rollbackOptions
	cmd := &cobra.Command{
		Use:   "rollback PROFILE|DEPLOYMENT",
		Short: "Bring every instance back to an earlier version, at once",
		Long:  rollbackLong,
		Example: `  sluice rollback payment-service.production
  sluice rollback payment-service.production --dry-run
  sluice rollback payment-service.production --to 1.2.0 --reason "checkout is slow" --yes`,
		Args: needs(1, "a profile or a deployment: sluice rollback PROFILE"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, deploymentOrProfileNames)
	format := outputFlag(cmd)
	cmd.Flags().StringVar(&o.reason, "reason", "", "why; kept in the audit log and shown with the hold")
	cmd.Flags().StringVar(&o.to, "to", "", "version to go back to; otherwise the last that completed")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not show and ask first")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "only show what would happen")
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "do not follow it until every instance is back")
	conn.completeFlag(cmd, "to", versionNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.format = *format
		if err := o.check(sh, args[0]); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		b := &rollback{sh: sh, remote: r, destination: *conn.found, target: args[0], o: o}
		return b.run(cmd.Context())
	}
	return cmd
}

// check refuses what cannot be right before anything is asked for.
func (o rollbackOptions) check(sh *shell, target string) error {
	if err := checkFormat(o.format); err != nil {
		return err
	}
	reasoned := strings.TrimSpace(o.reason) != ""
	asking := sh.onTerminal(sh.stdin) && !o.yes
	switch {
	case o.to != "" && isDeployment(target):
		return errors.New("--to goes with a profile: a deployment's rollback goes back to where it came from")
	case o.dryRun, asking:
		return nil
	case !reasoned && !o.yes:
		return errors.New("needs --yes and --reason: there is no terminal to ask on; --dry-run shows what would happen")
	case !reasoned:
		return errors.New("needs --reason: it is kept in the audit log and shown with the hold")
	case !o.yes:
		return errors.New("needs --yes: there is no terminal to ask on; --dry-run shows what would happen")
	}
	return nil
}

// rollback is one command under way.
type rollback struct {
	sh          *shell
	remote      remote
	destination destination
	target      string
	o           rollbackOptions
}

func (b *rollback) run(ctx context.Context) error {
	if b.o.dryRun {
		p, err := b.preview(ctx)
		if err != nil {
			return err
		}
		return b.sh.show(b.o.format, b.listing(ctx, p))
	}
	if !b.o.yes {
		if err := b.ask(ctx); err != nil {
			return err
		}
	}
	d, err := b.order(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(b.progress(), rollbackText(d, b.o.noWait))
	if b.o.noWait || client.Final(d.Status) {
		return b.end(ctx, d, wentBack(d))
	}
	return b.follow(ctx, d)
}

func (b *rollback) preview(ctx context.Context) (wire.RollbackPreview, error) {
	if isDeployment(b.target) {
		return b.remote.c.PreviewRollback(ctx, b.target)
	}
	return b.remote.c.PreviewRollbackConfig(ctx, b.target, b.o.to)
}

// ask shows what will happen, and asks for the reason and for leave. What will
// happen only informs: where it cannot be read, the rollback is still possible,
// but not where the daemon says that there is none.
func (b *rollback) ask(ctx context.Context) error {
	l := b.sh.lookOf(b.sh.stderr)
	soon, cancel := context.WithTimeout(ctx, previewTime)
	defer cancel()
	switch p, err := b.preview(soon); {
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted, err: errors.New("nothing was done")}
	case err == nil:
		fmt.Fprintln(b.sh.stderr, b.picture(soon, p, l))
	case definite(err):
		return err
	default:
		fmt.Fprintf(b.sh.stderr, "Rolls back %s on %s. What will happen could not be read: %s\n\n",
			oneLine(b.target), oneLine(b.destination.Server), oneLine(err.Error()))
	}
	if err := b.askReason(ctx); err != nil {
		return err
	}
	answer, err := b.sh.askUntil(ctx, "Go on? [y/N] ")
	if err != nil {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return notSo(errors.New("nothing was done"))
	}
	return nil
}

// definite says that the daemon knows, and that the order itself would be refused alike.
func definite(err error) bool {
	e, ok := errors.AsType[*client.APIError](err)
	return ok && e.Status < 500 && e.Status != 429 && e.Code != ""
}

func (b *rollback) askReason(ctx context.Context) error {
	for range 2 {
		if strings.TrimSpace(b.o.reason) != "" {
			return nil
		}
		answer, err := b.sh.askUntil(ctx, "Reason, for the audit log and whoever meets the hold: ")
		if err != nil {
			return err
		}
		b.o.reason = strings.TrimSpace(answer)
	}
	if b.o.reason == "" {
		return notSo(errors.New("a rollback needs a reason; nothing was done"))
	}
	return nil
}

func (b *rollback) order(ctx context.Context) (wire.Deployment, error) {
	if isDeployment(b.target) {
		return b.remote.c.RollbackDeployment(ctx, b.target, b.o.reason)
	}
	return b.remote.c.RollbackConfig(ctx, b.target, b.o.to, b.o.reason)
}

// progress is where the way is told: beside the answer, when that is for a program.
func (b *rollback) progress() interface{ Write([]byte) (int, error) } {
	if b.o.format == formatTable || b.o.format == formatWide {
		return b.sh.stdout
	}
	return b.sh.stderr
}

func (b *rollback) follow(ctx context.Context, d wire.Deployment) error {
	w := &watcher{sh: b.sh, remote: b.remote, tick: time.Second, out: b.progress()}
	err := w.follow(ctx, d.ID)
	end, ok := errors.AsType[*endError](err)
	if err != nil && !ok {
		return err
	}
	// A forward deployment that was turned round ends as RolledBack: that is what was asked for.
	if ok && (end.status == "RolledBack" || end.status == "Cancelled" && d.Kind != "Rollback") {
		err = nil
	}
	return b.end(ctx, d, err)
}

// end prints the deployment for a program.
func (b *rollback) end(ctx context.Context, d wire.Deployment, how error) error {
	if b.o.format == formatTable || b.o.format == formatWide {
		return how
	}
	if now, err := b.remote.c.Deployment(ctx, d.ID); err == nil {
		d = now
	}
	if err := b.sh.show(b.o.format, listing{value: d, kind: "deployment", names: []string{d.ID}}); err != nil {
		return err
	}
	return how
}

// wentBack judges a deployment that is not followed: one that ended badly at once is no success.
func wentBack(d wire.Deployment) error {
	if d.Status == "Failed" || d.Status == "Superseded" {
		return ended(d)
	}
	return nil
}

// rollbackText says what was set going.
func rollbackText(d wire.Deployment, noWait bool) string {
	back := d.ConfigVersion
	if d.Kind != "Rollback" {
		back = d.PreviousVersion
	}
	text := fmt.Sprintf("%s goes back to %s on %s: %s\n",
		oneLine(d.ConfigName), dash(oneLine(back)), plural(d.Progress.Targets, "instance"), oneLine(d.Status))
	if d.Status == "Cancelled" {
		text = fmt.Sprintf("%s %s had not begun: it is cancelled\n", oneLine(d.ConfigName), oneLine(d.ConfigVersion))
	} else if noWait {
		text += "follow it: sluice watch " + oneLine(d.ID) + "\n"
	}
	return text
}

func (b *rollback) listing(ctx context.Context, p wire.RollbackPreview) listing {
	return listing{value: p, kind: "profile", names: []string{p.ConfigName}, text: func(l look) string { return b.picture(ctx, p, l) }}
}

// picture says what will happen, with what is known of the two versions.
func (b *rollback) picture(ctx context.Context, p wire.RollbackPreview, l look) string {
	var from, to wire.Version
	var freeze wire.Freeze
	var wait sync.WaitGroup
	// Whatever of this does not come in time is left out.
	wait.Go(func() { from, _ = b.remote.c.Version(ctx, p.ConfigName, p.FromVersion) })
	wait.Go(func() { freeze, _ = b.remote.c.Freeze(ctx) })
	wait.Go(func() {
		if p.ToVersion != "" {
			to, _ = b.remote.c.Version(ctx, p.ConfigName, p.ToVersion)
		}
	})
	wait.Wait()
	from.Version, to.Version = p.FromVersion, p.ToVersion
	return drawRollback(p, from, to, freeze, b.destination, l)
}

// drawRollback draws what will happen. It is a function of its arguments alone.
func drawRollback(p wire.RollbackPreview, from, to wire.Version, freeze wire.Freeze, at destination, l look) string {
	var b strings.Builder
	head := oneLine(p.ConfigName) + "  " + dash(oneLine(p.FromVersion)) + " " + l.glyphs().arrow + " " + dash(oneLine(p.ToVersion))
	fmt.Fprintf(&b, "%s\n\n", l.paint(bold, head))
	say := func(word, text string) {
		for i, line := range l.wrap(text, max(30, l.Width-13)) {
			if i > 0 {
				word = ""
			}
			fmt.Fprintf(&b, "  %s  %s\n", l.paint(dim, pad(word, 9)), line)
		}
	}
	say("on", at.Server+" ("+at.from+")")
	say("from", l.versionLine(from))
	if p.ToVersion != "" {
		say("to", l.versionLine(to))
	}
	say("how", oneLine(p.Explanation))
	if p.Supersedes != "" {
		say("ends", "the deployment that is under way, "+oneLine(p.Supersedes))
	}
	if p.Hold != nil {
		say("hold", fmt.Sprintf("%s is refused until other content is merged or sluice release ends the hold", oneLine(p.FromVersion)))
	}
	if p.DesiredVersion != "" && p.DesiredVersion != p.ToVersion && from.Commit != "" {
		say("Git says", fmt.Sprintf("%s, and goes on saying so: revert it there too", oneLine(p.DesiredVersion)))
	}
	if freeze.Frozen {
		say("frozen", "by "+oneLine(freeze.Actor)+": "+oneLine(freeze.Reason)+"; a rollback goes on all the same")
	}
	b.WriteString(changesBlock(p, l))
	return b.String()
}

// versionLine says what a version is: whose, how old, and why it was made.
func (l look) versionLine(v wire.Version) string {
	if v.CreatedAt.IsZero() {
		return dash(oneLine(v.Version))
	}
	by := v.Author
	if by == "" {
		by = v.CreatedBy
	}
	text := oneLine(v.Version) + ", " + l.ago(v.CreatedAt)
	if by != "" {
		text += " by " + oneLine(by)
	}
	if v.Commit != "" {
		text += ", " + short(v.Commit)
	}
	if v.PullRequest > 0 {
		text += fmt.Sprintf(" #%d", v.PullRequest)
	}
	if message := firstLine(v.Message); message != "" {
		text += ": " + message
	}
	return text
}

// mostChanges is how many lines of a difference are shown before a question: it
// must still be on the screen.
const mostChanges = 20

func changesBlock(p wire.RollbackPreview, l look) string {
	if p.Changes == nil {
		return ""
	}
	lines := strings.SplitAfter(strings.TrimSuffix(changeLines(p.Changes.Diff), "\n"), "\n")
	if lines[0] == "" {
		return "\n  the data is the same\n"
	}
	rest := ""
	if len(lines) > mostChanges {
		rest = fmt.Sprintf("  %s %d more lines: sluice diff %s %s %s\n", l.glyphs().more, len(lines)-mostChanges,
			oneLine(p.ConfigName), oneLine(p.FromVersion), oneLine(p.ToVersion))
		lines = lines[:mostChanges]
	}
	var b strings.Builder
	b.WriteString("\n")
	for _, line := range lines {
		c := green
		if strings.HasPrefix(line, "-") {
			c = red
		}
		b.WriteString("  " + l.paint(c, l.cut(strings.TrimSuffix(line, "\n"), l.Width-2)) + "\n")
	}
	return b.String() + rest + "  " + l.paint(dim, diffSummary(*p.Changes)) + "\n"
}
