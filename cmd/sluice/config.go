package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

func newConfigCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use:   "config",
		Short: "Make, change and delete profiles that no Git source manages, and upload their versions",
		Long: `Make, change and delete profiles that no Git source manages, and upload their
versions. Uploading deploys nothing: sluice deploy does.

A profile that a source manages is changed in Git; its versions can be tagged and
deprecated here all the same.`,
	})
	conn := connected(sh, cmd)
	cmd.AddCommand(newConfigCreate(conn), newConfigUpdate(conn), newConfigDelete(conn),
		newConfigUpload(conn), newConfigTag(conn), newConfigDeprecate(conn), newConfigDeleteVersion(conn))
	return cmd
}

// definitionFlags are what may be said of a profile.
type definitionFlags struct {
	file, description, serviceType, strategy string
	labels                                   map[string]string
}

func (f *definitionFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "file, YAML or JSON, with any of description, serviceType, defaultStrategy, health, windows, settings, targetLabels; - is standard input")
	cmd.Flags().StringVar(&f.description, "description", "", "what it is for")
	cmd.Flags().StringVar(&f.serviceType, "type", "", "Microservice, Gateway, Worker, Database or MessageBroker")
	cmd.Flags().StringVar(&f.strategy, "strategy", "", "Canary, BlueGreen, Rolling or Direct, with its defaults; more of it in --file")
	cmd.Flags().StringToStringVar(&f.labels, "label", nil, "that its instances have, as key=value; may be given more than once")
}

// lay reads the file into a request, and what the flags say over it.
func (f *definitionFlags) lay(cmd *cobra.Command, sh *shell, flags map[string]any, into any) error {
	body := map[string]any{}
	if f.file != "" {
		data, err := sh.dataFile(f.file)
		if err != nil {
			return err
		}
		body = data
	}
	for field, value := range map[string]any{
		"description": f.description, "serviceType": f.serviceType, "defaultStrategy": f.strategy, "targetLabels": f.labels,
	} {
		if flag := map[string]string{"serviceType": "type", "defaultStrategy": "strategy", "targetLabels": "label"}[field]; cmd.Flags().Changed(or(flag, field)) {
			body[field] = value
		}
	}
	for field, value := range flags {
		if value != "" {
			body[field] = value
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", or(f.file, "the flags"), err)
	}
	return nil
}

func or(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}

// dataFile reads a JSON or YAML object; - is standard input.
func (sh *shell) dataFile(name string) (profile.Data, error) {
	src, err := sh.readFile(name)
	if err != nil {
		return nil, err
	}
	return profile.ParseData(name, src)
}

// maxRead is more than anything that is uploaded may have.
const maxRead = 4 << 20

func (sh *shell) readFile(name string) (src []byte, err error) {
	if name == "-" {
		src, err = io.ReadAll(io.LimitReader(sh.stdin, maxRead+1))
	} else {
		src, err = os.ReadFile(name)
	}
	if err == nil && len(src) > maxRead {
		err = fmt.Errorf("%s has more than %d bytes", name, maxRead)
	}
	return src, err
}

func newConfigCreate(conn *connection) *cobra.Command {
	var f definitionFlags
	var environment, service, schema string
	cmd := &cobra.Command{
		Use:   "create NAME --environment ENVIRONMENT",
		Short: "Make a profile, or bring a deleted one back",
		Example: `  sluice config create payment-service.staging --environment Staging --schema payment-config.v1
  sluice config create search.production --environment Production --schema search.v1 -f search.yaml`,
		Args: needs(1, "a name: sluice config create NAME --environment ENVIRONMENT"),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&environment, "environment", "", "Development, Staging or Production (required)")
	cmd.Flags().StringVar(&service, "service", "", "the service whose instances it is for; otherwise the name up to its last dot")
	cmd.Flags().StringVar(&schema, "schema", "", "the registered schema that its data must satisfy; Production needs one")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if environment == "" {
			return errors.New("needs --environment: Development, Staging or Production")
		}
		var req wire.CreateConfigRequest
		if err := f.lay(cmd, conn.sh, map[string]any{"name": args[0], "environment": environment, "serviceName": service, "schemaId": schema}, &req); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		made, err := r.c.CreateConfig(cmd.Context(), req)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "%s is made: %s of %s, by %s\ngive it a version: sluice config upload %s FILE\n",
			oneLine(made.Name), oneLine(made.Environment), oneLine(made.ServiceName), oneLine(made.DefaultStrategy), oneLine(made.Name))
		return err
	}
	return cmd
}

func newConfigUpdate(conn *connection) *cobra.Command {
	var f definitionFlags
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Change the definition of a profile; what is not given stays",
		Long: `Change the definition of a profile. What is not given stays as it is. Name,
environment, service and schema cannot change. Nothing is lost that somebody else
changed at the same moment: then it fails, and may be tried again.`,
		Args: needs(1, "a profile: sluice config update NAME --strategy Rolling"),
	}
	f.add(cmd)
	conn.completes(cmd, profileNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var req wire.UpdateConfigRequest
		if err := f.lay(cmd, conn.sh, nil, &req); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		_, tag, err := r.c.ConfigTag(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		now, err := r.c.UpdateConfig(cmd.Context(), args[0], req, tag)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "%s is changed; deployments that begin from now on go by it\n", oneLine(now.Name))
		return err
	}
	return cmd
}

func newConfigDelete(conn *connection) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a profile; what runs and its history stay",
		Long: `Delete a profile. It is retired: nothing is deployed of it any more, what runs
stays, and its versions, deployments and audit events can still be read. One that
never had a version is removed. Needs the role Admin.`,
		Args: needs(1, "a profile: sluice config delete NAME"),
	}
	conn.completes(cmd, profileNames)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		if err := conn.sh.sure(yes, "Delete profile "+oneLine(args[0])+"? What runs stays. [y/N] "); err != nil {
			return err
		}
		if err := r.c.DeleteConfig(cmd.Context(), args[0]); err != nil {
			return err
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "%s is deleted\n", oneLine(args[0]))
		return err
	}
	return cmd
}

// sure asks a person; without a terminal nobody is there to ask, and --yes says so.
func (sh *shell) sure(yes bool, question string) error {
	if yes {
		return nil
	}
	if !sh.onTerminal(sh.stdin) {
		return errors.New("needs --yes: there is no terminal to ask on")
	}
	answer, err := sh.ask(question)
	if err != nil {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return notSo(errors.New("nothing was done"))
	}
	return nil
}
