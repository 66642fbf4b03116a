// Package telemetry sets up what the daemon says of itself: structured logs
// without secrets, Prometheus metrics, and traces by the standard OTEL_*
// variables.
package telemetry
