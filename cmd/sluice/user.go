package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

// personRoles are the roles of people.
func personRoles() []string { return []string{"Viewer", "Developer", "Operator", "Admin"} }

func newUserCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use:   "user",
		Short: "Add, list, change and remove the people who sign in",
	})
	conn := connected(sh, cmd)
	cmd.AddCommand(newUserAdd(conn), newUserList(conn), newUserRemove(conn), newUserPassword(conn), newUserRole(conn),
		newUserDisabled(conn, "disable", true), newUserDisabled(conn, "enable", false))
	return cmd
}

// userNames are the names of users, to complete.
func userNames(ctx context.Context, r remote, _ []string) ([]string, error) {
	page, err := r.c.Users(ctx, client.List{Limit: 100})
	names := make([]string, len(page.Items))
	for i, u := range page.Items {
		names[i] = u.Username
	}
	return names, err
}

// newPassword asks for a password, twice on a terminal: nobody sees what is typed.
func (sh *shell) newPassword(stdin bool) (string, error) {
	password, err := sh.password(stdin)
	if err != nil {
		return "", fmt.Errorf("read the password, which comes from a terminal, or with --password-stdin from standard input: %w", err)
	}
	if stdin {
		return password, nil
	}
	fmt.Fprint(sh.stderr, "Once more: ")
	again, err := sh.readPassword()
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if again != password {
		return "", errors.New("the two passwords differ")
	}
	return password, nil
}

func passwordFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("password-stdin", false, "read the password from standard input, not from the terminal")
}

func newUserAdd(conn *connection) *cobra.Command {
	request := wire.UserRequest{}
	cmd := &cobra.Command{
		Use: "add NAME --role ROLE", Short: "Add a user with a password",
		Args: needs(1, "a name: sluice user add NAME --role ROLE"),
	}
	cmd.Flags().StringVar(&request.Role, "role", "", "Viewer, Developer, Operator or Admin (required)")
	complete(cmd, "role", func(string) []string { return personRoles() })
	stdin := passwordFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if request.Role == "" {
			return errors.New("needs --role: Viewer, Developer, Operator or Admin")
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		request.Username = args[0]
		if request.Password, err = conn.sh.newPassword(*stdin); err != nil {
			return err
		}
		u, err := r.c.CreateUser(cmd.Context(), request)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "%s is added, as %s\n", oneLine(u.Username), oneLine(u.Role))
		return err
	}
	return cmd
}

func newUserList(conn *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the users", Args: nothing}
	return lister(conn, cmd, func(ctx context.Context, r remote, _ []string) (listing, error) {
		users, err := client.All(ctx, r.c.Users)
		if err != nil {
			return listing{}, err
		}
		names := make([]string, len(users))
		for i, u := range users {
			names[i] = u.Username
		}
		return listing{value: users, names: names, empty: "no users", table: func(l look) table {
			t := table{header: []string{"NAME", "ROLE", "SIGNS IN", "MADE"}}
			for _, u := range users {
				signsIn, made := "with a password", "-"
				if u.Issuer != "" {
					signsIn = "at " + u.Issuer
				}
				if u.Disabled {
					signsIn = "not: disabled"
				}
				if u.CreatedAt != nil {
					made = l.ago(*u.CreatedAt)
				}
				t.rows = append(t.rows, []string{u.Username, u.Role, signsIn, made})
			}
			return t
		}}, nil
	})
}

// userChanger is a command that changes one user, and what it says then.
func userChanger(conn *connection, cmd *cobra.Command, change func(args []string) (wire.UserChange, string, error)) *cobra.Command {
	conn.completes(cmd, userNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		what, said, err := change(args)
		if err != nil {
			return err
		}
		u, err := r.c.ChangeUser(cmd.Context(), args[0], what)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "%s %s; sessions from before are over\n", oneLine(u.Username), said)
		return err
	}
	return cmd
}

func newUserRole(conn *connection) *cobra.Command {
	return userChanger(conn, &cobra.Command{
		Use: "role NAME ROLE", Short: "Give a user another role",
		Args: needs(2, "a name and a role: sluice user role NAME ROLE"),
	}, func(args []string) (wire.UserChange, string, error) {
		return wire.UserChange{Role: &args[1]}, "is " + oneLine(args[1]), nil
	})
}

func newUserDisabled(conn *connection, verb string, disabled bool) *cobra.Command {
	short := "Let a user sign in again, and the user's API tokens"
	if disabled {
		short = "Keep a user out, and the API tokens that the user made"
	}
	return userChanger(conn, &cobra.Command{
		Use: verb + " NAME", Short: short, Args: needs(1, "a name: sluice user "+verb+" NAME"),
	}, func([]string) (wire.UserChange, string, error) {
		return wire.UserChange{Disabled: &disabled}, "is " + verb + "d", nil
	})
}

func newUserPassword(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "password [NAME]", Short: "Change your password, or as an Admin that of another user",
		Long: `Change your own password, which is asked for first, or as an Admin that of another
user. Every session of the user ends; your own goes on with a new token.`,
		Args: cobra.MaximumNArgs(1),
	}
	stdin := passwordFlag(cmd)
	var other func(*cobra.Command, []string) error
	userChanger(conn, cmd, func([]string) (wire.UserChange, string, error) {
		password, err := conn.sh.newPassword(*stdin)
		return wire.UserChange{Password: &password}, "has another password", err
	})
	other = cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return other(cmd, args)
		}
		return ownPassword(cmd.Context(), conn, *stdin)
	}
	return cmd
}

// ownPassword changes the password of whom login signed in. From standard input
// come two lines: the one of now, and the next.
func ownPassword(ctx context.Context, conn *connection, stdin bool) error {
	r, err := conn.open()
	if err != nil {
		return err
	}
	if !stdin {
		fmt.Fprint(conn.sh.stderr, "The one of now. ")
	}
	current, err := conn.sh.password(stdin)
	if err != nil {
		return fmt.Errorf("read the password: %w", err)
	}
	if !stdin {
		fmt.Fprint(conn.sh.stderr, "The new one. ")
	}
	next, err := conn.sh.newPassword(stdin)
	if err != nil {
		return err
	}
	signedIn, err := r.c.ChangePassword(ctx, current, next)
	if err != nil {
		return err
	}
	if err := conn.keep(signedIn); err != nil {
		return err
	}
	_, err = fmt.Fprintln(conn.sh.stdout, "your password is changed; your other sessions are over")
	return err
}

func newUserRemove(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove NAME", Aliases: []string{"rm"}, Short: "Remove a user, whose sessions and API tokens end",
		Long: `Remove a user. Sessions and API tokens that the user made end at once, for good:
sluice token list shows which (BY). sluice user disable stops them too, and can be
taken back.`,
		Args: needs(1, "a name: sluice user remove NAME"),
	}
	conn.completes(cmd, userNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		if err := r.c.RemoveUser(cmd.Context(), args[0]); err != nil {
			return err
		}
		_, err = fmt.Fprintf(conn.sh.stdout, "%s is removed; sessions are over, and API tokens from there revoked\n", oneLine(args[0]))
		return err
	}
	return cmd
}
