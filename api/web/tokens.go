package web

import "github.com/sluicehq/sluice/api/wire"

// TokensView is the list of tokens, with the form that makes one as it was filled in.
type TokensView struct {
	Items        []wire.Token
	Roles        []string
	Lives        []Life
	Environments []Ticked
	Name, Role   string
	Profiles     string // globs, one a line
}

// Life is how long a token can be good for.
type Life struct {
	TTL, Text string
	Chosen    bool
}

// Ticked is one of several that can be chosen together.
type Ticked struct {
	Value  string
	Chosen bool
}

// TokenMade shows a token once.
type TokenMade struct{ wire.Token }

// RevokeView asks whether a token is to be revoked.
type RevokeView struct{ wire.Token }

// AccountView is whoever is signed in.
type AccountView struct {
	Password bool   // has one here that can be changed
	Issuer   string // of the identity provider that has it instead
	Changed  bool   // it was changed just now
}
