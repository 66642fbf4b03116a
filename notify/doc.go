// Package notify tells the outside what happens to deployments and holds: by
// signed webhooks, Slack-compatible webhooks and Alertmanager.
//
// Who hears of what (Router) and what they read (the bodies) is decided in plain
// values. A Notifier sends; when and how often is the outbox's to say. The URL
// of a target is a secret: it is in no error, and in nothing that is sent.
package notify
