// Package settings is how the daemon is told what to do: defaults, then
// sluice.yaml, then SLUICE_* variables, then flags, each over the one before.
//
// One table, read from the struct tags of Settings, gives the keys of the
// file, the names of variables and flags, their help and the reference page,
// so that none of them can disagree with the others.
package settings
