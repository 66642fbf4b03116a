package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// Secrets keeps secrets from everybody but the instances that they are for. What
// it refuses is a *secrets.Error.
type Secrets interface {
	// Seal replaces each {"type": "secret", "value": ...} of a profile's data by a
	// sealed value, which is what is stored. It refuses what cannot be given by API:
	// a masked value, another profile's, a reference that nothing opens.
	Seal(ctx context.Context, name string, data profile.Data) (profile.Data, error)
	// Open replaces the references and sealed values of a profile's data by what
	// they stand for, for delivery to one instance and for nothing else.
	Open(ctx context.Context, name string, data profile.Data) (profile.Data, error)
}

// deliveredHash is the header with the SHA-256, hex, of data whose secrets were
// opened: the assignment's hash is that of the data without them.
const deliveredHash = wire.DeliveredHashHeader

// deliver gives an instance the data that it is assigned, with its secrets
// opened. None leaves that the audit log does not tell of first; what was opened
// is in this answer and nowhere else.
func (a *API) deliver(c echo.Context, v fleet.Assignment, text []byte) error {
	if a.opts.Secrets == nil || !profile.MayHoldSecrets(text) {
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, text)
	}
	data, err := profile.DecodeData(text)
	if err != nil {
		return err
	}
	found := profile.Secrets(data)
	if len(found) == 0 {
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, text)
	}
	ctx := c.Request().Context()
	opened, err := a.opts.Secrets.Open(ctx, v.Profile, data)
	if err != nil {
		return a.notOpened(ctx, v, err)
	}
	if err := a.opts.Store.RecordOpening(ctx, store.Opening{
		InstanceID: v.InstanceID, Profile: v.Profile, Version: v.Version, Hash: v.Hash, Generation: v.Generation,
		Secrets: convert(found, told), TraceID: traceID(c),
	}); err != nil {
		return err
	}
	body := profile.Canonical(opened)
	c.Response().Header().Set(deliveredHash, hashOf(body))
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, body)
}

// told is what the audit log says of a secret that is opened.
func told(s profile.Secret) string {
	switch s.Kind {
	case profile.Reference:
		return s.Path + " " + s.Ref
	case profile.Sealed:
		return s.Path + " sealed " + s.ID
	default:
		return s.Path + " " + string(s.Kind)
	}
}

// notOpened tells the instance why: a conflict, which it reports as a version
// that it could not apply, or that asking again may help.
func (a *API) notOpened(ctx context.Context, v fleet.Assignment, err error) error {
	refused, ok := errors.AsType[*secrets.Error](err)
	if !ok {
		return err
	}
	a.log.WarnContext(ctx, "the secrets of a delivery were not opened", "profile", v.Profile, "version", v.Version,
		"instance", v.InstanceID, "reason", refused.Error())
	message := "a secret of " + v.Profile + " " + v.Version + " cannot be opened: " + refused.Error()
	if refused.Away {
		return unavailable(message)
	}
	return conflict(message)
}

// notSealed tells who uploads which secret cannot be taken, and why.
func notSealed(err error) error {
	refused, ok := errors.AsType[*secrets.Error](err)
	if !ok {
		return err
	}
	place := "configData" + strings.TrimPrefix(refused.Path, "$")
	if refused.Away {
		return unavailable(place + ": " + refused.Reason)
	}
	return invalidField(place, refused.Reason)
}
