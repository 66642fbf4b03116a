package profile_test

import (
	"testing"

	"github.com/sluicehq/sluice/profile"
)

func TestScope(t *testing.T) {
	t.Parallel()
	staging := []profile.Environment{profile.Staging}
	for _, tt := range []struct {
		scope       profile.Scope
		environment profile.Environment
		name        string
		want        bool
	}{
		{profile.Scope{}, profile.Production, "pay.production", true},
		{profile.Scope{Environments: staging}, profile.Staging, "pay.staging", true},
		{profile.Scope{Environments: staging}, profile.Production, "pay.production", false},
		{profile.Scope{Profiles: []string{"pay*"}}, profile.Production, "pay.production", true},
		{profile.Scope{Profiles: []string{"pay*"}}, profile.Production, "repay.production", false},
		{profile.Scope{Profiles: []string{"pay*"}}, profile.Production, "Pay.production", false},
		{profile.Scope{Profiles: []string{"pay?"}}, profile.Production, "pay", false},
		{profile.Scope{Profiles: []string{"p_y"}}, profile.Production, "pay", false},
		{profile.Scope{Profiles: []string{"ship", "pay"}}, profile.Production, "pay", true},
		{profile.Scope{Environments: staging, Profiles: []string{"pay*"}}, profile.Production, "pay.production", false},
		{profile.Scope{Environments: staging, Profiles: []string{"pay*"}}, profile.Staging, "ship.staging", false},
		{profile.Scope{Profiles: []string{"[pay"}}, profile.Production, "[pay", false},
	} {
		if got := tt.scope.Has(tt.environment, tt.name); got != tt.want {
			t.Errorf("%+v has %s of %s: %v, want %v", tt.scope, tt.name, tt.environment, got, tt.want)
		}
	}
	for _, wrong := range []profile.Scope{
		{Environments: []profile.Environment{"Moon"}}, {Environments: []profile.Environment{""}}, {Profiles: []string{""}}, {Profiles: []string{"[a-z]"}},
		{Profiles: []string{`a\*`}}, {Profiles: []string{"a%"}}, {Profiles: make([]string, 33)},
	} {
		if field, err := wrong.Check(); err == nil || field == "" {
			t.Errorf("%+v is taken", wrong)
		}
	}
}
