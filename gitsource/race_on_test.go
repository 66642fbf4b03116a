//go:build race

package gitsource_test

import "time"

// The race detector makes everything several times slower and larger.
const (
	effort    = 10
	memoryMiB = 1024
	patience  = 5 * time.Minute // and the machine does other work meanwhile
)
