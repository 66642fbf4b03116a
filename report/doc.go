// Package report tells what a deployment did, above all after a rollback: what
// changed, which metric showed it, who had the version and when what happened.
// It is pure: values of the API go in, a report comes out, and a report becomes
// Markdown; the dashboard shows it in a page.
package report
