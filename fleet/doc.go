// Package fleet holds the instances of services: what they should run, what
// they say of it and of their health, and the sums over many of them that a
// rollout is judged by. It is pure: values and rules, no I/O and no clock.
package fleet
