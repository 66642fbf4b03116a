package profile

import (
	"fmt"
	"path"
	"regexp"
	"slices"
)

// Scope narrows what a token is for: to environments, and to profiles by globs
// on their names. An empty list narrows nothing, so the zero Scope is everything.
type Scope struct {
	Environments []Environment `json:"environments,omitempty"`
	Profiles     []string      `json:"profiles,omitempty"` // * is any text, ? one character
}

// Bounds of a scope: each glob is a term of every list that its token asks for.
const (
	maxGlobs = 32
	maxGlob  = 253
)

// glob is what a profile's name is made of, and the two wildcards. It is as
// much as path.Match and both databases understand alike.
var glob = regexp.MustCompile(`^[a-zA-Z0-9._*?-]+$`)

// Everything says that the scope narrows nothing.
func (s Scope) Everything() bool { return len(s.Environments) == 0 && len(s.Profiles) == 0 }

// Has says whether a profile of an environment is within the scope.
func (s Scope) Has(environment Environment, name string) bool {
	return s.HasEnvironment(environment) && s.HasName(name)
}

// HasEnvironment says whether anything of the environment can be within the scope.
func (s Scope) HasEnvironment(environment Environment) bool {
	return len(s.Environments) == 0 || slices.Contains(s.Environments, environment)
}

// HasName says whether a profile of the name can be within the scope.
func (s Scope) HasName(name string) bool {
	return len(s.Profiles) == 0 || slices.ContainsFunc(s.Profiles, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return ok && err == nil
	})
}

// Check says what is wrong with a scope that somebody asks for, and in which field.
func (s Scope) Check() (field string, err error) {
	for _, e := range s.Environments {
		if !slices.Contains([]Environment{Development, Staging, Production}, e) {
			return "environments", fmt.Errorf("%q is not one of Development, Staging, Production", e)
		}
	}
	if len(s.Profiles) > maxGlobs {
		return "profiles", fmt.Errorf("has at most %d globs", maxGlobs)
	}
	for _, g := range s.Profiles {
		if len(g) > maxGlob || !glob.MatchString(g) {
			return "profiles", fmt.Errorf("%q is no glob of a profile's name: letters, digits, dots, dashes, underscores, and the wildcards * and ?", g)
		}
	}
	return "", nil
}
