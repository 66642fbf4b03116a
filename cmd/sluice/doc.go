// Command sluice is the daemon that rolls out application configuration from
// Git, the command line that watches and steers it, and the agent beside a
// service. One file per command; this package only wires the others together.
package main
