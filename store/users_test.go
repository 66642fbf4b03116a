package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/store"
)

func (w *world) user(name, role string) store.User {
	w.t.Helper()
	w.must(w.CreateUser(w.t.Context(), store.User{Name: name, Role: role, PasswordHash: "of " + name}))
	u, err := w.User(w.t.Context(), name)
	w.must(err)
	return u
}

func (w *world) signIn(u store.User, id string) []byte {
	w.t.Helper()
	hash := []byte(id)
	w.must(w.BeginSession(w.t.Context(), store.Session{IDHash: hash, Address: "192.0.2.1", ExpiresAt: w.clock().Add(time.Hour)}, u))
	return hash
}

// A session ends with its time, by its user, and with whatever it was begun on.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.user("root", "Admin")
		var ann store.User
		text := func(s string) *string { return &s }
		yes := true
		for what, end := range map[string]func(hash []byte) error{
			"by herself": func(hash []byte) error { return w.EndSession(ctx, hash) },
			"a password": func([]byte) error { return w.SetPassword(ctx, "ann", "another") },
			"a role": func([]byte) error {
				return w.ChangeUser(ctx, "ann", store.UserChange{Role: text("Operator"), By: "root"})
			},
			"a sentence":         func([]byte) error { return w.ChangeUser(ctx, "ann", store.UserChange{Disabled: &yes, By: "root"}) },
			"the end of the day": func([]byte) error { w.advance(time.Hour); return nil },
			"her going":          func([]byte) error { return w.RemoveUser(ctx, "ann", "root") },
		} {
			w.must(w.raw(`DELETE FROM users WHERE name = 'ann'`))
			ann = w.user("ann", "Viewer")
			hash := w.signIn(ann, what)
			got, err := w.SessionUser(ctx, hash)
			w.must(err)
			same(t, got, ann)
			if ok, err := w.SignedInFrom(ctx, "ann", "192.0.2.1"); !ok || err != nil {
				t.Errorf("she is signed in from her address: %v, %v", ok, err)
			}
			if ok, err := w.SignedInFrom(ctx, "root", "192.0.2.1"); ok || err != nil {
				t.Errorf("root is signed in from her address: %v, %v", ok, err)
			}
			w.must(end(hash))
			if _, err := w.SessionUser(ctx, hash); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the session outlives %s: %v", what, err)
			}
		}
		if n := len(w.facts("user.changed")); n != 3 {
			t.Errorf("%d changes are in the audit log", n)
		}
		// What was looked at before a change begins no session after it.
		w.must(w.raw(`DELETE FROM users WHERE name = 'ann'`))
		ann = w.user("ann", "Viewer")
		w.must(w.SetPassword(ctx, "ann", "newer"))
		if err := w.BeginSession(ctx, store.Session{IDHash: []byte("late"), ExpiresAt: w.clock().Add(time.Hour)}, ann); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the old password begins a session: %v", err)
		}
		ann.PasswordHash = "newer"
		w.signIn(ann, "once")
		if err := w.BeginSession(ctx, store.Session{IDHash: []byte("once"), ExpiresAt: w.clock().Add(time.Hour)}, ann); !errors.Is(err, store.ErrExists) {
			t.Errorf("an id begins two sessions: %v", err)
		}
	})
}

// Somebody with a password is always left who can let others in, whoever is at
// it at the same time.
func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.user("a", "Admin")
		w.must(w.CreateUser(ctx, store.User{Name: "sso:b", Role: "Admin", Issuer: "https://idp.example.com", Subject: "1"}))
		viewer, no, yes := "Viewer", false, true
		for what, err := range map[string]error{
			"removed": w.RemoveUser(ctx, "a", "x"), "demoted": w.ChangeUser(ctx, "a", store.UserChange{Role: &viewer}),
			"disabled": w.ChangeUser(ctx, "a", store.UserChange{Disabled: &yes}),
		} {
			if !errors.Is(err, store.ErrLastAdmin) {
				t.Errorf("the last one is %s: %v", what, err)
			}
		}
		w.must(w.ChangeUser(ctx, "a", store.UserChange{Disabled: &no}))
		w.must(w.RemoveUser(ctx, "sso:b", "x"))
		for round := range 5 {
			other := fmt.Sprint("b", round)
			w.user(other, "Admin")
			errs := make(chan error, 2)
			for _, name := range []string{"a", other} {
				go func() { errs <- w.ChangeUser(ctx, name, store.UserChange{Role: &viewer, By: "x"}) }()
			}
			refused := 0
			for range 2 {
				if err := <-errs; errors.Is(err, store.ErrLastAdmin) {
					refused++
				} else {
					w.must(err)
				}
			}
			if refused != 1 {
				t.Fatalf("%d of two Admins who demote each other are refused, want 1", refused)
			}
			admin := "Admin"
			w.must(w.ChangeUser(ctx, "a", store.UserChange{Role: &admin, By: "x"}))
			w.must(w.RemoveUser(ctx, other, "x"))
		}
		if err := w.RemoveUser(ctx, "nobody", "x"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("removing nobody: %v", err)
		}
	})
}

