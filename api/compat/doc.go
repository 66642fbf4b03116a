// Package compat lets clients that people already run read their configuration from Sluice,
// unchanged: those of Consul's key/value store, Spring Cloud Config, AWS AppConfig's agent, Apollo,
// Nacos, flagd and OpenFeature's remote evaluation protocol.
//
// Each protocol is one file that turns its coordinates into profiles and a profile's data into its
// answers; what a reader gets is decided in one place for all of them (Configs). A registered
// instance, known by its own token, reads the version it is assigned and so takes part in canaries;
// every other reader gets the stable version, never a canary. Nothing can be written, and nothing is
// served unless it is turned on.
package compat
