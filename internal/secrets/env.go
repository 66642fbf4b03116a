package secrets

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Env is the provider of env: references: variables of the daemon that begin
// with a prefix, so that nobody has the daemon's own delivered.
type Env struct {
	Prefix string // never empty
	Lookup func(name string) (string, bool)
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,254}$`)

// Check refuses every name that does not begin with the prefix.
func (e Env) Check(ref string) error {
	if !envName.MatchString(ref) {
		return errors.New("the reference is not the name of a variable")
	}
	if e.Prefix == "" || !strings.HasPrefix(ref, e.Prefix) {
		return fmt.Errorf("only variables that begin with %s are for profiles", e.Prefix)
	}
	return nil
}

// Fetch reads the variable.
func (e Env) Fetch(_ context.Context, ref string) (string, error) {
	if err := e.Check(ref); err != nil {
		return "", err
	}
	v, ok := e.Lookup(ref)
	if !ok || v == "" {
		return "", errors.New("the variable is not set where the daemon runs")
	}
	return v, nil
}
