// Package sso signs people in at an identity provider by OpenID Connect: the
// authorization code flow with PKCE. Who somebody is, the provider says; what that
// makes them here is decided by a claim of its ID token and a table.
package sso
