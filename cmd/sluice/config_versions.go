package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

func newConfigUpload(conn *connection) *cobra.Command {
	var req wire.UploadRequest
	cmd := &cobra.Command{
		Use:   "upload NAME FILE",
		Short: "Upload a version of a profile's data; nothing is deployed by it",
		Long: `Upload a version of a profile's data from a file, JSON or YAML, at most 1 MiB; -
is standard input. It is checked by the profile's schema first. Without --version
the number follows from what changed: a key removed or of another type is major,
a key added minor, a value changed patch.`,
		Example: `  sluice config upload payment-service.staging payment.yaml
  sluice config upload payment-service.staging payment.json --version 2.0.0 --tag lts`,
		Args: needs(2, "a profile and a file: sluice config upload NAME FILE"),
	}
	cmd.Flags().StringVar(&req.Version, "version", "", "its semantic version, above the newest one")
	cmd.Flags().StringVar(&req.Description, "description", "", "what it changes")
	cmd.Flags().StringSliceVar(&req.Tags, "tag", nil, "a tag, such as stable; may be given more than once")
	cmd.Flags().StringToStringVar(&req.Metadata, "metadata", nil, "more about it, as key=value; may be given more than once")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := conn.sh.dataFile(args[1])
		if err != nil {
			return err
		}
		if req.ConfigData, err = json.Marshal(data); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		v, err := r.c.UploadVersion(cmd.Context(), args[0], req)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "%s %s is uploaded, %d bytes\ndeploy it: sluice deploy %s %s\n",
			oneLine(v.ConfigName), oneLine(v.Version), v.SizeBytes, oneLine(v.ConfigName), oneLine(v.Version))
		return err
	}
	return cmd
}

func newConfigTag(conn *connection) *cobra.Command {
	var remove []string
	cmd := &cobra.Command{
		Use:   "tag NAME VERSION [TAG...]",
		Short: "Tag a version, or take tags away",
		Long: `Tag a version, or take tags away. A version with the tag stable is never removed.
Without a tag it says which there are.`,
		Example: `  sluice config tag payment-service.production 1.4.0 stable
  sluice config tag payment-service.production 1.3.0 --remove stable`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("needs a profile and one of its versions: sluice config tag NAME VERSION TAG")
			}
			return nil
		},
	}
	conn.completes(cmd, profileNames, versionNames)
	cmd.Flags().StringSliceVar(&remove, "remove", nil, "a tag to take away; may be given more than once")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		v, err := r.c.Version(cmd.Context(), args[0], args[1])
		if err != nil {
			return err
		}
		tags := retagged(v.Tags, args[2:], remove)
		if !slices.Equal(tags, v.Tags) {
			if v, err = r.c.PatchVersion(cmd.Context(), args[0], args[1], wire.VersionPatch{Tags: &tags}); err != nil {
				return err
			}
		}
		said := "no tags"
		if len(v.Tags) > 0 {
			said = "the tags " + strings.Join(v.Tags, ", ")
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "%s %s has %s\n", oneLine(v.ConfigName), oneLine(v.Version), oneLine(said))
		return err
	}
	return cmd
}

// retagged are the tags with some more and without others, each once.
func retagged(tags, add, remove []string) []string {
	out := []string{}
	for _, tag := range slices.Concat(tags, add) {
		if !slices.Contains(out, tag) && !slices.Contains(remove, tag) {
			out = append(out, tag)
		}
	}
	return out
}

func newConfigDeprecate(conn *connection) *cobra.Command {
	var reason string
	var undo bool
	cmd := &cobra.Command{
		Use:   "deprecate NAME VERSION --reason TEXT",
		Short: "Say that a version is not to be deployed any more",
		Long: `Say that a version is not to be deployed any more. Where it runs it stays, and a
rollback may still go to it. --undo takes it back.`,
		Args: needs(2, "a profile and one of its versions: sluice config deprecate NAME VERSION --reason TEXT"),
	}
	conn.completes(cmd, profileNames, versionNames)
	cmd.Flags().StringVar(&reason, "reason", "", "why (required)")
	cmd.Flags().BoolVar(&undo, "undo", false, "take it back")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if undo == (strings.TrimSpace(reason) != "") {
			return errors.New("needs --reason, or --undo to take it back")
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		v, err := r.c.PatchVersion(cmd.Context(), args[0], args[1], wire.VersionPatch{Deprecated: &reason})
		if err != nil {
			return err
		}
		said := "is deprecated: " + v.Deprecated
		if undo {
			said = "is not deprecated any more"
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "%s %s %s\n", oneLine(v.ConfigName), oneLine(v.Version), oneLine(said))
		return err
	}
	return cmd
}

func newConfigDeleteVersion(conn *connection) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete-version NAME VERSION",
		Short: "Remove a version that nothing refers to",
		Long: `Remove a version and the deployments of it that ended. It is refused while the
version runs anywhere, is held, is tagged stable, or is where a rollback would go.
Needs the role Admin.`,
		Args: needs(2, "a profile and one of its versions: sluice config delete-version NAME VERSION"),
	}
	conn.completes(cmd, profileNames, versionNames)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		if err := conn.sh.sure(yes, "Remove version "+oneLine(args[1])+" of "+oneLine(args[0])+" for good? [y/N] "); err != nil {
			return err
		}
		if err := r.c.DeleteVersion(cmd.Context(), args[0], args[1]); err != nil {
			return err
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "version %s of %s is removed\n", oneLine(args[1]), oneLine(args[0]))
		return err
	}
	return cmd
}
