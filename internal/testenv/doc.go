// Package testenv is what tests need of the machine: free ports, the built
// program, Git repositories that no one's own configuration reaches, and
// private PostgreSQL and Redis servers that may be killed.
// Only tests import it.
package testenv
