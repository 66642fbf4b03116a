package secrets

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	vault "github.com/hashicorp/vault/api"
	"golang.org/x/sync/singleflight"
)

// VaultOptions are what NewVault needs.
type VaultOptions struct {
	URL       string
	Namespace string
	Mounts    []string // of KV version 2 engines: where references begin
	// Token signs in; or else Role does, with the token of a service account.
	Token, Role, AuthMount, JWTFile string
	CAFile                          string
	Timeout                         time.Duration
	Logger                          *slog.Logger // never told a token, a value or what the server said
}

// maxAsking bounds the questions to Vault at a time: a fleet that takes a version
// at once must not be a flood.
const maxAsking = 16

// Vault is the provider of vault: references: keys of KV version 2 secrets.
type Vault struct {
	opts   VaultOptions
	client *vault.Client
	asking chan struct{}
	reads  singleflight.Group // of those who wait for the same secret; nothing is kept

	mu      sync.Mutex
	renewAt time.Time // of a token that a role signed in to; zero before the first
}

// NewVault reads the certificates; it asks nobody.
func NewVault(opts VaultOptions) (*Vault, error) {
	own, err := httpClient(opts.CAFile)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	client, err := vault.NewClient(&vault.Config{
		Address: opts.URL, HttpClient: own, Timeout: opts.Timeout, MaxRetries: 1, DisableRedirects: true,
		MinRetryWait: 100 * time.Millisecond, MaxRetryWait: 500 * time.Millisecond,
	})
	if err != nil {
		return nil, errors.New("vault: the url is not valid, or a VAULT_ variable is not") // the library's text may repeat either
	}
	// The settings say who signs in, and no VAULT_ variable.
	client.SetToken(opts.Token)
	client.ClearNamespace()
	if opts.Namespace != "" {
		client.SetNamespace(opts.Namespace)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	// The longest mount first: team/kv before team.
	opts.Mounts = slices.Clone(opts.Mounts)
	slices.SortFunc(opts.Mounts, func(a, b string) int { return len(b) - len(a) })
	return &Vault{opts: opts, client: client, asking: make(chan struct{}, maxAsking)}, nil
}

var vaultRef = regexp.MustCompile(`^([A-Za-z0-9._~@+=:-]+(?:/[A-Za-z0-9._~@+=:-]+)+)#([^\s#]{1,253})$`)

// parse reads mount/path#key. A path that climbs would lead around the rules of
// who may read what.
func (v *Vault) parse(ref string) (mount, path, key string, err error) {
	m := vaultRef.FindStringSubmatch(ref)
	if m == nil {
		return "", "", "", errors.New("the reference is not mount/path#key, of letters, digits and . _ ~ @ + = : -")
	}
	for segment := range strings.SplitSeq(m[1], "/") {
		if segment == "." || segment == ".." {
			return "", "", "", errors.New("the path has a . or .. in it")
		}
	}
	for _, mount := range v.opts.Mounts {
		if rest, ok := strings.CutPrefix(m[1], strings.Trim(mount, "/")+"/"); ok {
			return strings.Trim(mount, "/"), rest, m[2], nil
		}
	}
	return "", "", "", errors.New("the path begins with no mount of secrets.vault.mounts")
}

// Check refuses what is not mount/path#key of a mount that is known.
func (v *Vault) Check(ref string) error {
	_, _, _, err := v.parse(ref)
	return err
}

// Fetch reads one key of a secret's newest version.
func (v *Vault) Fetch(ctx context.Context, ref string) (string, error) {
	mount, path, key, err := v.parse(ref)
	if err != nil {
		return "", err
	}
	// Whoever asked first may leave; the others still wait for the answer.
	shared := v.reads.DoChan(mount+"\x00"+path, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*v.opts.Timeout)
		defer cancel()
		return v.read(ctx, mount, path)
	})
	select {
	case <-ctx.Done():
		return "", away("the one who asked left")
	case answer := <-shared:
		if answer.Err != nil {
			return "", answer.Err
		}
		data, _ := answer.Val.(map[string]any)
		value, ok := data[key]
		if !ok {
			return "", errors.New("the secret has no such key")
		}
		text, ok := value.(string)
		if !ok {
			return "", errors.New("the key holds no text")
		}
		return text, nil
	}
}

