package main

import (
	"cmp"
	"crypto/x509"
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
	context   string
	caFile    string
	token     string
	tokenFile string
	found     *destination // once it was looked for
}

// connected gives a command and those below it the flags of a connection.
func connected(sh *shell, cmd *cobra.Command) *connection {
	c := &connection{sh: sh}
	flags := cmd.PersistentFlags()
	flags.StringVar(&c.context, "context", "", "the server of this name, see sluice context (SLUICE_CONTEXT)")
	flags.StringVar(&c.server, "server", "", "URL of the daemon (SLUICE_SERVER, "+defaultServer+")")
	flags.StringVar(&c.caFile, "ca-file", "", "certificates, PEM, that sign the server's own (SLUICE_CA_FILE)")
	flags.StringVar(&c.token, "token", "", "API token (SLUICE_TOKEN); other users of this machine can see it")
	flags.StringVar(&c.tokenFile, "token-file", "", "file with the API token (SLUICE_TOKEN_FILE)")
	complete(cmd, "context", func(string) []string { return c.contextNames() })
	// What is wrong with the choice of a server is said before anything is asked or done.
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		_, err := c.destination()
		return err
	}
	return c
}

// destination is the daemon that a command talks to.
type destination struct {
	namedServer
	from      string // what chose it, such as "--server" or "context production"
	tokenFrom string // what gave the token, "" when there is none
}

// account is what a credential is kept under: a context has one of its own, so that
// two contexts may be two users of one server.
func (d destination) account() string {
	if d.Name == "" {
		return d.Server
	}
	return d.Server + "#" + d.Name
}

// asked is what may name a server, from what goes first to what goes last.
type asked struct {
	serverFlag, contextFlag string
	serverEnv, contextEnv   string
	caFlag, caEnv           string
}

// choose says which server is meant.
func choose(a asked, known contexts) (destination, error) {
	var d destination
	var err error
	named := func(name, from string) { d.namedServer, err = known.find(name); d.from = from }
	switch {
	case a.serverFlag != "" && a.contextFlag != "":
		return d, errors.New("--server and --context are both given, give one")
	case a.serverFlag != "":
		d.Server, d.from = a.serverFlag, "--server"
	case a.contextFlag != "":
		named(a.contextFlag, "--context "+a.contextFlag)
	case a.serverEnv != "":
		d.Server, d.from = a.serverEnv, "SLUICE_SERVER"
	case a.contextEnv != "":
		named(a.contextEnv, "SLUICE_CONTEXT="+a.contextEnv)
	case known.Current != "":
		named(known.Current, "the current context, "+known.Current)
	default:
		d.Server, d.from = defaultServer, "the default"
	}
	d.Server = strings.TrimRight(d.Server, "/")
	d.CAFile = cmp.Or(a.caFlag, a.caEnv, d.CAFile)
	return d, err
}

// destination looks once for the server that is meant.
func (c *connection) destination() (destination, error) {
	if c.found != nil {
		return *c.found, nil
	}
	known, err := c.sh.loadContexts()
	if err != nil && (c.server != "" || c.sh.getenv("SLUICE_SERVER") != "") {
		err = nil // a damaged file is no reason not to reach the server that was named
	}
	if err != nil {
		return destination{}, err
	}
	d, err := choose(asked{
		serverFlag: c.server, contextFlag: c.context, caFlag: c.caFile,
		serverEnv: c.sh.getenv("SLUICE_SERVER"), contextEnv: c.sh.getenv("SLUICE_CONTEXT"), caEnv: c.sh.getenv("SLUICE_CA_FILE"),
	}, known)
	if err != nil {
		return d, err
	}
	c.found = &d
	c.sh.conn = c
	return d, nil
}

func (c *connection) contextNames() []string {
	known, err := c.sh.loadContexts()
	if err != nil {
		return nil
	}
	return known.names()
}

// url is the daemon's address.
func (c *connection) url() string {
	d, err := c.destination()
	if err != nil {
		return defaultServer
	}
	return d.Server
}

// account is what login keeps the token under.
func (c *connection) account() string {
	d, err := c.destination()
	if err != nil {
		return defaultServer
	}
	return d.account()
}

// bearer is the token that is sent: from the flags, else the environment, else
// the context's file, else what login stored for this very server.
func (c *connection) bearer() (string, error) {
	d, err := c.destination()
	if err != nil {
		return "", err
	}
	if c.token != "" && c.tokenFile != "" {
		return "", errors.New("--token and --token-file are both given, give one")
	}
	for _, from := range []struct{ token, file, tokenName, fileName string }{
		{c.token, c.tokenFile, "--token", "--token-file"},
		{c.sh.getenv("SLUICE_TOKEN"), c.sh.getenv("SLUICE_TOKEN_FILE"), "SLUICE_TOKEN", "SLUICE_TOKEN_FILE"},
		{"", d.TokenFile, "", "tokenFile of context " + d.Name},
	} {
		switch {
		case from.token != "":
			c.found.tokenFrom = from.tokenName
			return from.token, nil
		case from.file != "":
			c.found.tokenFrom = from.fileName
			return readTokenFile(from.file)
		}
	}
	stored, err := c.sh.loadCredentials()
	if err != nil {
		return "", err
	}
	for _, account := range []string{d.account(), d.Server} {
		if kept := stored[account]; kept.Token != "" {
			c.found.tokenFrom = "sluice login"
			return kept.Token, nil
		}
	}
	return "", nil
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

func readCertificates(name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("read certificates: %s holds none in PEM", name)
	}
	return roots, nil
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
	d, err := c.destination()
	if err != nil {
		return remote{}, err
	}
	roots, err := readCertificates(d.CAFile)
	if err != nil {
		return remote{}, err
	}
	cl, err := client.New(client.Options{
		Server: d.Server, Token: token, UserAgent: "sluice-cli/" + programVersion(), RootCAs: roots,
	})
	if err != nil {
		return remote{}, err
	}
	return remote{cl}, nil
}
