package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/client"
)

const contextLong = `Work with several servers. A context is a server under a short name, with the
certificates that sign its own where that is needed. Every command takes
--context NAME; without it the current context is used.

The contexts are in a file, and the tokens that sluice login gets in another,
both readable by you alone. sluice help environment says where, and what goes
before what.`

func newContextCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use:   "context",
		Short: "Name the servers you work with, and choose one",
		Long:  contextLong,
	})
	cmd.AddCommand(newContextList(sh), newContextCurrent(sh), newContextUse(sh), newContextAdd(sh), newContextRemove(sh))
	return cmd
}

func newContextList(sh *shell) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the contexts", Args: nothing}
	format := outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		known, err := sh.loadContexts()
		if err != nil {
			return err
		}
		stored, err := sh.loadCredentials()
		if err != nil {
			return err
		}
		return sh.show(*format, contextListing(known, stored))
	}
	return cmd
}

func contextListing(known contexts, stored map[string]credential) listing {
	return listing{value: known.Contexts, kind: "context", names: known.names(), empty: "no contexts: sluice context add NAME --server URL makes one", table: func(l look) table {
		t := table{header: []string{"", "NAME", "SERVER", "SIGNED IN AS", "UNTIL"}}
		for _, p := range known.Contexts {
			mark := ""
			if p.Name == known.Current {
				mark = "*"
			}
			as, until := signedIn(destination{namedServer: p}, stored, l)
			t.rows = append(t.rows, []string{mark, p.Name, p.Server, as, until})
		}
		t.paint = func(column int, text string) colour {
			if column == 4 && text == "expired" {
				return yellow
			}
			return plain
		}
		return t
	}}
}

// signedIn says as whom a context's commands speak, and until when.
func signedIn(d destination, stored map[string]credential, l look) (as, until string) {
	if d.TokenFile != "" {
		return "token in " + filepath.Base(d.TokenFile), "-"
	}
	kept, ok := stored[d.account()]
	if !ok {
		kept, ok = stored[d.Server]
	}
	switch {
	case !ok:
		return "-", "-"
	case kept.ExpiresAt.IsZero():
		until = "-"
	case !kept.ExpiresAt.After(l.Now):
		until = "expired"
	default:
		until = "in " + span(kept.ExpiresAt.Sub(l.Now))
	}
	return fmt.Sprintf("%s (%s)", kept.Username, kept.Role), until
}

func newContextCurrent(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "current", Short: "Say which server commands go to, and what chose it", Args: nothing,
	}
	conn := connected(sh, cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		d, err := conn.destination()
		if err != nil {
			return err
		}
		name := d.Name
		if name == "" {
			name = d.Server
		}
		fmt.Fprintf(sh.stderr, "%s, from %s\n", oneLine(d.Server), oneLine(d.from))
		_, err = fmt.Fprintln(sh.stdout, oneLine(name))
		return err
	}
	return cmd
}

func newContextUse(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "use NAME", Short: "Make a context the current one",
		Args: needs(1, "a context: sluice context use NAME (sluice context list shows them)"),
		RunE: func(_ *cobra.Command, args []string) error {
			known, err := sh.loadContexts()
			if err != nil {
				return err
			}
			p, err := known.find(args[0])
			if err != nil {
				return err
			}
			known.Current = p.Name
			if err := sh.storeContexts(known); err != nil {
				return err
			}
			_, err = fmt.Fprintf(sh.stdout, "commands go to %s, %s\n", p.Name, p.Server)
			return err
		},
	}
	cmd.ValidArgsFunction = sh.completeContext()
	return cmd
}

func newContextAdd(sh *shell) *cobra.Command {
	var p namedServer
	var use bool
	cmd := &cobra.Command{
		Use: "add NAME --server URL", Short: "Add a context, or change it",
		Args: needs(1, "a name: sluice context add NAME --server URL"),
		RunE: func(_ *cobra.Command, args []string) error {
			p.Name = args[0]
			return addContext(sh, p, use)
		},
	}
	cmd.Flags().StringVar(&p.Server, "server", "", "URL of the daemon (required)")
	cmd.Flags().StringVar(&p.CAFile, "ca-file", "", "certificates, PEM, that sign the server's own")
	cmd.Flags().StringVar(&p.TokenFile, "token-file", "", "file with the API token; otherwise what sluice login stores")
	cmd.Flags().BoolVar(&use, "use", false, "make it the current context; the first one is at any rate")
	return cmd
}

func addContext(sh *shell, p namedServer, use bool) error {
	switch {
	case !contextName.MatchString(p.Name):
		return fmt.Errorf("context name %q must be letters, digits, '.', '_' or '-', at most 63", oneLine(p.Name))
	case p.Server == "":
		return errors.New("needs --server: the URL of the daemon")
	}
	for _, file := range []*string{&p.CAFile, &p.TokenFile} {
		if *file == "" {
			continue
		}
		full, err := filepath.Abs(*file) // commands are given in other folders
		if err != nil {
			return err
		}
		*file = full
	}
	if _, err := readCertificates(p.CAFile); err != nil {
		return err
	}
	if err := checkServer(p.Server); err != nil {
		return err
	}
	known, err := sh.loadContexts()
	if err != nil {
		return err
	}
	if known = known.put(p); use || len(known.Contexts) == 1 {
		known.Current = p.Name
	}
	if err := sh.storeContexts(known); err != nil {
		return err
	}
	current := "sluice context use " + p.Name + " makes it the current one"
	if known.Current == p.Name {
		current = "it is the current one; sign in with sluice login"
	}
	_, err = fmt.Fprintf(sh.stdout, "context %s is %s; %s\n", p.Name, p.Server, current)
	return err
}

// checkServer refuses what is no URL of a server.
func checkServer(server string) error {
	_, err := client.New(client.Options{Server: server})
	return err
}

func newContextRemove(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove NAME", Aliases: []string{"rm"}, Short: "Remove a context, and its stored token",
		Args: needs(1, "a context: sluice context remove NAME (sluice context list shows them)"),
		RunE: func(_ *cobra.Command, args []string) error {
			known, err := sh.loadContexts()
			if err != nil {
				return err
			}
			p, err := known.find(args[0])
			if err != nil {
				return err
			}
			if err := sh.storeContexts(known.without(p.Name)); err != nil {
				return err
			}
			if err := sh.forgetCredential(destination{namedServer: p}.account()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(sh.stdout, "context %s is removed\n", p.Name)
			return err
		},
	}
	cmd.ValidArgsFunction = sh.completeContext()
	return cmd
}
