// Package doctest reads the project's Markdown pages for the tests that hold
// them true: which blocks are run, which commands they name, where links lead.
//
// A block of the language sh is run as it stands, one after the other in one
// shell, by a script of internal/e2e/testdata/docs that also says what it
// shows. One that cannot be run here is marked "sh norun", and a table in this
// package's tests says why; its sluice commands must be real all the same.
package doctest
