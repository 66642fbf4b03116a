// Package e2e holds tests of real processes: the sluice program, real Git
// repositories, instances over real HTTP, and kill -9.
package e2e
