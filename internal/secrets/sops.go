package secrets

import (
	"errors"

	"github.com/sluicehq/sluice/profile"
)

// Ages are age identities.
type Ages struct{}

func (a Ages) openValue(profile.Sops) (any, error) {
	return nil, errors.New("no age identity opens it: see sops_age_keys")
}
