// Package flags evaluates feature flags that are defined as flagd defines them, in the data of a
// profile: variants, a default, and a targeting rule in JSON Logic with flagd's own operators. The
// same definition and the same context give the same variant here as in flagd, so that a program may
// ask Sluice for a flag (OFREP) while another keeps its own flagd, and a user sees the same in both.
//
// It is pure: no I/O, no clock, no global state. JSON Logic is written here and not taken from a
// library: the one that comes for Go lets {"and": [null, true]} be true, so that a rule for users who
// have an attribute would match those who have none.
package flags
