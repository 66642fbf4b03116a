// Package secrets keeps secrets from everybody but the instances that they are
// for: it seals what is given by API, reads what sops encrypted in Git, fetches
// what Vault, the environment and Kubernetes keep, and puts all of it in the
// place of what stands for it when an instance fetches its own configuration.
//
// A value is never in an error, a log, a trace or an audit event. What it opens
// it gives to the caller and forgets.
package secrets
