// Package session makes and checks the signed tokens (JWT) of people who signed
// in, and the short-lived ones of a sign-in that is under way. A token that it
// finds good says who somebody was when it was made; whether that still holds is
// for the store to say.
package session
