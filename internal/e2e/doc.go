// Package e2e tests the whole program through its doors: the real binary, real
// Git repositories, a real database file, instances that really apply what they
// are given. The processes are killed, stopped and started again, at points
// chosen on purpose and at random; after every history the same invariants are
// checked (invariants_test.go).
//
// A stage (stage_test.go) is one repository, one daemon and one fleet. Nothing
// here sleeps: tests wait for conditions, and a deadline only ends a test that
// went wrong.
package e2e