// A token is refused while whoever is behind it may make none, and goes with that
// user, also one that was made with another token.
func TestTokensEndWithTheirOwner(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.user("root", "Admin")
		w.user("ann", "Admin")
		make := func(name, by, owner string) {
			t.Helper()
			w.must(w.CreateToken(ctx, store.Token{ID: name, Name: name, Kind: store.TokenAPI, Role: "Viewer", Hash: []byte(name), CreatedBy: by, Owner: owner}))
		}
		make("ci", "ann", "ann")
		make("cd", "ci", "ann")
		make("other", "root", "root")
		make("registration", "sluice", "")
		are := func(when string, want ...string) {
			t.Helper()
			var good, listed []string
			for _, name := range []string{"cd", "ci", "other", "registration"} {
				if _, err := w.TokenByHash(ctx, []byte(name)); err == nil {
					good = append(good, name)
				} else if !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: %v", name, err)
				}
			}
			tokens, err := w.Tokens(ctx)
			w.must(err)
			for _, token := range tokens {
				if !token.Stopped {
					listed = append(listed, token.Name)
				}
			}
			slices.Sort(listed)
			if !slices.Equal(good, want) || !slices.Equal(listed, want) {
				t.Errorf("%s: %v are good, and %v listed as that, want %v", when, good, listed, want)
			}
		}
		are("at first", "cd", "ci", "other", "registration")
		yes, no, viewer, admin := true, false, "Viewer", "Admin"
		for _, step := range []struct {
			when   string
			change store.UserChange
			stops  bool
		}{
			{"disabled", store.UserChange{Disabled: &yes}, true}, {"enabled", store.UserChange{Disabled: &no}, false},
			{"demoted", store.UserChange{Role: &viewer}, true}, {"promoted", store.UserChange{Role: &admin}, false},
		} {
			step.change.By = "root"
			w.must(w.ChangeUser(ctx, "ann", step.change))
			facts := w.facts("user.changed")
			details := fmt.Sprint(facts[len(facts)-1].Details)
			if step.stops {
				are(step.when, "other", "registration")
				if err := w.CreateToken(ctx, store.Token{ID: "late", Name: "late", Kind: store.TokenAPI, Role: "Viewer", Hash: []byte("late"), CreatedBy: "ann", Owner: "ann"}); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s, she makes a token: %v", step.when, err)
				}
			} else {
				are(step.when, "cd", "ci", "other", "registration")
			}
			if strings.Contains(details, "tokensStopped:[cd ci]") != step.stops || strings.Contains(details, "tokensGood:[cd ci]") == step.stops {
				t.Errorf("%s: the audit log says %s", step.when, details)
			}
		}
		w.must(w.RemoveUser(ctx, "ann", "root"))
		are("removed", "other", "registration")
		tokens, err := w.Tokens(ctx)
		w.must(err)
		if n := len(w.facts("token.revoked")); n != 2 || len(tokens) != 2 {
			t.Errorf("%d revoked tokens are in the audit log, %d are left", n, len(tokens))
		}
		w.user("ann", "Admin") // another of this name
		are("another ann", "other", "registration")
	})
}

// The audit log knows everybody by name: no two have one.
func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.user("ann", "Viewer")
		w.must(w.CreateToken(ctx, store.Token{ID: "1", Name: "CI", Kind: store.TokenAPI, Role: "Viewer", Hash: []byte("1"), CreatedBy: "ann"}))
		for _, name := range []string{"ANN", "ci"} {
			if err := w.CreateUser(ctx, store.User{Name: name, Role: "Viewer"}); !errors.Is(err, store.ErrExists) {
				t.Errorf("a second %s: %v", name, err)
			}
		}
		if taken, err := w.NameTaken(ctx, "Ann"); !taken || err != nil {
			t.Errorf("Ann is taken: %v, %v", taken, err)
		}
		page, total, err := w.Users(ctx, 10, 0)
		if total != 1 || len(page) != 1 || page[0].Name != "ann" || err != nil {
			t.Errorf("users are %v, %d, %v", page, total, err)
		}
	})
}

// Whom a provider knows is the same user each time, with the role of now and
// under a name that is nobody else's.
func TestKnownSubjects(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		idp := func(subject, role string) store.User {
			return store.User{Role: role, Issuer: "https://idp.example.com", Subject: subject}
		}
		first, err := w.KnownSubject(ctx, idp("1", "Viewer"), "sso:ann", "sso:ann (1)")
		w.must(err)
		again, err := w.KnownSubject(ctx, idp("1", "Operator"), "sso:renamed")
		w.must(err)
		if first.Name != "sso:ann" || again.Name != "sso:ann" || again.Role != "Operator" {
			t.Errorf("known as %+v, then %+v", first, again)
		}
		second, err := w.KnownSubject(ctx, idp("2", "Viewer"), "sso:Ann", "sso:Ann (2)")
		w.must(err)
		if second.Name != "sso:Ann (2)" {
			t.Errorf("another of the name is %q", second.Name)
		}
		if _, err := w.KnownSubject(ctx, idp("3", "Viewer"), "sso:ann"); !errors.Is(err, store.ErrExists) {
			t.Errorf("without a free name: %v", err)
		}
		if err := w.CreateUser(ctx, store.User{Name: "x", Role: "Viewer", Issuer: "https://idp.example.com", Subject: "1"}); !errors.Is(err, store.ErrExists) {
			t.Errorf("a subject is two users: %v", err)
		}
	})
}

// Every replica signs with the same key.
func TestSessionKey(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		keys := make(chan string, 4)
		for n := range cap(keys) {
			go func() {
				key, err := w.SessionKey(t.Context(), func() string { return strings.Repeat(fmt.Sprint(n), 8) })
				if err != nil {
					t.Error(err)
				}
				keys <- key
			}()
		}
		first := <-keys
		for range cap(keys) - 1 {
			if key := <-keys; key != first || key == "" {
				t.Errorf("the keys %q and %q", first, key)
			}
		}
	})
}