func (v *Vault) read(ctx context.Context, mount, path string) (map[string]any, error) {
	select {
	case v.asking <- struct{}{}:
		defer func() { <-v.asking }()
	case <-ctx.Done():
		return nil, away("too many wait for an answer")
	}
	for again := false; ; again = true {
		if err := v.signIn(ctx, again); err != nil {
			return nil, err
		}
		secret, err := v.client.KVv2(mount).Get(ctx, path)
		if v.opts.Role != "" && !again && status(err) == http.StatusForbidden {
			continue // the token may have been taken back
		}
		if err != nil {
			return nil, explain(err)
		}
		if secret.Data == nil {
			return nil, errors.New("the secret was deleted")
		}
		return secret.Data, nil
	}
}

// signIn makes sure that there is a token. anew says that the present one was refused.
func (v *Vault) signIn(ctx context.Context, anew bool) error {
	if v.opts.Role == "" {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !anew && time.Now().Before(v.renewAt) {
		return nil
	}
	jwt, err := os.ReadFile(v.opts.JWTFile)
	if err != nil {
		return errors.New("the token of the service account cannot be read: see secrets.vault.jwt_file")
	}
	answer, err := v.client.Logical().WriteWithContext(ctx, "auth/"+strings.Trim(v.opts.AuthMount, "/")+"/login", map[string]any{
		"role": v.opts.Role, "jwt": strings.TrimSpace(string(jwt)),
	})
	if err != nil {
		if s := status(err); s == http.StatusForbidden || s == http.StatusBadRequest {
			return errors.New("the sign-in as a service account was refused: see secrets.vault.role")
		}
		return explain(err)
	}
	if answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "" {
		return errors.New("the sign-in gave no token")
	}
	v.client.SetToken(answer.Auth.ClientToken)
	v.renewAt = time.Now().Add(time.Duration(answer.Auth.LeaseDuration) * time.Second * 2 / 3)
	return nil
}

func status(err error) int {
	if e, ok := errors.AsType[*vault.ResponseError](err); ok {
		return e.StatusCode
	}
	return 0
}

// explain says what went wrong in words of ours: the library's hold the URL and
// whatever the server said.
func explain(err error) error {
	s := status(err)
	switch {
	case errors.Is(err, vault.ErrSecretNotFound), s == http.StatusNotFound:
		return errors.New("there is nothing at this path")
	case s == http.StatusForbidden:
		return errors.New("permission denied: the token's policy does not let it read this path")
	case s == http.StatusTooManyRequests, s >= 472:
		return away(fmt.Sprintf("the server answers %d", s))
	case s != 0:
		return fmt.Errorf("the server answers %d", s)
	}
	if _, ok := errors.AsType[*url.Error](err); ok || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return away("the server does not answer")
	}
	return away("the server answers what Vault would not: see secrets.vault.url")
}

const (
	renewSoon  = time.Minute // after what did not work
	renewLater = time.Hour   // of a token that does not end
)

// Run keeps the token alive until ctx ends, whether anything is read or not.
func (v *Vault) Run(ctx context.Context) error {
	if v.opts.Token == "" {
		<-ctx.Done() // a role signs in when something is read
		return nil
	}
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
			next.Reset(v.renew(ctx))
		}
	}
}

// renew looks at the token and renews it, and says when to do so again.
func (v *Vault) renew(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, 2*v.opts.Timeout)
	defer cancel()
	self, err := v.client.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		v.warn(ctx, "the token for Vault could not be looked at", err)
		return renewSoon
	}
	ttl, err := self.TokenTTL()
	if err != nil || ttl == 0 {
		return renewLater
	}
	renewable, err := self.TokenIsRenewable()
	if err != nil || !renewable {
		v.opts.Logger.WarnContext(ctx, "the token for Vault ends and cannot be renewed", "in", ttl.String())
		return min(max(ttl/2, renewSoon), renewLater)
	}
	renewed, err := v.client.Auth().Token().RenewSelfWithContext(ctx, 0)
	if err != nil {
		v.warn(ctx, "the token for Vault could not be renewed", err)
		return renewSoon
	}
	if again, err := renewed.TokenTTL(); err == nil && again > 0 {
		ttl = again
	}
	return min(ttl/2, renewLater)
}

func (v *Vault) warn(ctx context.Context, message string, err error) {
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		v.opts.Logger.WarnContext(ctx, message, "error", explain(err)) //nolint:sloglint // the two messages are constants above
	}
}
