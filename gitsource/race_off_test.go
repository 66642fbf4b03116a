//go:build !race

package gitsource_test

import "time"

const (
	effort    = 1   // divides what the heaviest tests do
	memoryMiB = 256 // what one fetch may take
	patience  = time.Minute
)
