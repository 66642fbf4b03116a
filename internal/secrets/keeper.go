package secrets

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// Options are what New needs.
type Options struct {
	Keys  Keys // none: nothing can be given by API
	Boxes Boxes
	// Providers fetch what references name, by the word before the colon.
	Providers map[string]Provider
	// Allow says which references profiles may use. None may use any that it does
	// not name.
	Allow []Rule
	// Ages are the identities that open what sops encrypted.
	Ages Ages
	// Opened counts what was opened, or could not be; may be nil.
	Opened func(kind string, err error)
}

// Provider fetches the value of a reference, which it is given without its own
// name and the colon. What it returns as an error is its own text: nothing of a
// value and nothing that a server said. It wraps ErrAway when asking again may help.
type Provider interface {
	// Check says what is wrong with a reference that can be seen without asking anybody.
	Check(ref string) error
	Fetch(ctx context.Context, ref string) (string, error)
}

// Keeper seals and opens. It is safe for concurrent use.
type Keeper struct {
	opts Options
}

// New builds a Keeper.
func New(opts Options) *Keeper {
	if opts.Opened == nil {
		opts.Opened = func(string, error) {}
	}
	return &Keeper{opts: opts}
}

// Open replaces all that stands for secrets in a profile's data by the secrets.
// What it returns is for the instance that asked and for nobody else. Its error
// is an *Error, which wraps ErrAway for what may pass by itself, or the store's.
func (k *Keeper) Open(ctx context.Context, name string, data profile.Data) (profile.Data, error) {
	sealed := map[string]store.SealedValue{}
	if ids := profile.SealedIDs(data); len(ids) > 0 {
		var err error
		if sealed, err = k.opts.Boxes.SealedValues(ctx, name, ids); err != nil {
			return nil, err
		}
	}
	fetched := map[string]string{} // each reference is asked for once
	return profile.ReplaceSecrets(data, func(s profile.Secret) (any, error) {
		v, err := k.open(ctx, name, s, sealed, fetched)
		k.opts.Opened(kindOf(s), err)
		return v, err
	})
}

// kindOf names who is asked for a secret.
func kindOf(s profile.Secret) string {
	if s.Kind != profile.Reference {
		return string(s.Kind)
	}
	provider, _ := profile.Provider(s.Ref)
	switch provider {
	case "vault", "env", "k8s":
		return provider
	}
	return "unknown"
}

func (k *Keeper) open(ctx context.Context, name string, s profile.Secret, sealed map[string]store.SealedValue, fetched map[string]string) (any, error) {
	switch s.Kind {
	case profile.Given:
		return s.Value, nil
	case profile.Sealed:
		v, ok := sealed[s.ID]
		if !ok {
			return nil, &Error{Path: s.Path, Reason: "the sealed value is not this profile's, or is gone: give it again"}
		}
		value, err := k.opts.Keys.open(v)
		if err != nil {
			return nil, at(s.Path, "the sealed value", err)
		}
		return value, nil
	case profile.Encrypted:
		value, err := k.opts.Ages.openValue(s.Sops)
		if err != nil {
			return nil, at(s.Path, "sops", err)
		}
		return value, nil
	default:
		if v, ok := fetched[s.Ref]; ok {
			return v, nil
		}
		v, err := k.fetch(ctx, name, s)
		if err != nil {
			return nil, err
		}
		fetched[s.Ref] = v
		return v, nil
	}
}

func (k *Keeper) fetch(ctx context.Context, name string, s profile.Secret) (string, error) {
	if err := k.CheckReference(name, s.Path, s.Ref); err != nil {
		return "", err
	}
	provider, rest := profile.Provider(s.Ref)
	v, err := k.opts.Providers[provider].Fetch(ctx, rest)
	if err != nil {
		return "", at(s.Path, provider, err)
	}
	if len(v) > maxValue {
		return "", &Error{Path: s.Path, Reason: fmt.Sprintf("%s: the secret has more than %d bytes", provider, maxValue)}
	}
	return v, nil
}

// CheckReference says why a profile's reference will not open, as far as can be
// seen without asking anybody; an *Error.
func (k *Keeper) CheckReference(name, path, ref string) error {
	provider, rest := profile.Provider(ref)
	asked, ok := k.opts.Providers[provider]
	if !ok {
		return &Error{Path: path, Reason: fmt.Sprintf("no provider %s is configured here: see the setting secrets", provider)}
	}
	if err := asked.Check(rest); err != nil {
		return at(path, provider, err)
	}
	if !allowed(k.opts.Allow, name, ref) {
		return &Error{Path: path, Reason: notAllowed(provider, name)}
	}
	return nil
}
