package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/profile"
)

// contextsFileEnv names the file of contexts; the daemon's own settings have SLUICE_CONFIG.
const contextsFileEnv = "SLUICE_CONTEXTS"

// namedServer is one daemon that a person works with, under a short name: a context.
type namedServer struct {
	Name   string `yaml:"name" json:"name"`
	Server string `yaml:"server" json:"server"`
	// CAFile holds the certificates that sign the server's own, PEM; "" is the system's.
	CAFile string `yaml:"caFile,omitempty" json:"caFile,omitempty"`
	// TokenFile holds the token to send; "" is what login stored.
	TokenFile string `yaml:"tokenFile,omitempty" json:"tokenFile,omitempty"`
}

// contexts is the file of contexts. It holds no secret: tokens are elsewhere.
type contexts struct {
	Current  string        `yaml:"current,omitempty" json:"current,omitempty"`
	Contexts []namedServer `yaml:"contexts" json:"contexts"`
}

var contextName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)

func (c contexts) names() []string {
	names := make([]string, len(c.Contexts))
	for i, p := range c.Contexts {
		names[i] = p.Name
	}
	return names
}

// find returns the context of that name, or an error that says which there are.
func (c contexts) find(name string) (namedServer, error) {
	if i := slices.IndexFunc(c.Contexts, func(p namedServer) bool { return p.Name == name }); i >= 0 {
		return c.Contexts[i], nil
	}
	switch guess := profile.Nearest(name, c.names()); {
	case len(c.Contexts) == 0:
		return namedServer{}, fmt.Errorf("there is no context %q, and no other: sluice context add NAME --server URL makes one", name)
	case guess != "":
		return namedServer{}, fmt.Errorf("there is no context %q, did you mean %s?", name, guess)
	}
	return namedServer{}, fmt.Errorf("there is no context %q, there are %s", name, strings.Join(c.names(), ", "))
}

// put adds a context, or changes the one of its name.
func (c contexts) put(p namedServer) contexts {
	c.Contexts = slices.Clone(c.Contexts)
	if i := slices.IndexFunc(c.Contexts, func(o namedServer) bool { return o.Name == p.Name }); i >= 0 {
		c.Contexts[i] = p
	} else {
		c.Contexts = append(c.Contexts, p)
	}
	return c
}

// without removes a context. When it was the current one there is none.
func (c contexts) without(name string) contexts {
	c.Contexts = slices.DeleteFunc(slices.Clone(c.Contexts), func(p namedServer) bool { return p.Name == name })
	if c.Current == name {
		c.Current = ""
	}
	return c
}

// parseContexts reads the file of contexts; name is only for its errors.
func parseContexts(name string, content []byte) (contexts, error) {
	var c contexts
	dec := yaml.NewDecoder(bytes.NewReader(content))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return contexts{}, fmt.Errorf("read the contexts: %s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	seen := map[string]bool{}
	for i, p := range c.Contexts {
		switch {
		case !contextName.MatchString(p.Name):
			return contexts{}, fmt.Errorf("read the contexts: %s: contexts[%d].name %q must be letters, digits, '.', '_' or '-', at most 63", name, i, p.Name)
		case seen[p.Name]:
			return contexts{}, fmt.Errorf("read the contexts: %s: context %s is there twice", name, p.Name)
		case p.Server == "":
			return contexts{}, fmt.Errorf("read the contexts: %s: context %s has no server", name, p.Name)
		}
		seen[p.Name] = true
	}
	return c, nil
}

// contextsFile is where the contexts are.
func (sh *shell) contextsFile() (string, error) {
	if name := sh.getenv(contextsFileEnv); name != "" {
		return name, nil
	}
	dir, err := sh.configDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for contexts: %w; %s names a file", err, contextsFileEnv)
	}
	return filepath.Join(dir, "sluice", "contexts.yaml"), nil
}

// loadContexts reads the contexts; none when there is no file.
func (sh *shell) loadContexts() (contexts, error) {
	name, err := sh.contextsFile()
	if err != nil {
		return contexts{}, nil //nolint:nilerr // no home folder, as in many containers: there are no contexts
	}
	content, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return contexts{}, nil
	case err != nil:
		return contexts{}, fmt.Errorf("read the contexts: %w", err)
	}
	return parseContexts(name, content)
}

// storeContexts writes the contexts, readable by their owner alone.
func (sh *shell) storeContexts(c contexts) error {
	name, err := sh.contextsFile()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(c), enc.Close()); err != nil {
		return fmt.Errorf("store the contexts: %w", err)
	}
	if err := writePrivate(name, b.Bytes()); err != nil {
		return fmt.Errorf("store the contexts: %w", err)
	}
	return nil
}
