package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func newLoginCommand(sh *shell) *cobra.Command {
	var username string
	var stdin bool
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in and keep the token for later commands",
		Long: `Sign in to the daemon at --server with a user name and password, and keep the token
it gives, readable by you alone, for later commands to the same server.`,
		Args: cobra.NoArgs,
	}
	conn := connected(sh, cmd)
	cmd.Flags().StringVarP(&username, "username", "u", "", "user name; asked for when missing")
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input, not from the terminal")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return login(cmd.Context(), conn, username, stdin)
	}
	return cmd
}

func login(ctx context.Context, conn *connection, username string, stdin bool) error {
	sh := conn.sh
	var err error
	if username == "" {
		if stdin {
			return errors.New("--password-stdin needs --username")
		}
		if username, err = sh.ask(fmt.Sprintf("User name at %s: ", conn.url())); err != nil {
			return err
		}
	}
	password, err := sh.password(stdin)
	if err != nil {
		return fmt.Errorf("read the password, which comes from a terminal, or with --password-stdin from standard input: %w", err)
	}
	r, err := conn.openWith("")
	if err != nil {
		return err
	}
	signedIn, err := r.c.Login(ctx, username, password)
	if err != nil {
		return err
	}
	name, err := sh.storeCredential(conn.account(), credential{
		Token: signedIn.Token, Username: signedIn.User.Username, Role: signedIn.User.Role, ExpiresAt: signedIn.ExpiresAt,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sh.stdout, "signed in to %s as %s (%s) until %s\nthe token is in %s\n", conn.url(),
		oneLine(signedIn.User.Username), oneLine(signedIn.User.Role), signedIn.ExpiresAt.Local().Format("2006-01-02 15:04"), name)
	return err
}

func (sh *shell) password(stdin bool) (string, error) {
	if stdin {
		return readLine(sh.stdin)
	}
	fmt.Fprint(sh.stderr, "Password: ")
	return sh.readPassword()
}
