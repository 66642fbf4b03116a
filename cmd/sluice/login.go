package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

func newLoginCommand(sh *shell) *cobra.Command {
	var username string
	var stdin, browser bool
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in and keep the token for later commands",
		Long: `Sign in to the daemon at --server with a user name and password, and keep the token
it gives, readable by you alone, for later commands to the same server. With --sso you
sign in at the server's identity provider, in a browser on this machine.`,
		Args: nothing,
	}
	conn := connected(sh, cmd)
	cmd.Flags().StringVarP(&username, "username", "u", "", "user name; asked for when missing")
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input, not from the terminal")
	cmd.Flags().BoolVar(&browser, "sso", false, "sign in at the identity provider, in a browser")
	cmd.MarkFlagsMutuallyExclusive("sso", "username")
	cmd.MarkFlagsMutuallyExclusive("sso", "password-stdin")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if browser {
			signedIn, err := signInByBrowser(cmd.Context(), conn)
			if err != nil {
				return err
			}
			return conn.welcome(signedIn)
		}
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
	return conn.welcome(signedIn)
}

// keep stores the token of a sign-in for later commands.
func (c *connection) keep(in wire.LoginResponse) error {
	_, err := c.sh.storeCredential(c.account(), credential{
		Token: in.Token, Username: in.User.Username, Role: in.User.Role, ExpiresAt: in.ExpiresAt,
	})
	return err
}

// welcome keeps the token, and says for whom and where.
func (c *connection) welcome(in wire.LoginResponse) error {
	if err := c.keep(in); err != nil {
		return err
	}
	name, err := c.sh.credentialsFile()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.sh.stdout, "signed in to %s as %s (%s) until %s\nthe token is in %s\n", c.url(),
		oneLine(in.User.Username), oneLine(in.User.Role), in.ExpiresAt.Local().Format("2006-01-02 15:04"), name)
	return err
}

func newLogoutCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "logout", Short: "Sign out: end the session and forget its token", Args: nothing,
	}
	conn := connected(sh, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		stored, err := sh.loadCredentials()
		if err != nil {
			return err
		}
		kept, ok := stored[conn.account()]
		if !ok {
			_, err := fmt.Fprintf(sh.stdout, "nobody is signed in to %s\n", conn.url())
			return err
		}
		r, err := conn.openWith(kept.Token)
		if err != nil {
			return err
		}
		// One that is over, or unknown, is what was wanted.
		if err := r.c.Logout(cmd.Context()); err != nil && !client.IsStatus(err, http.StatusUnauthorized) {
			return err
		}
		if err := sh.forgetCredential(conn.account()); err != nil {
			return err
		}
		_, err = fmt.Fprintf(sh.stdout, "signed out of %s\n", conn.url())
		return err
	}
	return cmd
}

func (sh *shell) password(stdin bool) (string, error) {
	if stdin {
		return readLine(sh.stdin)
	}
	fmt.Fprint(sh.stderr, "Password: ")
	return sh.readPassword()
}
