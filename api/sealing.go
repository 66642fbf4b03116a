package api

import (
	"context"

	"github.com/sluicehq/sluice/profile"
)

// Secrets keeps secrets from everybody but the instances that they are for.
type Secrets interface {
	// Seal replaces each {"type": "secret", "value": ...} of a profile's data by a
	// sealed value, which is what is stored.
	Seal(ctx context.Context, name string, data profile.Data) (profile.Data, error)
	// Open replaces the references and sealed values of a profile's data by what
	// they stand for, for delivery to one instance and for nothing else.
	Open(ctx context.Context, name string, data profile.Data) (profile.Data, error)
}
