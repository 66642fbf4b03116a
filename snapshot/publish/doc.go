// Package publish keeps the bootstrap snapshots of a place what they should be: one for
// each profile that has a stable version and is not retired.
//
// A pass compares what is there with what should be, and writes only what differs: what is
// missing, says something else, was signed by another key or changed by somebody, and what
// is old enough to be signed anew before instances refuse it. Nothing is remembered that the
// next pass could not find out, so that a pass that was cut short, made twice or made by two
// daemons at once does no harm.
//
// What is removed is the snapshot of a profile that the database knows to be retired, and
// nothing else: an empty database, or another installation's, takes nobody's snapshots away.
package publish
