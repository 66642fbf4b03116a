package compat

import (
	"context"
	"errors"

	"github.com/sluicehq/sluice/profile"
)

// ErrNotFound says that there is no such profile for this reader: it does not exist, has no stable
// version yet, is retired, or is outside of what the reader's token may see. They look the same.
var ErrNotFound = errors.New("no such profile")

// Config is what a reader should run of a profile.
type Config struct {
	Profile     string
	Service     string
	Environment profile.Environment
	Version     string
	Hash        string // of the canonical data
	// Index rises with every change of what is assigned of this profile, also when a rollback lowers the
	// version: the generation of the instance's assignment, or of the profile for other readers. It is
	// at least 1.
	Index int64
	// Data is as an instance would be given it, secrets opened only for instances that are assigned it.
	Data profile.Data
}

// Configs is what the protocols read from. Its reader, found by the request's token, is in ctx.
type Configs interface {
	// Config is what the reader should run of a profile, or ErrNotFound.
	Config(ctx context.Context, profileName string) (Config, error)
	// Profiles are the names of all profiles that the reader may see and that have something to run,
	// sorted.
	Profiles(ctx context.Context) ([]string, error)
	// Of are the profiles of a service in an environment that the reader may see, sorted.
	Of(ctx context.Context, service string, environment profile.Environment) ([]string, error)
	// Changes gives a channel that holds at most one pending wake-up, sent when what the reader should
	// run of any profile may have changed. It is a hint: look again, at most once in 10 s without one.
	Changes(ctx context.Context) <-chan struct{}
}
