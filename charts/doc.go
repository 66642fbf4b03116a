// Package charts holds the Helm chart in sluice/, and tests it by Helm's own
// packages and the types of the Kubernetes API. It is a module of its own, so
// that what these need is not in the program's.
package charts
