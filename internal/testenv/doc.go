// Package testenv is what tests need of the machine: free ports, the built
// program, and Git repositories that no one's own configuration reaches.
// Only tests import it.
package testenv
