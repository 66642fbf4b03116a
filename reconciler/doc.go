// Package reconciler compares a Git source with the store and makes versions,
// deployments, retirements and commit statuses of the difference.
//
// One pass is: ask the branch's head; when it is not the commit that the store
// was synced to, fetch, walk the first-parent commits between the two and look,
// commit by commit, at the files that each can have changed (observe.go, the
// only part that reads Git). What was seen and what the store says (state.go)
// are plain values; from them the pure planner (plan.go and the files beside
// it) makes a Plan, and apply.go writes it in one transaction that begins with a
// compare-and-set of the synced commit. So a pass that dies leaves nothing, and
// a pass that lost a race is planned again from what is stored now. A large first
// sync is stored in parts (division.go, parts.go), the first ones while other files are
// read (intake.go, mentions.go): what dies leaves whole profiles.
//
// Git is authoritative for what should be, the store for what is and why.
// Nothing is remembered between passes that a restart could lose; a wake-up
// only makes the next pass come earlier.
package reconciler
