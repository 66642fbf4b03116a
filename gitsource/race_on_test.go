//go:build race

package gitsource_test

// The race detector makes everything several times slower and larger.
const (
	effort    = 10
	memoryMiB = 1024
)
