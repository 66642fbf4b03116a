//go:build !failpoints

package main

// failpoint is called where tests kill the process; a release has none of it.
func failpoint(string) {}
