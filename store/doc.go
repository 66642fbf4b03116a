// Package store keeps everything in one SQL database: what the profiles,
// versions, deployments, instances and holds are, what happened to them, and
// what is still to be told to the outside.
//
// Every method of Store is one transaction; the methods of Tx compose into one.
// A query is written once for every engine, with $1 placeholders and JSON as
// text; times go through stamp. What is written is guarded by the database
// itself where it can be: a version never changes, a deployment has a validated
// version, a final state has its time.
//
// Effects outside the process are jobs of the outbox, inserted in the same
// transaction as their cause.
package store
