// Package faultproxy is a TCP proxy that fails on purpose: it stands between a
// program and a database, and a test makes it refuse, hang, delay or cut at a
// chosen byte. Only tests import it.
//
// Every fault takes hold at once, of connections that stand and of those that
// come. Pass ends them all.
package faultproxy
