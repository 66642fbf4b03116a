package main

import "github.com/spf13/cobra"

// environmentText is the page of sluice help environment.
const environmentText = `Which daemon: the first of these that is given.

  --server URL            a URL
  --context NAME          a context of the file below
  SLUICE_SERVER           a URL
  SLUICE_CONTEXT          a context
  the current context     sluice context use NAME
  the default             ` + defaultServer + `

As whom: the first of these that is given.

  --token, --token-file   a token, or a file that holds one
  SLUICE_TOKEN            a token
  SLUICE_TOKEN_FILE       a file that holds one
  tokenFile               of the context
  sluice login            what it stored for this context or server; a stored
                          token is sent to the server that gave it and no other

Certificates that sign the server's own: --ca-file, SLUICE_CA_FILE, caFile of
the context, else the system's.

Files, in the user's configuration folder ($XDG_CONFIG_HOME or ~/.config), made
readable by their owner alone:

  sluice/contexts.yaml      servers and the current one; SLUICE_CONTEXTS names
                            another file
  sluice/credentials.json   the tokens that sluice login stored

Output:

  NO_COLOR, TERM=dumb     no colours; --color goes before both
  COLUMNS                 the width of tables and pictures in a pipe
  LC_ALL, LC_CTYPE, LANG  pictures are ASCII unless it is UTF-8
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY
                          the way to the daemon

The daemon has variables of its own: sluice serve --help, sluice explain --settings.`

// newHelpTopics makes the pages of sluice help that are no commands.
func newHelpTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "The exit codes of every command", Long: exitCodesText()},
		{Use: "environment", Short: "Which server, as whom: variables, files, and what goes first", Long: environmentText},
	}
}
