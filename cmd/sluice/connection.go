package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/client"
)

const defaultServer = "http://127.0.0.1:5000"

// connection is how a command reaches the daemon, as its flags say.
type connection struct {
	sh        *shell
	server    string
	token     string
	tokenFile string
}

// connected gives a command the flags of a connection.
func connected(sh *shell, cmd *cobra.Command) *connection {
	c := &connection{sh: sh}
	flags := cmd.PersistentFlags()
	flags.StringVar(&c.server, "server", "", "URL of the daemon (SLUICE_SERVER, "+defaultServer+")")
	flags.StringVar(&c.token, "token", "", "API token (SLUICE_TOKEN); other users of this machine can see it")
	flags.StringVar(&c.tokenFile, "token-file", "", "file with the API token (SLUICE_TOKEN_FILE)")
	return c
}

// url is the daemon's address.
func (c *connection) url() string {
	url := c.server
	if url == "" {
		url = c.sh.getenv("SLUICE_SERVER")
	}
	if url == "" {
		url = defaultServer
	}
	return strings.TrimRight(url, "/")
}

// bearer is the token that is sent: from the flags, else the environment, else
// what login stored for this very server.
func (c *connection) bearer() (string, error) {
	if c.token != "" && c.tokenFile != "" {
		return "", errors.New("--token and --token-file are both given, give one")
	}
	for _, from := range []struct{ token, file string }{
		{c.token, c.tokenFile},
		{c.sh.getenv("SLUICE_TOKEN"), c.sh.getenv("SLUICE_TOKEN_FILE")},
	} {
		switch {
		case from.token != "":
			return from.token, nil
		case from.file != "":
			return readTokenFile(from.file)
		}
	}
	stored, err := c.sh.loadCredentials()
	if err != nil {
		return "", err
	}
	return stored[c.url()].Token, nil
}

func readTokenFile(name string) (string, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", fmt.Errorf("read the token: %s is empty", name)
	}
	return token, nil
}

// open makes a client with the token that applies.
func (c *connection) open() (remote, error) {
	token, err := c.bearer()
	if err != nil {
		return remote{}, err
	}
	return c.openWith(token)
}

func (c *connection) openWith(token string) (remote, error) {
	cl, err := client.New(client.Options{
		Server: c.url(), Token: token, UserAgent: "sluice-cli/" + programVersion(),
	})
	if err != nil {
		return remote{}, err
	}
	return remote{cl}, nil
}
