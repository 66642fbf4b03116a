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
	// Assigned says that the reader is an instance that this is assigned to. It acknowledges what it
	// applied under Index, which is then the generation.
	Assigned bool
	// Index rises with every change of what is assigned of this profile, also when a rollback lowers the
	// version: the generation of the instance's assignment, or for other readers the time at which the
	// profile was written last, in microseconds. It is at least 1, and below 2^53.
	Index int64
	// Data is as an instance would be given it, secrets opened only for instances that are assigned it.
	// For others references to secrets stay, and whatever else is secret is "***", as everywhere.
	Data profile.Data
}

// Configs is what the protocols read from, as one reader, whom the request's token named.
type Configs interface {
	// Config is what the reader should run of a profile, or ErrNotFound.
	Config(ctx context.Context, profileName string) (Config, error)
	// Index is that of Config, or ErrNotFound. It opens no secrets: who waits for a change looks at it.
	Index(ctx context.Context, profileName string) (int64, error)
	// Profiles are the names of all profiles that the reader may see and that have something to run,
	// sorted.
	Profiles(ctx context.Context) ([]string, error)
	// Of are the profiles of a service in an environment that the reader may see, sorted.
	Of(ctx context.Context, service string, environment profile.Environment) ([]string, error)
	// Changes gives a channel that holds at most one pending wake-up, sent when what the reader should
	// run of any profile may have changed. It is a hint: look again, at most once in 10 s without one.
	// It is closed when ctx ends, and when the server is about to stop: answer with what there is.
	Changes(ctx context.Context) <-chan struct{}
}
