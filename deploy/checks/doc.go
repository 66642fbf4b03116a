// Package checks holds what deploy/ and the Dockerfile say against what the
// program does. It is a module of its own, so that what reads Compose files is
// no dependency of the program.
package checks
