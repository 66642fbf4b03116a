// Package coordtest is the conformance suite of coord's interfaces: every
// implementation passes it, the in-process one and those behind a server.
package coordtest

import (
	"testing"
	"time"
)

// Harness is what the suite needs beside the implementation. Time and delivery
// are the implementation's own: fake inside a bubble, real against a server.
type Harness struct {
	TTL    time.Duration         // of what must end; short where time is real
	Pass   func(d time.Duration) // lets d pass on the clock that TTLs are measured by
	Settle func()                // returns when all that was published is delivered
}

// Case is one rule of the suite, to be run in a bubble or a subtest of the caller's choice.
type Case[T any] struct {
	Name string
	Run  func(t *testing.T, impl T, h Harness)
}
