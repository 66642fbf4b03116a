// Package simulation lives whole lives of Sluice in simulated time: the real
// reconciler, engine and store, with a repository, instances and crashes in
// plain values. Its tests draw random histories and check after every step what
// must never be otherwise.
package simulation
