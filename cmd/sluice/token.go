package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

func newTokenCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke API tokens",
	})
	conn := connected(sh, cmd)
	cmd.AddCommand(newTokenCreate(conn), newTokenList(conn), newTokenRevoke(conn))
	return cmd
}

func newTokenCreate(conn *connection) *cobra.Command {
	var request wire.TokenRequest
	var quiet bool
	cmd := &cobra.Command{
		Use:   "create NAME --role ROLE",
		Short: "Make a token; it is shown once",
		Long: `Make an API token. It is shown once and kept only as a hash.

Roles: Viewer reads; Developer writes configurations; Operator runs deployments;
Admin does everything; Registration only lets instances register.

--environment and --profile narrow a token: what is outside does not exist for it.`,
		Args: needs(1, "a name: sluice token create NAME --role ROLE"),
	}
	cmd.Flags().StringVar(&request.Role, "role", "", "Viewer, Developer, Operator, Admin or Registration (required)")
	cmd.Flags().StringVar(&request.TTL, "ttl", "", "how long it is good for, e.g. 720h; for ever when missing")
	cmd.Flags().StringSliceVar(&request.Environments, "environment", nil, "only for this environment; may be given more than once")
	cmd.Flags().StringSliceVar(&request.Profiles, "profile", nil, "only for profiles whose names match, e.g. 'payment-*'; may be given more than once")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the token alone")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if request.Role == "" {
			return errors.New("needs --role: Viewer, Developer, Operator, Admin or Registration")
		}
		request.Name = args[0]
		r, err := conn.open()
		if err != nil {
			return err
		}
		token, err := r.c.CreateToken(cmd.Context(), request)
		if err != nil {
			return err
		}
		if !quiet {
			fmt.Fprintf(conn.sh.stderr, "token %s (%s), id %s; it is not shown again:\n", oneLine(token.Name), oneLine(token.Role), oneLine(token.ID))
		}
		_, err = fmt.Fprintln(conn.sh.stdout, oneLine(token.Token))
		return err
	}
	return cmd
}

func newTokenList(conn *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the tokens, without what they are", Args: nothing}
	return lister(conn, cmd, func(ctx context.Context, r remote, _ []string) (listing, error) {
		tokens, err := r.c.Tokens(ctx)
		if err != nil {
			return listing{}, err
		}
		names := make([]string, len(tokens))
		for i, t := range tokens {
			names[i] = t.ID
		}
		return listing{value: tokens, kind: "token", names: names, empty: "no tokens", table: func(l look) table {
			t := table{header: []string{"ID", "NAME", "ROLE", "SCOPE", "MADE", "BY", "EXPIRES"}}
			for _, token := range tokens {
				expires := "never"
				if token.ExpiresAt != nil {
					expires = "in " + span(token.ExpiresAt.Sub(l.Now))
					if !token.ExpiresAt.After(l.Now) {
						expires = "expired"
					}
				}
				if token.Stopped {
					expires = "stopped with " + token.Owner
				}
				t.rows = append(t.rows, []string{token.ID, token.Name, token.Role, scopeOf(token), l.ago(token.CreatedAt), dash(madeBy(token)), expires})
			}
			return t
		}}, nil
	})
}

// madeBy says whose a token is, and which token it was made with.
func madeBy(t wire.Token) string {
	if t.Owner != "" && t.Owner != t.CreatedBy {
		return t.Owner + " with " + t.CreatedBy
	}
	return t.CreatedBy
}

// scopeOf is a token's scope in a cell.
func scopeOf(t wire.Token) string {
	if len(t.Environments)+len(t.Profiles) == 0 {
		return "everything"
	}
	return strings.Join(append(slices.Clone(t.Environments), t.Profiles...), ",")
}

// tokenNames are the ids of tokens, with their names.
func tokenNames(ctx context.Context, r remote, _ []string) ([]cobra.Completion, error) {
	tokens, err := r.c.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, t := range tokens {
		out = append(out, described(t.ID, t.Name+" "+t.Role))
	}
	return out, nil
}

func newTokenRevoke(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "Revoke a token, at once",
		Args: needs(1, "a token's id: sluice token revoke ID (sluice token list shows them)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := conn.open()
			if err != nil {
				return err
			}
			if err := r.c.RevokeToken(cmd.Context(), args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(conn.sh.stdout, "%s is revoked\n", oneLine(args[0]))
			return err
		},
	}
	conn.completes(cmd, tokenNames)
	return cmd
}
