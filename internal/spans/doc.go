// Package spans makes the spans of traces that outlive a process.
//
// A deployment takes minutes to days. Replicas take it over from each other,
// and any of them may be killed. A span that is held open in memory would be
// lost with its process, so what lives longer than a call has no open span.
// Instead its identity follows from what it is: [ID] makes the same span id of
// the same names on every replica. Whoever sees a thing begin can name its span
// as a parent, and whoever sees it end tells the whole of it with [Tell].
// Telling twice, after a crash, tells the same span.
//
// Between processes a span is named as W3C Trace Context does, a traceparent:
// in the rows of deployments, assignments, webhooks and outbox jobs, and in what
// instances are sent. It says too whether the trace is sampled, so all of a
// trace is exported, or nothing of it.
//
//	webhook (server)
//	└─ source.sync
//	   ├─ config.validate, config.version.upload
//	   └─ config.deploy                          told when the deployment ended
//	      ├─ config.deploy.instance              told when the instance acknowledged
//	      │  ├─ config.push                      written to its stream
//	      │  └─ config.reload (agent)            started in the agent
//	      │     └─ POST .../applied
//	      ├─ config.health.check                 one for each gate check
//	      ├─ config.rollback                     when there was one
//	      ├─ config.complete                     the last step
//	      └─ outbox.commit_status (and the like)
package spans
