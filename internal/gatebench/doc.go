// Command gatebench measures the gate: it lets simulated fleets with known
// faults, or none, live through deployments that the real rollout.Decide
// conducts, and counts what was caught, how soon, and what was rolled back
// without a reason. Three plain rules judge the same fleets beside it.
//
// A fleet is drawn from a class of scenarios and a seed; the same seed gives
// the same table. Requests are not simulated one by one: their number, their
// errors and the buckets of their latency are drawn for each heartbeat.
package main
