// Package rollout holds deployments: what a version's way through a fleet is,
// when it goes on, when it goes back.
//
// Decide is the whole state machine, and pure: a deployment, its fleet and the
// time go in, a Decision comes out. Orders are what people may ask of a
// deployment, pure as well. The Engine is the only part that does something:
// it claims a deployment that is due, reads its fleet, asks Decide and stores
// the decision in one transaction.
package rollout
