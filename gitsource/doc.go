// Package gitsource brings a Git branch in: it keeps a bare mirror of one branch of one repository, fetches what is
// new, walks the merged commits, compares trees and reads files out of tree objects. Nothing is ever checked out.
//
// The mirror is a cache. The remote is authoritative; a mirror that is missing, half written, corrupted or made for
// another URL or branch is deleted and fetched again, and nothing else in the system notices.
//
// Every byte that comes from a remote is hostile until proved otherwise:
//
//   - Addresses are checked when the connection is dialled, so that no name, redirect or odd spelling of an address
//     reaches a metadata service. Redirects are refused; credentials go only to the host they were given for.
//   - A pack is written to a temporary file while it is scanned, and is refused as soon as it declares more bytes,
//     objects, object sizes or delta results than the limits allow. It is installed only when each of its objects
//     has been inflated within those limits and hashed.
//   - File names are data, never paths. Symbolic links and submodules are reported and never followed.
//
// The packs are read by offset (pread) through descriptors that stay open, so reads run side by side with each other
// and with the network part of a fetch. Each object is checked against its hash when it is read.
package gitsource
