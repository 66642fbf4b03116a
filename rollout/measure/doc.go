// Package measure asks the providers outside what a gate wants to know: a
// Prometheus server, the instances themselves, and webhooks. Everything that it
// reads is capped, and no answer takes longer than the context or a provider's
// own timeout. What does not answer is an error of its one measurement, without
// any URL in it: a URL may be a secret.
package measure
