// Package snapshot is the form of bootstrap snapshots: the stable version of one
// profile, signed, in a file that anybody may keep. An instance that finds neither
// a daemon nor its own copy starts from one.
//
// A snapshot is trusted for its signature alone, never for where it lies. What is
// signed is everything that it is taken for: the profile's name, whom it is for,
// the version, the data and the time. A file under another's name, an older one put
// in the place of a newer one for longer than its age allows, and a file of which
// one byte differs are all refused, each by an error of its own.
//
// The file is an envelope as DSSE defines it (github.com/secure-systems-lab/dsse):
// the signed bytes stand in it as base64, so that no way to write JSON can change
// what was signed.
package snapshot
