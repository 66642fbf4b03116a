// Package clients runs the programs that people use today with other configuration servers against
// the real daemon, unchanged. It is a module of its own, so that they are no dependencies of the
// program.
package clients
